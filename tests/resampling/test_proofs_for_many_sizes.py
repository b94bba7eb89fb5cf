"""Proofs for ranges of sizes and for all sizes, against brute force on sizes that the proofs did not look at."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling import AxisResize, compare, compare_range
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.coordinates import COORDINATES
from rewriter.resampling.factors import equal_factors
from rewriter.resampling.filtered import FilteredAxis
from rewriter.resampling.kernels import ROUNDINGS
from rewriter.resampling.sampled import SampledAxis
from rewriter.resampling.sizes import (
    EveryFactor,
    EveryLength,
    EveryPair,
    FiniteSizes,
    FixedFactor,
    OneOutput,
    Sizes,
)

REPETITION = AxisResize(1, 1, "nearest", "asymmetric", "floor")


def _nearest(coordinates: str, rounding: str) -> AxisResize:
    return AxisResize(1, 1, "nearest", coordinates, rounding)


def _linear(coordinates: str) -> AxisResize:
    return AxisResize(1, 1, "linear", coordinates)


@pytest.mark.parametrize(
    ("coordinates", "rounding"),
    [
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("half_pixel_symmetric", "round_prefer_floor"),
        ("tf_half_pixel_for_nn", "floor"),
    ],
)
def test_nearest_by_any_whole_factor_is_repetition_in_every_usual_spelling(
    coordinates: str, rounding: str
) -> None:
    result = compare_range(REPETITION, _nearest(coordinates, rounding), EveryFactor())
    assert result.equal
    assert result.proved_for == "all"
    assert "every whole factor" in result.statement


def test_which_tie_wins_matters_for_even_factors_only() -> None:
    down, up = _nearest("asymmetric", "round_prefer_floor"), _nearest("asymmetric", "round_prefer_ceil")
    assert equal_factors(down, up) == (2, frozenset({1}))
    assert compare_range(down, up, EveryFactor(residue=1, modulus=2)).equal
    found = compare_range(down, up, EveryFactor())
    assert found.equal is False
    assert found.counterexample is not None
    assert found.counterexample.sizes == ((2, 4),)


def test_tf_half_pixel_for_nn_has_a_modern_spelling_at_every_size() -> None:
    modern = _nearest("half_pixel", "round_prefer_ceil")
    result = compare_range(_nearest("tf_half_pixel_for_nn", "floor"), modern, EveryPair())
    assert result.equal
    assert result.proved_for == "all"


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", ["linear", "cubic"])
def test_half_pixel_symmetric_is_half_pixel_when_sizes_are_given(kernel: str, antialias: bool) -> None:
    a, b = (
        AxisResize(1, 1, kernel, mode, antialias=antialias) for mode in ("half_pixel_symmetric", "half_pixel")
    )
    assert compare_range(a, b, EveryPair()).equal


def test_pytorch_half_pixel_differs_at_one_output_pixel_only() -> None:
    a, b = _linear("pytorch_half_pixel"), _linear("half_pixel")
    assert compare_range(a, b, EveryPair()).equal is False
    assert compare_range(a, b, EveryPair(least_output=2)).equal
    halved = compare_range(a, b, FixedFactor(Fraction(1, 2)))
    assert halved.equal is False
    assert halved.holds_from == 4
    assert "equal for n_out = 1/2 n_in and every n_in >= 4" in halved.statement


def test_one_output_pixel() -> None:
    assert compare_range(_linear("align_corners"), _linear("asymmetric"), OneOutput()).equal
    assert compare_range(_linear("half_pixel"), _linear("align_corners_centred"), OneOutput()).equal
    assert (
        compare_range(_linear("align_corners"), _linear("align_corners_centred"), OneOutput()).equal is False
    )
    antialiased = AxisResize(1, 1, "linear", "half_pixel", antialias=True)
    assert compare_range(antialiased, antialiased, OneOutput()).equal
    assert compare_range(antialiased, _linear("half_pixel"), OneOutput()).equal is False


@pytest.mark.parametrize(
    ("mode", "identity"),
    [(mode, mode not in ("tf_half_pixel_for_nn", "offset_corners")) for mode in COORDINATES],
)
def test_an_unchanged_length_is_the_identity_for_all_grids_but_two(mode: str, identity: bool) -> None:
    for kernel in ("linear", "cubic"):
        result = compare_range(REPETITION, AxisResize(1, 1, kernel, mode), EveryLength())
        if mode.startswith("tf_crop"):
            assert result.equal is not False  # may not be decided
        else:
            assert result.equal is identity
    assert compare_range(REPETITION, _nearest("tf_half_pixel_for_nn", "floor"), EveryLength()).equal


def test_tensorflow_filters_in_onnx_words_at_a_fixed_factor() -> None:
    """What tf.image.resize(antialias=True) computes has an ONNX spelling, at every length."""
    for factor in (Fraction(1, 2), Fraction(1, 3), Fraction(2, 3), Fraction(3, 2)):
        for onnx, own in (
            (AxisResize(1, 1, "linear", antialias=True, exclude_outside=True), "triangle"),
            (
                AxisResize(1, 1, "cubic", cubic_a=Fraction(-1, 2), antialias=True, exclude_outside=True),
                "keyscubic",
            ),
        ):
            result = compare_range(onnx, FilteredAxis(1, 1, own, antialias=True), FixedFactor(factor))
            assert result.equal
            assert result.proved_for == "all"


def test_area_is_linear_at_one_half_and_not_at_one_quarter() -> None:
    assert compare_range(_linear("half_pixel"), AreaAxis(1, 1), FixedFactor(Fraction(1, 2))).equal
    assert compare_range(_linear("half_pixel"), AreaAxis(1, 1), FixedFactor(Fraction(1, 4))).equal is False


def test_a_range_is_compared_size_by_size() -> None:
    sizes = FiniteSizes.by_factor(range(64, 257, 64), 2)
    equal = compare_range(_linear("half_pixel"), _linear("half_pixel_symmetric"), sizes)
    assert (equal.equal, equal.proved_for, equal.compared) == (
        True,
        "range",
        0,
    )  # one formula covers them all
    assert equal.sizes == "n_in 64..256 step 64, n_out = 2 n_in"
    by_size = compare_range(_linear("half_pixel"), lambda n, m: AxisResize(n, m, "linear"), sizes)
    assert (by_size.equal, by_size.proved_for, by_size.compared) == (True, "range", 4)
    fixed = compare_range(
        _linear("align_corners"), _linear("half_pixel"), FiniteSizes.grid(range(4, 20), [8])
    )
    assert fixed.equal is False
    assert fixed.counterexample is not None
    # 8 to 8 would be the identity in both; 4 to 8, compared first, is not.
    assert fixed.counterexample.sizes == ((4, 8),)
    certificate = fixed.certificate()
    assert certificate["proved_for"] == "range"
    assert certificate["counterexample"]["equal"] is False


def test_where_nothing_decides_the_result_says_so() -> None:
    a = FilteredAxis(1, 1, "lanczos3")
    # Rounded weights prove nothing, even where they agree.
    b = FilteredAxis(1, 1, "lanczos3", antialias=True)
    result = compare_range(a, b, FiniteSizes.by_factor(range(2, 5), 2))
    assert result.equal is None
    assert "too close to tell" in result.statement
    assert compare_range(a, FilteredAxis(1, 1, "lanczos5"), FiniteSizes.by_factor([4], 2)).equal is False


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(UsageError):
        FiniteSizes(())
    with pytest.raises(UsageError):
        FixedFactor(Fraction(0))
    with pytest.raises(UsageError):
        EveryFactor(residue=2, modulus=2)
    with pytest.raises(UsageError, match="all sizes"):
        compare_range(REPETITION, lambda n, m: AxisResize(n, m), EveryPair())
    fixed = SampledAxis(4, (Fraction(1),))
    with pytest.raises(UnsupportedError, match="one size only"):
        compare_range(fixed, fixed, EveryPair())


templates = st.builds(
    AxisResize,
    n_in=st.just(1),
    n_out=st.just(1),
    kernel=st.sampled_from(["nearest", "nearest", "linear", "cubic"]),
    coordinates=st.sampled_from([mode for mode in COORDINATES if not mode.startswith("tf_crop")]),
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    exclude_outside=st.booleans(),
    antialias=st.booleans(),
)


def _size(sizes: Sizes, data: st.DataObject) -> tuple[int, int]:
    """A size of the family, mostly beyond what a proof compares."""
    n = data.draw(st.integers(1, 60))
    if isinstance(sizes, EveryPair):
        return n, data.draw(st.integers(sizes.least_output, 60))
    if isinstance(sizes, OneOutput):
        return n, 1
    if isinstance(sizes, FixedFactor):
        return sizes.pair(n)
    assert isinstance(sizes, EveryFactor)
    return n, n * data.draw(st.sampled_from(sizes.factors(41)))


@given(
    templates,
    templates,
    st.sampled_from(
        [
            EveryPair(),
            EveryPair(2),
            OneOutput(),
            EveryLength(),
            FixedFactor(Fraction(2)),
            FixedFactor(Fraction(3, 2)),
            FixedFactor(Fraction(2, 5)),
            EveryFactor(),
            EveryFactor(1, 2),
        ]
    ),
    st.data(),
)
@settings(max_examples=120, deadline=None)
def test_what_is_proved_for_all_sizes_holds_at_sizes_that_the_proof_did_not_see(
    a: AxisResize, b: AxisResize, sizes: Sizes, data: st.DataObject
) -> None:
    result = compare_range(a, b, sizes)
    n, m = _size(sizes, data)
    matrices = [
        AxisResize(
            n,
            m,
            t.kernel,
            t.coordinates,
            t.rounding,
            exclude_outside=t.exclude_outside,
            antialias=t.antialias,
        ).matrix("exact")
        for t in (a, b)
    ]
    equal = bool(np.array_equal(*matrices))
    if result.equal:
        assert equal
    elif result.equal is False:
        assert result.counterexample is not None
        assert not result.counterexample.equal
        if result.holds_from is not None and n >= result.holds_from:
            assert equal
    else:
        assert equal  # undecided is for pairs that differ nowhere nearby


@given(templates, templates)
@settings(max_examples=60, deadline=None)
def test_classes_of_factors_are_those_of_brute_force(a: AxisResize, b: AxisResize) -> None:
    a, b = (_nearest(t.coordinates, t.rounding) for t in (a, b))
    classes = equal_factors(a, b)
    if classes is None:
        assert "align_corners" in a.coordinates + b.coordinates or "offset" in a.coordinates + b.coordinates
        return
    modulus, residues = classes
    differing = {
        f % modulus
        for f in range(1, 25)
        for n in (1, 2, 5)
        if not compare(
            AxisResize(n, n * f, "nearest", a.coordinates, a.rounding),
            AxisResize(n, n * f, "nearest", b.coordinates, b.rounding),
        ).equal
    }
    assert differing == set(range(modulus)) - residues

"""The common interface of axis maps, and what comparisons of them report."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisMap, AxisResize, TensorResize, compare
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.filtered import FILTERS, IRRATIONAL_FILTERS, FilteredAxis
from rewriter.resampling.sampled import SampledAxis, WindowAxis

lengths = st.integers(1, 20)
resizes = st.builds(
    AxisResize,
    n_in=lengths,
    n_out=lengths,
    kernel=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(["half_pixel", "align_corners", "asymmetric"]),
    antialias=st.booleans(),
)
filters = st.builds(
    FilteredAxis,
    n_in=lengths,
    n_out=lengths,
    filter=st.sampled_from(sorted(FILTERS)),
    antialias=st.booleans(),
)
areas = st.builds(AreaAxis, n_in=lengths, n_out=lengths, align_corners=st.booleans())
sampled = st.builds(
    SampledAxis,
    n_in=lengths,
    coordinates=st.lists(st.fractions(-3, 20, max_denominator=8), min_size=1, max_size=12).map(tuple),
    kernel=st.sampled_from(["linear", "nearest"]),
    outside=st.sampled_from(["border", "reflection", "symmetric"]),
)
maps = st.one_of(resizes, filters, areas, sampled)


@given(maps)
@settings(max_examples=250, deadline=None)
def test_every_kind_has_the_interface(axis: AxisMap) -> None:
    assert len(axis.rows) == axis.n_out == len(axis.source_coordinates())
    assert axis.describe()
    matrix = axis.matrix()
    assert matrix.shape == (axis.n_out, axis.n_in)
    np.testing.assert_array_equal(matrix, axis.matrix("exact").astype(np.float64))
    assert axis.extrapolates == (not all(axis.rows))
    for row in axis.rows:
        assert list(row) == sorted(row)
        assert all(0 <= index < axis.n_in and weight != 0 for index, weight in row)
        assert not row or sum(weight for _, weight in row) == 1
    assert float(axis.norm) == pytest.approx(np.abs(matrix).sum(axis=1).max())
    assert axis.is_identity == (axis.n_in == axis.n_out and np.array_equal(matrix, np.eye(axis.n_in)))


@given(maps, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_a_window_is_the_map_of_a_crop(axis: AxisMap, before: int, after: int) -> None:
    window = WindowAxis(axis.n_in + before + after, before, axis)
    x = np.random.default_rng(0).normal(size=window.n_in)
    np.testing.assert_allclose(
        window.matrix() @ x, axis.matrix() @ x[before : before + axis.n_in], atol=1e-12
    )


@given(resizes, st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_a_window_beyond_the_input_pads_with_the_background(axis: AxisResize, margin: int) -> None:
    margin = min(margin, (axis.n_in - 1) // 2)
    inside = axis.n_in - 2 * margin
    window = WindowAxis(inside, -margin, axis)
    x = np.random.default_rng(1).normal(size=inside)
    padded = np.pad(x, margin, constant_values=0.25)
    result = TensorResize((window,), extrapolation_value=0.25, background=0.25).apply(x)
    np.testing.assert_allclose(result, axis.matrix() @ padded, atol=1e-12)


def test_crops_of_two_axes_and_their_background() -> None:
    """A pad to the aspect ratio: one axis padded, both resized."""
    rows = WindowAxis(3, -1, AxisResize(5, 4, "linear", "half_pixel"))
    columns = AxisResize(6, 4, "cubic", "half_pixel")
    x = np.random.default_rng(2).normal(size=(3, 6))
    padded = np.pad(x, ((1, 1), (0, 0)), constant_values=2.0)
    wanted = rows.inner.matrix() @ padded @ columns.matrix().T
    np.testing.assert_allclose(TensorResize((rows, columns), 2.0, 2.0).apply(x), wanted, atol=1e-12)


def test_the_worst_input_attains_the_bound() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        n, m = (int(v) for v in rng.integers(2, 15, size=2))
        a, b = (
            AxisResize(n, m, str(rng.choice(["linear", "cubic", "nearest"])), str(mode))
            for mode in ("align_corners", "half_pixel")
        )
        comparison = compare(a, b)
        if comparison.equal:
            assert comparison.worst_case is None
            continue
        assert comparison.worst_case is not None
        x = np.array(comparison.worst_case.input)
        assert set(comparison.worst_case.input) <= {0, 1}
        difference = np.abs(a.matrix() @ x - b.matrix() @ x)
        assert difference[comparison.worst_case.output_index] == pytest.approx(comparison.worst_case_error)
        assert difference.max() == pytest.approx(comparison.worst_case_error)


def test_the_worst_input_of_a_tensor_names_its_axis() -> None:
    same = AxisResize(4, 8, "linear", "half_pixel")
    a = TensorResize((same, AxisResize(5, 10, "linear", "align_corners")))
    b = TensorResize((same, AxisResize(5, 10, "linear", "half_pixel")))
    comparison = compare(a, b)
    assert comparison.worst_case is not None
    assert comparison.worst_case.axis == 1
    x = np.broadcast_to(np.array(comparison.worst_case.input, dtype=float), (4, 5))
    assert np.abs(a.apply(x) - b.apply(x)).max() == pytest.approx(comparison.worst_case_error)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_irrational_weights_are_marked_and_never_proved_equal(name: str) -> None:
    axis = FilteredAxis(7, 15, name)
    assert axis.exact == (name not in IRRATIONAL_FILTERS)
    # The same samples in another form: equal rows.
    scaled = FilteredAxis(7, 15, name, scale=Fraction(15, 7))
    assert axis.rows == scaled.rows
    comparison = compare(axis, scaled)
    assert comparison.equal == axis.exact
    assert comparison.decided == axis.exact
    assert compare(axis, FilteredAxis(7, 15, name)).equal
    different = compare(axis, AxisResize(7, 15, "nearest", "align_corners", "floor"))
    assert not different.equal
    assert different.decided
    assert different.certificate()["arithmetic"] == (
        "exact rational" if axis.exact else "float64 with an error bound"
    )


def test_float64_weights_are_within_their_bound() -> None:
    """Against 50 digits."""
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 50
    axis = FilteredAxis(9, 13, "lanczos3")
    for x, row in zip(axis.source_coordinates(), axis.rows, strict=True):
        weights = {}
        for index, _ in row:
            t = mpmath.pi * abs(mpmath.mpf(index) - mpmath.mpf(x.numerator) / x.denominator)
            weights[index] = 3 * mpmath.sin(t) * mpmath.sin(t / 3) / t**2 if t else mpmath.mpf(1)
        total = sum(weights.values())
        for index, weight in row:
            true = weights[index] / total
            assert abs(mpmath.mpf(weight.numerator) / weight.denominator - true) < float(axis.weight_error)


def test_extrapolation_values_and_backgrounds_count() -> None:
    crop = AxisResize(4, 4, "linear", "tf_crop_and_resize", roi=(Fraction(-1, 3), Fraction(1)))
    a, b = TensorResize((crop,), 0.0), TensorResize((crop,), 5.0)
    assert not compare(a, b).equal
    assert compare(a, b).worst_case_error == 5.0
    inside = AxisResize(4, 4, "linear", "align_corners")
    assert compare(TensorResize((inside,), 0.0), TensorResize((inside,), 5.0)).equal
    # Where only one extrapolates, the other can be anything in [0, 1].
    assert compare(a, TensorResize((inside,))).worst_case_error == 1.0
    assert compare(b, TensorResize((inside,))).worst_case_error == 5.0
    padded = WindowAxis(2, -1, AxisResize(4, 8, "linear", "half_pixel"))
    first, second = TensorResize((padded,), background=0.0), TensorResize((padded,), background=1.0)
    assert not compare(first, second).equal


@pytest.mark.parametrize(
    "make",
    [
        lambda: FilteredAxis(4, 2, "sinc"),
        lambda: FilteredAxis(4, 0),
        lambda: FilteredAxis(4, 2, scale=Fraction(0)),
        lambda: AreaAxis(0, 2),
        lambda: SampledAxis(0, (Fraction(1),)),
        lambda: SampledAxis(3, ()),
        lambda: SampledAxis(3, (Fraction(1),), kernel="cubic"),
        lambda: SampledAxis(3, (Fraction(1),), rounding="up"),
        lambda: SampledAxis(3, (Fraction(1),), outside="wrap"),
        lambda: WindowAxis(0, 0, AreaAxis(2, 2)),
    ],
)
def test_what_is_no_map_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError):
        make()

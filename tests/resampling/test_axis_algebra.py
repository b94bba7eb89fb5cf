"""Properties that hold for every resize, and the published grids."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisResize, TensorResize, compare
from rewriter.resampling.coordinates import COORDINATES
from rewriter.resampling.coreml import express, resize_bilinear, upsample_bilinear, upsample_nearest_neighbor
from rewriter.resampling.kernels import ROUNDINGS

lengths = st.integers(1, 24)
axes = st.builds(
    AxisResize,
    n_in=lengths,
    n_out=st.integers(1, 40),
    kernel=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from([mode for mode in COORDINATES if mode != "tf_crop_and_resize"]),
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    cubic_a=st.sampled_from([Fraction(-3, 4), Fraction(-1, 2)]),
    exclude_outside=st.booleans(),
    antialias=st.booleans(),
)


@given(axes)
@settings(max_examples=300, deadline=None)
def test_every_row_sums_to_one_exactly(axis: AxisResize) -> None:
    assert len(axis.rows) == axis.n_out
    for row in axis.rows:
        assert sum(weight for _, weight in row) == 1
        assert all(0 <= index < axis.n_in for index, _ in row)


@given(axes)
@settings(max_examples=100, deadline=None)
def test_matrix_is_the_dense_form_of_the_rows(axis: AxisResize) -> None:
    exact = axis.matrix("exact")
    assert exact.shape == (axis.n_out, axis.n_in)
    np.testing.assert_allclose(axis.matrix("float64"), exact.astype(np.float64), atol=0)
    assert axis.matrix("float32").dtype == np.float32


@given(axes)
@settings(max_examples=100, deadline=None)
def test_a_resize_equals_itself_and_has_no_shift(axis: AxisResize) -> None:
    comparison = compare(axis, axis)
    assert comparison.equal
    assert comparison.worst_case_error == 0
    assert comparison.shift.max == 0


@given(axes, axes)
@settings(max_examples=300, deadline=None)
def test_comparison_bounds_the_difference_of_real_outputs(a: AxisResize, b: AxisResize) -> None:
    b = AxisResize(
        a.n_in,
        a.n_out,
        b.kernel,
        b.coordinates,
        b.rounding,
        cubic_a=b.cubic_a,
        exclude_outside=b.exclude_outside,
        antialias=b.antialias,
    )
    comparison = compare(a, b)
    difference = a.matrix() - b.matrix()
    assert comparison.equal == (not difference.any())
    # The bound is attained by the input that is 1 where one row's weights grow and 0 where they shrink.
    rising = np.clip(difference, 0, None).sum(axis=1).max()
    falling = np.clip(-difference, 0, None).sum(axis=1).max()
    assert comparison.worst_case_error == pytest.approx(max(rising, falling), abs=1e-12)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
    ],
)
def test_resize_bilinear_grids_are_those_of_coremltools_own_tests(mode: str, expected: list[float]) -> None:
    np.testing.assert_allclose(resize_bilinear(2, 5, mode).matrix() @ [0, 1], expected, atol=1e-12)


def test_upsample_bilinear_grids_are_those_of_coremltools_own_tests() -> None:
    ramp = np.array([0.0, 1.0])
    np.testing.assert_allclose(upsample_bilinear(2, 3, True).matrix() @ ramp, [0, 0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_allclose(upsample_bilinear(2, 3, False).matrix() @ ramp, [0, 0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(
        upsample_bilinear(2, 3, False, half_pixel_centers=False).matrix() @ ramp, [0, 1 / 3, 2 / 3, 1, 1, 1]
    )


def test_nearest_at_integer_factors_is_repetition_in_three_spellings() -> None:
    repetition = upsample_nearest_neighbor(7, 3)
    for coordinates, rounding in (
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("half_pixel", "round_prefer_floor"),
        ("tf_half_pixel_for_nn", "floor"),
    ):
        assert compare(repetition, AxisResize(7, 21, "nearest", coordinates, rounding)).equal


@given(lengths, st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_tf_half_pixel_for_nn_has_a_modern_spelling(n: int, m: int) -> None:
    old = AxisResize(n, m, "nearest", "tf_half_pixel_for_nn", "floor")
    assert compare(old, AxisResize(n, m, "nearest", "half_pixel", "round_prefer_ceil")).equal


def test_shift_of_half_pixel_against_align_corners_is_opposite_at_the_edges() -> None:
    shift = compare(
        AxisResize(64, 128, "linear", "align_corners"), AxisResize(64, 128, "linear", "half_pixel")
    ).shift
    assert (shift.left, shift.centre, shift.right, shift.max) == (-0.25, 0.0, 0.25, 0.25)


def test_shift_of_asymmetric_against_half_pixel_is_uniform() -> None:
    shift = compare(
        AxisResize(8, 16, "linear", "half_pixel"), AxisResize(8, 16, "linear", "asymmetric")
    ).shift
    assert shift.left == shift.centre == shift.right == 0.25


@given(lengths, st.integers(1, 40), lengths, st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_align_corners_linear_is_always_native(h: int, out_h: int, w: int, out_w: int) -> None:
    resize = TensorResize(
        (
            AxisResize(1, 1),
            AxisResize(3, 3),
            AxisResize(h, out_h, "linear", "align_corners"),
            AxisResize(w, out_w, "linear", "align_corners"),
        )
    )
    expression = express(resize)
    assert expression.kind in ("native", "identity")


@given(axes, axes)
@settings(max_examples=200, deadline=None)
def test_a_native_expression_has_the_matrix_of_the_resize(a: AxisResize, b: AxisResize) -> None:
    resize = TensorResize((AxisResize(1, 1), AxisResize(2, 2), a, b))
    expression = express(resize)
    if expression.op == "resize_bilinear":
        mode = expression.parameters["sampling_mode"]
        for axis in (a, b):
            np.testing.assert_allclose(
                resize_bilinear(axis.n_in, axis.n_out, mode).matrix(), axis.matrix(), atol=0
            )
    elif expression.op == "upsample_nearest_neighbor":
        for axis in (a, b):
            np.testing.assert_array_equal(
                axis.matrix(), np.repeat(np.eye(axis.n_in), axis.n_out // axis.n_in, 0)
            )
    elif expression.kind == "gather":
        assert all(resize.axes[k].selection is not None for k in expression.axes)
    else:
        assert expression.kind in ("matmul", "identity")


def test_apply_is_one_matrix_per_axis() -> None:
    rng = np.random.default_rng(0)
    h, w = AxisResize(5, 9, "cubic", "half_pixel"), AxisResize(4, 3, "linear", "asymmetric")
    x = rng.normal(size=(2, 5, 4))
    y = TensorResize((AxisResize(2, 2), h, w)).apply(x)
    np.testing.assert_allclose(y, np.einsum("ih,jw,chw->cij", h.matrix(), w.matrix(), x), atol=1e-12)


def test_extrapolated_pixels_take_the_extrapolation_value() -> None:
    crop = AxisResize(4, 4, "linear", "tf_crop_and_resize", roi=(Fraction(-1, 3), Fraction(1)))
    resize = TensorResize((crop,), extrapolation_value=9.0)
    assert resize.extrapolates
    y = resize.apply(np.arange(4.0))
    assert y[0] == 9.0
    np.testing.assert_allclose(y[1:], [1 / 3, 5 / 3, 3], atol=1e-12)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_in": 0, "n_out": 1},
        {"n_in": 1, "n_out": 0},
        {"n_in": 2, "n_out": 4, "kernel": "lanczos"},
        {"n_in": 2, "n_out": 4, "coordinates": "centre"},
        {"n_in": 2, "n_out": 4, "rounding": "up"},
        {"n_in": 2, "n_out": 4, "scale": Fraction(0)},
    ],
)
def test_what_is_no_resize_is_refused(arguments: dict) -> None:
    with pytest.raises(UnsupportedError):
        AxisResize(**arguments)

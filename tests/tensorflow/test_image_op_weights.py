"""The formulas of weights and taps against the algebra of `rewriter.resampling`, on values known at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.errors import UnsupportedError
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.filtered import FilteredAxis
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.tensorflow import tf_resize
from rewriter.tensorflow.image_ops.expression import Expression, Operand
from rewriter.tensorflow.image_ops.nearest import nearest_indices, resize_picks_the_same
from rewriter.tensorflow.image_ops.taps import area_taps, bicubic_taps, bilinear_ends, matrix_taps
from rewriter.tensorflow.image_ops.weights import FILTER_RADIUS, area_weights, filter_weights

LENGTHS = st.integers(1, 60)
FLAGS = st.sampled_from([(False, False), (True, False), (False, True)])
FLOAT = 1


def _scalar(value, dtype=np.int64):
    return np.array(value, dtype)


@settings(max_examples=150, deadline=None)
@given(LENGTHS, LENGTHS, st.booleans())
def test_area(n, m, align_corners):
    weights = area_weights(Expression(None), _scalar(n), _scalar(m), align_corners)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, AreaAxis(n, m, align_corners).matrix(), atol=2e-5)


@settings(max_examples=200, deadline=None)
@given(LENGTHS, LENGTHS, st.sampled_from(sorted(FILTER_RADIUS)), st.booleans())
def test_filters_have_the_weights_of_the_kernel(n, m, kernel, antialias):
    scale, none = np.float32(m) / np.float32(n), _scalar(0, np.float32)
    weights = filter_weights(
        Expression(None), kernel, _scalar(n), _scalar(m), np.array(scale), none, antialias
    )
    axis = FilteredAxis(n, m, kernel, antialias=antialias)
    np.testing.assert_allclose(weights, kernel_matrix(axis, "tensorflow"), atol=3e-7)
    assert weights.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(LENGTHS, LENGTHS, st.floats(0.25, 4.0, width=32), st.floats(-5.0, 5.0, width=32))
def test_filters_with_translation(n, m, scale, translation):
    from fractions import Fraction

    weights = filter_weights(
        Expression(None),
        "triangle",
        _scalar(n),
        _scalar(m),
        _scalar(scale, np.float32),
        _scalar(translation, np.float32),
        True,
    )
    axis = FilteredAxis(n, m, "triangle", Fraction(scale), Fraction(translation), True)
    np.testing.assert_allclose(weights, kernel_matrix(axis, "tensorflow"), atol=3e-7)


def _dense(taps, n, m):
    matrix = np.zeros((m, n))
    for index, weight in taps:
        np.add.at(matrix, (np.arange(m), index), weight)
    return matrix


@settings(max_examples=150, deadline=None)
@given(LENGTHS, LENGTHS, FLAGS)
def test_bicubic_taps_are_the_kernel_bit_for_bit(n, m, flags):
    axis = tf_resize("ResizeBicubic", n, m, *flags)
    dense = _dense(bicubic_taps(Expression(None), _scalar(n), _scalar(m), *flags), n, m)
    np.testing.assert_allclose(dense, kernel_matrix(axis, "tensorflow"), atol=2e-7)


@settings(max_examples=150, deadline=None)
@given(LENGTHS, LENGTHS, FLAGS)
def test_bilinear_ends(n, m, flags):
    lower, upper, share = bilinear_ends(Expression(None), _scalar(n), _scalar(m), *flags)
    dense = _dense([(lower, 1 - share), (upper, share)], n, m)
    axis = tf_resize("ResizeBilinear", n, m, *flags)
    np.testing.assert_allclose(dense, kernel_matrix(axis, "tensorflow"), atol=2e-7)


@settings(max_examples=150, deadline=None)
@given(LENGTHS, LENGTHS, FLAGS)
def test_nearest_indices_are_those_of_the_kernel(n, m, flags):
    indices = nearest_indices(Expression(None), _scalar(n), _scalar(m), *flags)
    picked = kernel_matrix(tf_resize("ResizeNearestNeighbor", n, m, *flags), "tensorflow").argmax(axis=1)
    np.testing.assert_array_equal(indices, picked)
    assert indices.dtype == np.int64


@settings(max_examples=80, deadline=None)
@given(LENGTHS, LENGTHS, st.booleans())
def test_area_taps(n, m, align_corners):
    taps, step = area_taps(_scalar(n), _scalar(m), align_corners)
    dense = _dense(taps, n, m) / float(step)
    np.testing.assert_allclose(dense, AreaAxis(n, m, align_corners).matrix(), atol=2e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_matrix_taps_hold_the_matrix(m, n, seed):
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((m, n)) < 0.5, rng.normal(size=(m, n)), 0).astype(np.float32)
    np.testing.assert_array_equal(_dense(matrix_taps(matrix), n, m).astype(np.float32), matrix)


def test_run_time_lengths_have_no_known_taps():
    with pytest.raises(UnsupportedError, match="whole numbers"):
        matrix_taps(Operand("weights"))
    with pytest.raises(UnsupportedError, match="whole numbers"):
        area_taps(Operand("n"), _scalar(3), False)


@pytest.mark.parametrize(
    ("n", "m", "flags", "same"),
    [
        (2, 82, (False, False), False),
        (26, 44, (False, False), False),
        (4, 75, (True, False), False),
        (8, 16, (False, True), True),
        (8, 16, (True, False), True),
        (5, 15, (False, False), True),
    ],
)
def test_ties_where_resize_picks_another_pixel(n, m, flags, same):
    assert resize_picks_the_same(FLOAT, [n, 8], [m, 16], *flags) is same
    assert resize_picks_the_same(FLOAT, [-1, 8], [m, 16], *flags) is False  # an open length proves nothing
    assert resize_picks_the_same(11, [n, 8], [m, 16], *flags) is False  # double: onnxruntime has no kernel

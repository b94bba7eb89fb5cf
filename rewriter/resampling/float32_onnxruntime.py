"""onnxruntime's CPU Resize in its own arithmetic: float32 coordinates, float32 weights.

The order of operations was read in its sources (core/providers/cpu/tensor/upsample*) and is checked bit for bit
against onnxruntime 1.32 in tests/resampling/test_float32_kernels.py.
"""

from __future__ import annotations

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.coordinates import CROPPING, ONNX_COORDINATES

__all__ = ["coordinates", "onnxruntime_rows", "onnxruntime_scale"]

F = np.float32
Weights = list[tuple[int, np.float32]]
_TIE = 1e-6


def onnxruntime_scale(axis: AxisResize) -> np.float32:
    """The scale of the kernel's formula: as given, or the float32 quotient of the lengths."""
    if axis.scale is None:
        return F(axis.n_out) / F(axis.n_in)
    return F(float(axis.scale))


def coordinates(axis: AxisResize) -> np.ndarray:
    """Source coordinates as onnxruntime computes them, float32 [n_out].

    Raises:
        UnsupportedError: a coordinate mode that ONNX does not have.
    """
    if axis.coordinates not in ONNX_COORDINATES:
        raise UnsupportedError(f"onnxruntime has no coordinate mode '{axis.coordinates}'")
    scale, n, m = onnxruntime_scale(axis), F(axis.n_in), F(axis.n_out)
    i = np.arange(axis.n_out, dtype=np.float32)
    half = F(0.5)
    mode = axis.coordinates
    if mode == "asymmetric":
        return i / scale
    if mode == "pytorch_half_pixel" and axis.n_out == 1:
        return np.zeros(1, np.float32)
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (i + half) / scale - half
    if mode == "tf_half_pixel_for_nn":
        return (i + half) / scale
    if mode == "align_corners":
        return i * (n - F(1)) / (m - F(1)) if axis.n_out > 1 else np.zeros(1, np.float32)
    if mode == "half_pixel_symmetric":
        offset = (n / F(2)) * (F(1) - m / (scale * n))
        return (np.float64(offset) + (i.astype(np.float64) + 0.5) / np.float64(scale) - 0.5).astype(
            np.float32
        )
    start, end = F(float(axis.roi[0])), F(float(axis.roi[1]))
    if axis.n_out == 1:
        return np.array([0.5 * np.float64(start + end) * np.float64(n - F(1))], np.float32)
    return start * (n - F(1)) + (i * (end - start) * (n - F(1))) / (m - F(1))


def onnxruntime_rows(axis: AxisResize) -> list[Weights]:
    """Per output pixel the (input index, float32 weight) pairs; empty where it extrapolates."""
    unscaled = onnxruntime_scale(axis) == F(1)
    x = np.arange(axis.n_out, dtype=np.float32) if unscaled else coordinates(axis)
    outside = (axis.coordinates in CROPPING) & ((x < 0) | (x > F(axis.n_in - 1)))
    if axis.antialias:
        rows = [_antialiased(axis, F(value)) for value in x]
    elif axis.kernel == "nearest":
        rows = [[(_nearest(axis, F(value), unscaled), F(1))] for value in x]
    elif axis.kernel == "linear":
        rows = [_linear(axis.n_in, F(value)) for value in x]
    else:
        rows = [_cubic(axis, F(value)) for value in x]
    return [[] if beyond else row for row, beyond in zip(rows, outside, strict=True)]


def _clamped(index: int, n: int) -> int:
    return min(max(index, 0), n - 1)


def _nearest(axis: AxisResize, x: np.float32, unscaled: bool) -> int:
    if unscaled:
        return _clamped(int(x), axis.n_in)
    floor = np.floor(x)
    if axis.rounding == "floor":
        index = int(floor)
    elif axis.rounding == "ceil":
        index = int(np.ceil(x))
    elif abs(F(x - floor) - F(0.5)) < F(_TIE):
        index = int(floor) + (axis.rounding == "round_prefer_ceil")
    else:
        index = int(floor) + int(x - floor > 0.5)
    return _clamped(index, axis.n_in)


def _linear(n: int, x: np.float32) -> Weights:
    x = max(F(0), min(x, F(n - 1)))
    low = min(int(x), n - 1)
    high = min(low + 1, n - 1)
    if low == high:
        return [(low, F(0.5)), (low, F(0.5))]
    return [(low, abs(x - F(high))), (high, abs(x - F(low)))]


def _cubic(axis: AxisResize, x: np.float32) -> Weights:
    low = int(np.floor(x))
    weights = _cubic_weights(F(x - np.floor(x)), F(float(axis.cubic_a)))
    taps = range(low - 1, low + 3)
    if not axis.exclude_outside:
        return [(_clamped(tap, axis.n_in), weight) for tap, weight in zip(taps, weights, strict=True)]
    inside = [
        (tap, weight if 0 <= tap < axis.n_in else F(0)) for tap, weight in zip(taps, weights, strict=True)
    ]
    total = F(0)
    for _, weight in inside:
        total = total + weight
    # A sum of 0 gives NaN, in the kernel as well.
    with np.errstate(divide="ignore", invalid="ignore"):
        return [(_clamped(tap, axis.n_in), weight / total) for tap, weight in inside]


def _cubic_weights(s: np.float32, a: np.float32) -> list[np.float32]:
    one, two = F(1), F(2)

    def outer(x: np.float32) -> np.float32:
        return F(((a * x - F(5) * a) * x + F(8) * a) * x - F(4) * a)

    def inner(x: np.float32) -> np.float32:
        return F(((a + two) * x - (a + F(3))) * x * x + one)

    return [outer(s + one), inner(s), inner(one - s), outer(two - s)]


def _antialiased(axis: AxisResize, x: np.float32) -> Weights:
    scale = F(1) / onnxruntime_scale(axis)
    radius = F(2) if axis.kernel == "cubic" else F(1)
    support = radius * scale if scale >= 1 else radius
    squeeze = F(1) / scale if scale >= 1 else F(1)
    centre = F(0.5) + x
    first = int(np.floor(centre - support + F(0.5)))
    last = int(np.floor(centre + support + F(0.5)))
    window = int(np.ceil(support)) * 2 + 1
    last = first + min(max(last - first, 0), window)
    n = axis.n_in
    taps = range(first, last)
    if axis.exclude_outside:
        taps = range(min(max(first, 0), n), min(max(last, 0), n))
    filtered = [
        _filter(axis, F((F(step + taps[0]) - centre + F(0.5)) * squeeze)) for step in range(len(taps))
    ]
    total = F(0)
    for weight in filtered:
        total = total + weight
    # Weights beyond an edge are added to the edge pixel's own, from the outermost left, from the innermost right.
    inside = {tap: weight for tap, weight in zip(taps, filtered, strict=True) if 0 <= tap < n}
    for tap, weight in zip(taps, filtered, strict=True):
        if not 0 <= tap < n:
            index = _clamped(tap, n)
            inside[index] = inside.get(index, F(0)) + weight
    inverse = F(1) if total == 0 else F(1) / total
    return [(index, F(weight * inverse)) for index, weight in inside.items()]


def _filter(axis: AxisResize, x: np.float32) -> np.float32:
    x, a = abs(x), F(float(axis.cubic_a))
    if axis.kernel == "linear":
        return F(1) - x if x < 1 else F(0)
    if x < 1:
        return F(((a + F(2)) * x - (a + F(3))) * x * x + F(1))
    return F((((x - F(5)) * x + F(8)) * x - F(4)) * a) if x < 2 else F(0)

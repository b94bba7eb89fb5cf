"""TensorFlow's CPU resize kernels in their own arithmetic: float32 scales, coordinates and weights.

The order of operations was read in its sources (core/kernels/image, core/util/image_resizer_state.h) and is checked
bit for bit against TensorFlow 2.21 in tests/resampling/test_float32_kernels.py.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.filtered import FILTERS, FilteredAxis

__all__ = ["BICUBIC_TABLE_SIZE", "area_rows", "bicubic_table", "filtered_rows", "resize_rows"]

F = np.float32
Weights = list[tuple[int, np.float32]]
BICUBIC_TABLE_SIZE = 1024
"""ResizeBicubic looks its weights up at multiples of 1 / 1024 pixel."""
_SMALLEST = F(1000) * np.finfo(np.float32).tiny


def resize_rows(axis: AxisResize) -> list[Weights]:
    """ResizeBilinear, ResizeNearestNeighbor, ResizeBicubic and CropAndResize: (input index, weight) per output pixel.

    Raises:
        UnsupportedError: a map that none of these ops computes.
    """
    if axis.coordinates == "tf_crop_and_resize":
        return [_cropped(axis, x) for x in _box_coordinates(axis)]
    x = _coordinates(axis)
    if axis.kernel == "nearest":
        return [[(_nearest(axis, value), F(1))] for value in x]
    if axis.kernel == "linear":
        return [_linear(axis.n_in, value) for value in x]
    return [_cubic(axis, value) for value in x]


def _coordinates(axis: AxisResize) -> np.ndarray:
    """i s, or (i + 0.5) s - 0.5, with the scale s rounded to float32 first."""
    if axis.scale is not None or axis.antialias:
        raise UnsupportedError(f"TensorFlow has no kernel for '{axis.describe()}'")
    i = np.arange(axis.n_out, dtype=np.float32)
    scale = F(axis.n_in) / F(axis.n_out)
    if axis.coordinates == "align_corners":
        # One pixel on either side has no corners to align: the kernel takes the plain ratio.
        return i * (F(axis.n_in - 1) / F(axis.n_out - 1) if min(axis.n_in, axis.n_out) > 1 else scale)
    if axis.coordinates == "asymmetric":
        return i * scale
    if axis.coordinates != "half_pixel":
        raise UnsupportedError(f"TensorFlow has no kernel for '{axis.describe()}'")
    # The nearest kernel floors (i + 0.5) s where the others sample (i + 0.5) s - 0.5.
    return (i + F(0.5)) * scale - (F(0) if axis.kernel == "nearest" else F(0.5))


def _nearest(axis: AxisResize, x: np.float32) -> int:
    index = math.floor(x + 0.5) if axis.coordinates == "align_corners" else math.floor(x)
    return min(max(index, 0), axis.n_in - 1)


def _linear(n: int, x: np.float32) -> Weights:
    floor = np.floor(x)
    lower, upper = max(int(floor), 0), min(int(np.ceil(x)), n - 1)
    part = F(x - floor)
    if lower == upper:
        return [(lower, F(1))]
    return [(lower, F(1) - part), (upper, part)]


@lru_cache(maxsize=2)
def bicubic_table(a: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights at distance j / 1024 and 1 + j / 1024, float32 [1025] each; evaluated in double."""
    x = (np.arange(BICUBIC_TABLE_SIZE + 1) / BICUBIC_TABLE_SIZE).astype(np.float32).astype(np.float64)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    x = x + 1.0
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return inner.astype(np.float32), outer.astype(np.float32)


def _cubic(axis: AxisResize, x: np.float32) -> Weights:
    inner, outer = bicubic_table(float(axis.cubic_a))
    low = int(np.floor(x))
    offset = int(np.rint(F(x - np.floor(x)) * F(BICUBIC_TABLE_SIZE)))
    back = BICUBIC_TABLE_SIZE - offset
    weights = (outer[offset], inner[offset], inner[back], outer[back])
    taps = range(low - 1, low + 3)
    n = axis.n_in
    if not axis.exclude_outside:
        return [(min(max(tap, 0), n - 1), weight) for tap, weight in zip(taps, weights, strict=True)]
    inside = [
        (min(max(tap, 0), n - 1), weight if 0 <= tap < n else F(0))
        for tap, weight in zip(taps, weights, strict=True)
    ]
    total = F(F(F(inside[0][1] + inside[1][1]) + inside[2][1]) + inside[3][1])
    if abs(total) < _SMALLEST:
        return inside
    inverse = F(1) / total
    return [(index, F(weight * inverse)) for index, weight in inside]


def _box_coordinates(axis: AxisResize) -> np.ndarray:
    start, end, span = F(float(axis.roi[0])), F(float(axis.roi[1])), F(axis.n_in - 1)
    if axis.n_out == 1:
        return np.array([0.5 * np.float64(start + end) * np.float64(span)], np.float32)
    step = F(F((end - start) * span) / F(axis.n_out - 1))
    return start * span + np.arange(axis.n_out, dtype=np.float32) * step


def _cropped(axis: AxisResize, x: np.float32) -> Weights:
    if x < 0 or x > axis.n_in - 1:
        return []
    if axis.kernel == "nearest":
        return [(math.floor(float(x) + 0.5), F(1))]
    return _linear(axis.n_in, x)


def area_rows(axis: AreaAxis) -> list[Weights]:
    """ResizeArea: (input index, weight) per output pixel; the two-dimensional kernel divides once, by both steps."""
    step = F(axis.step.numerator) / F(axis.step.denominator)
    rows = []
    for i in range(axis.n_out):
        start, end = F(F(i) * step), F(F(i + 1) * step)
        weights: dict[int, np.float32] = {}
        for cell in range(math.floor(start), math.ceil(end)):
            if cell < start:
                covered = step if cell + 1 > end else F(F(cell + 1) - start)
            else:
                covered = F(end - F(cell)) if cell + 1 > end else F(1)
            index = min(cell, axis.n_in - 1)
            weights[index] = weights.get(index, F(0)) + F(covered)
        rows.append([(index, F(weight * F(1.0 / float(step)))) for index, weight in weights.items()])
    return rows


def filtered_rows(axis: FilteredAxis) -> list[Weights]:
    """ScaleAndTranslate: (input index, weight) per output pixel; empty where the centre lies outside the input."""
    scale = F(axis.n_out) / F(axis.n_in) if axis.scale is None else F(float(axis.scale))
    inverse = F(1.0 / float(scale))
    shift = F(-inverse * F(float(axis.translation)))
    stretch = max(inverse, F(1)) if axis.antialias else F(1)
    radius = F(float(FILTERS[axis.filter][0]))
    squeeze = F(1) / stretch
    rows: list[Weights] = []
    for i in range(axis.n_out):
        centre = F(F(F(i) + F(0.5)) * inverse + shift)
        if centre < 0 or centre > axis.n_in:
            rows.append([])
            continue
        first = min(max(math.ceil(F(centre - F(radius * stretch)) - F(0.5)), 0), axis.n_in - 1)
        last = min(max(math.floor(F(centre + F(radius * stretch)) - F(0.5)), 0), axis.n_in - 1)
        weights = [
            (tap, _filter(axis.filter, abs(F(F(F(tap) + F(0.5) - centre) * squeeze))))
            for tap in range(first, last + 1)
        ]
        total = F(0)
        for _, weight in weights:
            total = F(total + weight)
        if abs(total) < _SMALLEST:
            rows.append([])
            continue
        over = F(1) / total
        rows.append([(tap, F(weight * over)) for tap, weight in weights])
    return rows


def _filter(name: str, x: np.float32) -> np.float32:
    """A kernel's weight at distance x >= 0, every step in float32 (the Gaussian's exponent in double)."""
    if name.startswith("lanczos"):
        radius = F(float(name[-1]))
        pi = F(3.14159265359)
        if x > radius:
            return F(0)
        if x <= 1e-3:
            return F(1)
        return F(radius * _sin(pi * x) * _sin(pi * x / radius) / (pi * pi * x * x))
    if name == "gaussian":
        return F(math.exp(float(-x * x) / (2.0 * 0.5 * 0.5))) if x < F(1.5) else F(0)
    if name == "box":
        return F(1) if x < 0.5 else F(0.5) if x == 0.5 else F(0)
    if name == "triangle":
        return F(1) - x if x < 1 else F(0)
    if x >= 2:
        return F(0)
    if name == "keyscubic":
        if x >= 1:
            return F(((F(-0.5) * x + F(2.5)) * x - F(4)) * x + F(2))
        return F(((F(1.5) * x - F(2.5)) * x) * x + F(1))
    if x >= 1:
        return F(((F(-7) / F(18) * x + F(2)) * x - F(10) / F(3)) * x + F(16) / F(9))
    return F(((F(7) / F(6) * x - F(2)) * x) * x + F(8) / F(9))


def _sin(x: np.float32) -> np.float32:
    """The C library's float sine, which is the double one rounded; numpy's own float32 sine may be an ulp off."""
    return F(math.sin(float(x)))

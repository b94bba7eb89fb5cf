"""Weights of the input pixels for one output pixel: nearest, linear and cubic, exact.

Sources: the ONNX operator specification (Resize-11 to 19) for the three kernels and `exclude_outside`; the
antialias rule (kernel stretched by 1/scale when scale < 1, all taps in its support, then normalised) as measured
in onnxruntime and the ONNX reference implementation; R. Keys, "Cubic convolution interpolation for digital image
processing" (1981) for the cubic kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

__all__ = ["ROUNDINGS", "Row", "kernel_row", "nearest_row"]

Row = tuple[tuple[int, Fraction], ...]
"""One output pixel: (input index, weight) pairs in ascending index order, weights not zero."""

_HALF = Fraction(1, 2)


def _round_prefer_floor(x: Fraction) -> int:
    return math.ceil(x - _HALF)


def _round_prefer_ceil(x: Fraction) -> int:
    return math.floor(x + _HALF)


ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": _round_prefer_floor,
    "round_prefer_ceil": _round_prefer_ceil,
}


def nearest_row(x: Fraction, n: int, rounding: str) -> Row:
    """The one pixel that `rounding` picks at coordinate `x`, clamped into [0, n-1]."""
    return ((_clamp(ROUNDINGS[rounding](x), n), Fraction(1)),)


def kernel_row(
    x: Fraction, n: int, kernel: str, *, cubic_a: Fraction, exclude_outside: bool, stretch: Fraction
) -> Row:
    """Weights of a linear or cubic kernel centred at `x`.

    Args:
        x: source coordinate in input pixels.
        n: input length.
        kernel: ``linear`` or ``cubic``.
        cubic_a: coefficient of the cubic kernel.
        exclude_outside: drop taps outside the input and renormalise, instead of giving their weight to the
            edge pixel.
        stretch: how much wider than one pixel the kernel is (1 unless antialias and downscaling).
    """
    radius = 2 if kernel == "cubic" else 1
    if kernel == "linear" and stretch == 1:
        # Same numbers as clamping the taps, and well defined however far outside x lies.
        x = min(max(x, Fraction(0)), Fraction(n - 1))
    first = math.floor(x - radius * stretch) + 1
    last = math.ceil(x + radius * stretch) - 1
    weights: dict[int, Fraction] = {}
    for tap in range(first, last + 1):
        if exclude_outside and not 0 <= tap < n:
            continue
        weight = _weight(abs(tap - x) / stretch, kernel, cubic_a)
        index = _clamp(tap, n)
        weights[index] = weights.get(index, Fraction(0)) + weight
    total = sum(weights.values(), Fraction(0))
    if total == 0:  # only when exclude_outside left nothing: the nearest pixel is all there is
        return nearest_row(x, n, "round_prefer_floor")
    return tuple((index, weight / total) for index, weight in sorted(weights.items()) if weight != 0)


def _weight(distance: Fraction, kernel: str, a: Fraction) -> Fraction:
    if kernel == "linear":
        return 1 - distance if distance < 1 else Fraction(0)
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    if distance < 2:
        return ((distance - 5) * distance + 8) * distance * a - 4 * a
    return Fraction(0)


def _clamp(index: int, n: int) -> int:
    return min(max(index, 0), n - 1)

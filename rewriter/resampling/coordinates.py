"""Where each output pixel samples the input: one exact formula per coordinate mode.

With n the input length, m the output length, s the scale (m/n unless the node states one) and i the index of
an output pixel, each function returns the source coordinate x(i) in input pixels, before any clamping.
The first seven names are those of the ONNX operator specification (Resize); the next two occur only in Core ML
(`resize_bilinear` sampling modes ALIGN_CORNERS and OFFSET_CORNERS). The names that end in ``_fractional`` are how
onnx's reference implementation reads three modes: it takes n s, which need not be whole, for the output length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

__all__ = [
    "COORDINATES",
    "CROPPING",
    "Grid",
    "ONNX_COORDINATES",
    "float32_fraction",
    "source_coordinates",
]

_HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Grid:
    """The numbers a coordinate formula depends on: lengths n and m, scale, and roi as fractions of the axis."""

    n: int
    m: int
    scale: Fraction
    roi: tuple[Fraction, Fraction]


def _half_pixel(g: Grid, i: int) -> Fraction:
    return (i + _HALF) / g.scale - _HALF


def _half_pixel_symmetric(g: Grid, i: int) -> Fraction:
    adjustment = g.m / (g.scale * g.n)
    return Fraction(g.n, 2) * (1 - adjustment) + _half_pixel(g, i)


def _pytorch_half_pixel(g: Grid, i: int) -> Fraction:
    return _half_pixel(g, i) if g.m > 1 else Fraction(0)


def _align_corners(g: Grid, i: int) -> Fraction:
    return Fraction(i * (g.n - 1), g.m - 1) if g.m > 1 else Fraction(0)


def _asymmetric(g: Grid, i: int) -> Fraction:
    return i / g.scale


def _tf_half_pixel_for_nn(g: Grid, i: int) -> Fraction:
    return (i + _HALF) / g.scale


def _tf_crop_and_resize(g: Grid, i: int) -> Fraction:
    start, end = g.roi
    if g.m == 1:
        return (start + end) * (g.n - 1) / 2
    return start * (g.n - 1) + i * (end - start) * (g.n - 1) / (g.m - 1)


def _align_corners_centred(g: Grid, i: int) -> Fraction:
    return _align_corners(g, i) if g.m > 1 else Fraction(g.n - 1, 2)


def _offset_corners(g: Grid, i: int) -> Fraction:
    return (i + _HALF) * max(1, g.n - 1) / g.m


def _align_corners_fractional(g: Grid, i: int) -> Fraction:
    width = g.scale * g.n
    return i * (g.n - 1) / (width - 1) if width != 1 else Fraction(0)


def _tf_crop_and_resize_fractional(g: Grid, i: int) -> Fraction:
    start, end = g.roi
    width = g.scale * g.n
    step = Fraction(1, 2) if width == 1 else i / (width - 1)
    return start * (g.n - 1) + step * (end - start) * (g.n - 1)


def _pytorch_half_pixel_fractional(g: Grid, i: int) -> Fraction:
    return -_HALF if g.scale * g.n == 1 else _half_pixel(g, i)


COORDINATES: dict[str, Callable[[Grid, int], Fraction]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "tf_half_pixel_for_nn": _tf_half_pixel_for_nn,
    "tf_crop_and_resize": _tf_crop_and_resize,
    "align_corners_centred": _align_corners_centred,
    "offset_corners": _offset_corners,
    "align_corners_fractional": _align_corners_fractional,
    "tf_crop_and_resize_fractional": _tf_crop_and_resize_fractional,
    "pytorch_half_pixel_fractional": _pytorch_half_pixel_fractional,
}
ONNX_COORDINATES = tuple(COORDINATES)[:7]
CROPPING = ("tf_crop_and_resize", "tf_crop_and_resize_fractional")
"""Modes that give the extrapolation value where they sample outside the input."""


def float32_fraction(value: float | Fraction) -> Fraction:
    """The float32 that a file or a kernel holds, as a fraction; -0.75 and 0.5 are exact, 5/3 is not."""
    return Fraction(float(np.float32(float(value))))


def source_coordinates(mode: str, grid: Grid) -> list[Fraction]:
    """Source coordinates of all m output pixels, unclamped, in input pixels."""
    formula = COORDINATES[mode]
    return [formula(grid, i) for i in range(grid.m)]

"""TensorFlow's ScaleAndTranslate: wide sampling kernels with a scale and a translation, optionally antialiased.

Kernels and their radii are those of `tf.raw_ops.ScaleAndTranslate`: Lanczos (radius 1, 3, 5); a Gaussian of radius
1.5 and sigma 0.5 (K. Turkowski, "Filters for common resampling tasks"); box, triangle; Keys' cubic (1981) with
a = -1/2; Mitchell and Netravali's cubic (1988). Taps outside the input are dropped and the rest is normalised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis_map import AxisMap, check_lengths
from rewriter.resampling.kernels import Row

__all__ = ["FILTERS", "FilteredAxis", "IRRATIONAL_FILTERS"]

_HALF = Fraction(1, 2)


def _lanczos(radius: int) -> Callable[[Fraction], Fraction]:
    def weight(x: Fraction) -> Fraction:
        if x == 0:
            return Fraction(1)
        if x >= radius:
            return Fraction(0)
        angle = math.pi * float(x)
        return Fraction(radius * math.sin(angle) * math.sin(angle / radius) / (angle * angle))

    return weight


def _gaussian(x: Fraction) -> Fraction:
    return Fraction(math.exp(-2.0 * float(x) ** 2)) if x < Fraction(3, 2) else Fraction(0)


def _box(x: Fraction) -> Fraction:
    return Fraction(1) if x < _HALF else _HALF if x == _HALF else Fraction(0)


def _triangle(x: Fraction) -> Fraction:
    return max(1 - x, Fraction(0))


def _keys_cubic(x: Fraction) -> Fraction:
    if x >= 2:
        return Fraction(0)
    if x >= 1:
        return ((-x / 2 + Fraction(5, 2)) * x - 4) * x + 2
    return (x * 3 / 2 - Fraction(5, 2)) * x * x + 1


def _mitchell_cubic(x: Fraction) -> Fraction:
    if x >= 2:
        return Fraction(0)
    if x >= 1:
        return ((Fraction(-7, 18) * x + 2) * x - Fraction(10, 3)) * x + Fraction(16, 9)
    return (Fraction(7, 6) * x - 2) * x * x + Fraction(8, 9)


FILTERS: dict[str, tuple[Fraction, Callable[[Fraction], Fraction]]] = {
    "lanczos1": (Fraction(1), _lanczos(1)),
    "lanczos3": (Fraction(3), _lanczos(3)),
    "lanczos5": (Fraction(5), _lanczos(5)),
    "gaussian": (Fraction(3, 2), _gaussian),
    "box": (Fraction(1), _box),
    "triangle": (Fraction(1), _triangle),
    "keyscubic": (Fraction(2), _keys_cubic),
    "mitchellcubic": (Fraction(2), _mitchell_cubic),
}
"""Kernel type -> radius in pixels, and its weight at a distance that is not negative."""
IRRATIONAL_FILTERS = ("lanczos1", "lanczos3", "lanczos5", "gaussian")
# A few roundings of math.sin, math.exp and one division, each below 2^-52 of values up to 1; a normalised weight
# divides by a sum that is at least half of its largest term.
_FLOAT64_ERROR = Fraction(1, 2**46)


@dataclass(frozen=True)
class FilteredAxis(AxisMap):
    """One axis of ScaleAndTranslate.

    Attributes:
        n_in, n_out: lengths.
        filter: a key of `FILTERS`.
        scale: output pixels per input pixel; None means n_out / n_in.
        translation: of the output, in output pixels.
        antialias: stretch the kernel by 1 / scale when shrinking.

    The rows of irrational kernels (Lanczos, Gaussian) are float64 values: `exact` is False, and two such maps are
    proved equal only when they are the same map.

    Raises:
        UnsupportedError: no pixels, an unknown kernel, a scale that is not positive.
    """

    n_in: int
    n_out: int
    filter: str = "triangle"
    scale: Fraction | None = None
    translation: Fraction = Fraction(0)
    antialias: bool = False

    def __post_init__(self) -> None:
        check_lengths(self.n_in, self.n_out)
        if self.filter not in FILTERS:
            raise UnsupportedError(
                f"unknown kernel type '{self.filter}'", remedy=f"use one of {', '.join(FILTERS)}"
            )
        if self.scale is not None and self.scale <= 0:
            raise UnsupportedError(f"a resize scale must be positive, not {float(self.scale)}")

    @property
    def effective_scale(self) -> Fraction:
        """Output pixels per input pixel."""
        return Fraction(self.n_out, self.n_in) if self.scale is None else self.scale

    @property
    def weight_error(self) -> Fraction:
        return _FLOAT64_ERROR if self.filter in IRRATIONAL_FILTERS else Fraction(0)

    def source_coordinates(self) -> list[Fraction]:
        scale = self.effective_scale
        return [(i + _HALF - self.translation) / scale - _HALF for i in range(self.n_out)]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """As `AxisMap.rows`; a row is empty, and the output 0, where the centre of a pixel lies outside the input."""
        return tuple(self._row(x) for x in self.source_coordinates())

    def _row(self, x: Fraction) -> Row:
        if not -_HALF <= x <= self.n_in - _HALF:
            return ()
        radius, kernel = FILTERS[self.filter]
        stretch = max(1 / self.effective_scale, Fraction(1)) if self.antialias else Fraction(1)
        first = self._inside(math.ceil(x - radius * stretch))
        last = self._inside(math.floor(x + radius * stretch))
        weights = [(tap, kernel(abs(tap - x) / stretch)) for tap in range(first, last + 1)]
        total = sum((weight for _, weight in weights), Fraction(0))
        if total == 0:
            return ()
        return tuple((tap, weight / total) for tap, weight in weights if weight != 0)

    def _inside(self, tap: int) -> int:
        return min(max(tap, 0), self.n_in - 1)

    def describe(self) -> str:
        words = [self.filter]
        if self.scale is not None and self.scale * self.n_in != self.n_out:
            words.append(f"scale {float(self.scale):g}")
        if self.translation:
            words.append(f"translation {float(self.translation):g}")
        if self.antialias:
            words.append("antialias")
        return " ".join(words)

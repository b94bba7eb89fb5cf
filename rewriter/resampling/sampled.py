"""Maps that sample at given positions, and maps of a part of a longer axis."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis_map import AxisMap, check_lengths
from rewriter.resampling.kernels import ROUNDINGS, Row

__all__ = ["OUTSIDE", "SampledAxis", "WindowAxis"]

OUTSIDE = ("border", "extrapolate", "constant", "reflection", "symmetric")
"""What lies around the input: its edge pixels; nothing, and a sample there is the extrapolation value; the
background, which taps blend with; its mirror image about the edge pixels' centres; about their outer edges."""


@dataclass(frozen=True)
class SampledAxis(AxisMap):
    """Linear or nearest sampling at positions that are given one by one, in input pixels.

    Attributes:
        n_in: input length.
        coordinates: position of each output pixel.
        kernel: ``linear`` or ``nearest``.
        rounding: of ``nearest``, a key of `ROUNDINGS` or ``half_even``.
        outside: a member of `OUTSIDE`.
        words: the semantics in the words of who samples so, for `describe`.
    """

    n_in: int
    coordinates: tuple[Fraction, ...]
    kernel: str = "linear"
    rounding: str = "round_prefer_ceil"
    outside: str = "border"
    words: str = field(default="samples at given positions", compare=False)
    documented_only: bool = field(default=False, compare=False)
    assumption: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_lengths(self.n_in, self.n_out)
        if self.kernel not in ("linear", "nearest"):
            raise UnsupportedError(f"unknown sampling mode '{self.kernel}'")
        if self.rounding not in (*ROUNDINGS, "half_even"):
            raise UnsupportedError(f"unknown rounding '{self.rounding}'")
        if self.outside not in OUTSIDE:
            raise UnsupportedError(f"unknown padding '{self.outside}'")

    @property
    def n_out(self) -> int:  # type: ignore[override]
        """Output length."""
        return len(self.coordinates)

    def source_coordinates(self) -> list[Fraction]:
        return list(self.coordinates)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._row(x) for x in self.coordinates)

    def _row(self, x: Fraction) -> Row:
        if self.outside == "extrapolate" and not 0 <= x <= self.n_in - 1:
            return ()
        if self.kernel == "nearest":
            taps = {round(x) if self.rounding == "half_even" else ROUNDINGS[self.rounding](x): Fraction(1)}
        else:
            low = math.floor(x)
            taps = {low: 1 - (x - low), low + 1: x - low}
        weights: dict[int, Fraction] = {}
        for tap, weight in taps.items():
            index = self._inside(tap)
            if weight and index is not None:
                weights[index] = weights.get(index, Fraction(0)) + weight
        return tuple(sorted(weights.items()))

    def _inside(self, tap: int) -> int | None:
        """The pixel that stands for a tap; None for the background."""
        n = self.n_in
        if 0 <= tap < n:
            return tap
        if self.outside == "constant":
            return None
        if self.outside == "symmetric":
            tap %= 2 * n
            return min(tap, 2 * n - 1 - tap)
        if self.outside == "reflection" and n > 1:
            tap %= 2 * (n - 1)
            return min(tap, 2 * (n - 1) - tap)
        return min(max(tap, 0), n - 1)

    @property
    def _copies(self) -> bool:
        return self.kernel == "nearest"

    def describe(self) -> str:
        return self.words


@dataclass(frozen=True)
class WindowAxis(AxisMap):
    """Another map, of the stretch [start, start + inner.n_in) of an axis.

    A crop where the stretch lies inside; where it reaches beyond the input, a pad with the background of the tensor
    resize: taps out there carry no weight here.
    """

    n_in: int
    start: int
    inner: AxisMap

    def __post_init__(self) -> None:
        check_lengths(self.n_in, self.n_out)

    @property
    def n_out(self) -> int:  # type: ignore[override]
        """Output length."""
        return self.inner.n_out

    @property
    def weight_error(self) -> Fraction:
        return self.inner.weight_error

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(
            tuple((tap + self.start, weight) for tap, weight in row if 0 <= tap + self.start < self.n_in)
            for row in self.inner.rows
        )

    def source_coordinates(self) -> list[Fraction]:
        return [x + self.start for x in self.inner.source_coordinates()]

    def describe(self) -> str:
        end = self.start + self.inner.n_in
        verb = "crop" if self.start >= 0 and end <= self.n_in else "pad"
        return f"{verb} to [{self.start}, {end}), {self.inner.describe()}"

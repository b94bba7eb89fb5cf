"""TensorFlow's ResizeArea: every output pixel is the mean of the stretch of input that it covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rewriter.resampling.axis_map import AxisMap, check_lengths
from rewriter.resampling.kernels import Row

__all__ = ["AreaAxis"]


@dataclass(frozen=True)
class AreaAxis(AxisMap):
    """One axis of ResizeArea: output i averages the input over [i s, (i + 1) s), pixels being unit intervals.

    s is n_in / n_out, with `align_corners` (n_in - 1) / (n_out - 1); what lies beyond the last pixel counts as that
    pixel. Source: TensorFlow's documentation of `tf.raw_ops.ResizeArea`, checked against its kernel.

    Raises:
        UnsupportedError: no pixels.
    """

    n_in: int
    n_out: int
    align_corners: bool = False

    def __post_init__(self) -> None:
        check_lengths(self.n_in, self.n_out)

    @property
    def step(self) -> Fraction:
        """Input pixels that one output pixel covers."""
        if self.align_corners and self.n_out > 1 and self.n_in > 1:
            return Fraction(self.n_in - 1, self.n_out - 1)
        return Fraction(self.n_in, self.n_out)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._row(i * self.step, (i + 1) * self.step) for i in range(self.n_out))

    def _row(self, start: Fraction, end: Fraction) -> Row:
        weights: dict[int, Fraction] = {}
        for cell in range(math.floor(start), math.ceil(end)):
            covered = min(end, Fraction(cell + 1)) - max(start, Fraction(cell))
            index = min(cell, self.n_in - 1)
            weights[index] = weights.get(index, Fraction(0)) + covered / self.step
        return tuple(sorted(weights.items()))

    def source_coordinates(self) -> list[Fraction]:
        """Centres of the stretches that are averaged, as pixel indices."""
        return [(i + Fraction(1, 2)) * self.step - Fraction(1, 2) for i in range(self.n_out)]

    def describe(self) -> str:
        return "area align_corners" if self.align_corners else "area"

"""Which words are a recovered matrix: the comparison, its tolerances, and rounding ties that float32 decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.fingerprint.recovery import RecoveredAxis, RecoveredResize
from rewriter.resampling.float32 import KERNEL_LIBRARIES, kernel_matrix
from rewriter.resampling.vocabulary import Word

__all__ = ["Evidence", "Match", "TABLE_TOLERANCE", "centroids", "dense", "matches", "weight_difference"]

TABLE_TOLERANCE = 5e-3
"""TensorFlow's bicubic kernels take their weights from a table of 1,024 steps (measured: up to 4e-3)."""


@dataclass(frozen=True)
class Match:
    """A word that explains the evidence.

    Attributes:
        word: the word.
        difference: largest |recovered weight - weight of the word| over all probes.
        ties: output pixels where the coordinate lies on a decision boundary of the word and the function takes the
            other side, as float32 arithmetic may.
        tolerance: what the difference was allowed to be.
    """

    word: Word
    difference: float
    ties: int
    tolerance: float


class Evidence:
    """All probes of one function."""

    def __init__(self) -> None:
        self.probes: list[RecoveredResize] = []
        self._spatial: tuple[int, ...] | None = None

    def add(self, probe: RecoveredResize) -> None:
        self.probes.append(probe)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Axes that any probe shows to be other than a copy."""
        if self._spatial is not None:
            return self._spatial
        return tuple(
            sorted(
                {
                    axis.axis
                    for probe in self.probes
                    for axis in probe.axes
                    if not axis.is_identity(2 * probe.tolerance)
                }
            )
        )

    @property
    def weight_error(self) -> float:
        return max(probe.tolerance for probe in self.probes)

    def tolerance(self, axis: RecoveredAxis) -> float:
        """Allowed difference of a weight: the element type, and coordinates computed in float32."""
        return max(self.weight_error, 5e-5) + 8e-7 * max(axis.n_in, axis.n_out)

    def only(self, axis: int) -> Evidence:
        """What is known of one tensor axis."""
        part = Evidence()
        part.probes, part._spatial = self.probes, (axis,)
        return part

    def sample(self, axis: int | None = None) -> RecoveredAxis | None:
        """A small axis that shows many rows away from the edges, to fit numbers to; of one tensor axis or of any."""
        seen = [a for a in self.axes() if axis in (None, a.axis)]
        telling = [a for a in seen if _rows_inside(a) >= 40]
        if telling:
            return min(telling, key=lambda a: (a.n_in * a.n_out, a.n_in))
        return max(seen, key=_rows_inside, default=None)

    def axes(self) -> list[RecoveredAxis]:
        """Every axis of every probe that says something: copies are taken by a short cut in many kernels."""
        spatial = self.spatial
        return [
            axis
            for probe in self.probes
            for axis in probe.axes
            if axis.axis in spatial and not axis.is_identity(2 * probe.tolerance)
        ]


def _rows_inside(axis: RecoveredAxis) -> int:
    """Rows away from the edges; those that copy one pixel tell next to nothing about a kernel that blends."""
    positions = axis.positions
    inside = (positions > 1) & (positions < axis.n_in - 2)
    blending = inside & (np.abs(axis.matrix).max(axis=1) < 0.99)
    return int(blending.sum()) * 8 if blending.any() else int(inside.sum())


def matches(words: Iterable[Word], evidence: Evidence) -> list[Match]:
    """The words that are exactly what the evidence shows, up to float32; failing these, up to TensorFlow's table.

    Where several differ only at rounding ties, those that explain most ties.
    """
    axes = sorted(evidence.axes(), key=lambda axis: axis.n_in * axis.n_out)
    words = list(words)
    found = [match for word in words if (match := _match(word, axes, evidence, None)) is not None]
    if not found and evidence.weight_error < TABLE_TOLERANCE:
        cubic = [word for word in words if word.tabulated or _is_cubic(word)]
        found = [
            match for word in cubic if (match := _match(word, axes, evidence, TABLE_TOLERANCE)) is not None
        ]
    fewest = min((match.ties for match in found), default=0)
    return [match for match in found if match.ties == fewest]


def _is_cubic(word: Word) -> bool:
    return any(value in ("cubic", "bicubic") for _, value in word.arguments)


def _match(
    word: Word, axes: Sequence[RecoveredAxis], evidence: Evidence, tolerance: float | None
) -> Match | None:
    worst, ties, largest = 0.0, 0, 0.0
    for axis in axes:
        meant = word.axis(axis.n_in, axis.n_out, axis.axis)
        if meant is None:
            return None
        limit = evidence.tolerance(axis) if tolerance is None else tolerance
        difference = np.abs(axis.matrix - dense(meant)).max(axis=1)
        off = np.flatnonzero(difference > limit)
        if not all(_is_tie(meant, axis, int(i), limit) for i in off):
            return None
        ties += int(off.size)
        kept = np.delete(difference, off)
        worst = max(worst, float(kept.max(initial=0.0)))
        largest = max(largest, limit)
    return Match(word, worst, ties, largest)


@lru_cache(maxsize=2048)
def dense(axis: AxisMap) -> np.ndarray:
    """The matrix of a word, float64, shape [n_out, n_in]; not to be written to."""
    matrix = np.zeros((axis.n_out, axis.n_in))
    for i, row in enumerate(axis.rows):
        for j, weight in row:
            matrix[i, j] = float(weight)
    matrix.setflags(write=False)
    return matrix


def weight_difference(axis: AxisMap, recovered: RecoveredAxis) -> float:
    """Largest difference of any weight."""
    return float(np.abs(recovered.matrix - dense(axis)).max())


def centroids(axis: AxisMap) -> np.ndarray:
    """Centroid of each row's weights in input pixels; nan for a row that takes no pixel."""
    return RecoveredAxis(0, 0, dense(axis)).positions


def _is_tie(meant: AxisMap, axis: RecoveredAxis, i: int, limit: float) -> bool:
    """Whether float32 arithmetic explains that output pixel `i` differs: its coordinate is on a boundary.

    Either a known kernel does the same there, or the coordinate is so close to the boundary that another order of
    operations may. Steps that are powers of two are exact in float32: there nothing of the latter is excused.
    """
    if any(np.abs(kernel[i] - axis.matrix[i]).max() <= limit for kernel in _kernels(meant)):
        return True
    coordinates = meant.source_coordinates()
    step = coordinates[1] - coordinates[0] if len(coordinates) > 1 else Fraction(meant.n_in, meant.n_out)
    if _is_power_of_two(step):
        return False
    x = float(coordinates[i])
    slack = 1e-5 + 1e-6 * max(meant.n_in, abs(x))
    taken = np.flatnonzero(np.abs(axis.matrix[i]) > 1 - limit)
    lone = taken.size == 1 and np.abs(axis.matrix[i]).sum() <= 1 + 2 * limit
    if getattr(meant, "kernel", None) == "nearest" and lone and meant.rows[i]:
        half = 0.5 if str(getattr(meant, "rounding", "")).startswith(("round", "half")) else 0.0
        return abs(x - half - round(x - half)) <= slack and abs(int(taken[0]) - meant.rows[i][0][0]) == 1
    empty = np.abs(axis.matrix[i]).max() <= limit
    on_border = min(abs(x), abs(x - (meant.n_in - 1))) <= slack
    return on_border and ((empty and bool(meant.rows[i])) or (lone and not meant.rows[i]))


@lru_cache(maxsize=256)
def _kernels(meant: AxisMap) -> tuple[np.ndarray, ...]:
    """The map in the float32 arithmetic of each library that has a kernel for it."""
    found = []
    for library in KERNEL_LIBRARIES:
        try:
            with np.errstate(all="ignore"):  # a kernel may divide by a sum of weights that is zero
                found.append(kernel_matrix(meant, library).astype(np.float64))
        except UnsupportedError:
            continue
    return tuple(found)


def _is_power_of_two(value: Fraction) -> bool:
    numerator, denominator = abs(value.numerator), value.denominator
    return numerator > 0 and numerator & (numerator - 1) == 0 and denominator & (denominator - 1) == 0

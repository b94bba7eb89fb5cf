"""The scale and translation of a ScaleAndTranslate, from its matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.filtered import FILTERS, FilteredAxis
from rewriter.resampling.fingerprint.least_squares import fit, fit_parameters
from rewriter.resampling.fingerprint.matching import Evidence, dense
from rewriter.resampling.fingerprint.recovery import RecoveredAxis
from rewriter.resampling.vocabulary import Word, filter_words

__all__ = ["fitted_filters"]

Grid = tuple[Fraction, Fraction]
"""Scale in output pixels per input pixel, translation in output pixels."""


_MOST = 0.7
_DIPPING = ("lanczos3", "lanczos5", "keyscubic", "mitchellcubic")
"""Kernels with negative weights."""


def fitted_filters(evidence: Evidence) -> Iterator[list[Word]]:
    """ScaleAndTranslate with the grid that reproduces each axis, for every kernel that can."""
    samples = {axis: sample for axis in evidence.spatial if (sample := evidence.sample(axis)) is not None}
    words: list[Word] = []
    dips = any((axis.matrix < -1e-3).any() for axis in samples.values())
    for kernel in FILTERS:
        if dips != (kernel in _DIPPING):
            continue
        for antialias in (False, True):
            grids: dict[int, Grid] = {}
            for axis, seen in samples.items():
                found = _grid(seen, kernel, antialias, 4 * evidence.tolerance(seen))
                if found is None:
                    break
                grids[axis] = found
            if grids and len(grids) == len(samples):
                words += [
                    word
                    for word in filter_words(grids, [kernel])
                    if ("antialias", antialias) in word.arguments
                ]
    if words:
        yield words


def _grid(axis: RecoveredAxis, kernel: str, antialias: bool, tolerance: float) -> Grid | None:
    start = _first_guess(axis)
    if start is None:
        return None

    def model(parameters: np.ndarray) -> np.ndarray:
        scale = Fraction(float(np.clip(parameters[0], 1e-3, 1e3))).limit_denominator(10**7)
        translation = Fraction(float(parameters[1])).limit_denominator(10**7)
        return dense(FilteredAxis(axis.n_in, axis.n_out, kernel, scale, translation, antialias))

    rounded = _rounded(np.array(start), (2e-2,), model, axis.matrix, tolerance)
    if rounded is not None:
        return rounded
    fitted, _ = fit_parameters(model, axis.matrix, start, 1e-4)
    return _rounded(fitted, (1e-2, 1e-3, 1e-4, 1e-6), model, axis.matrix, tolerance)


def _rounded(
    found: np.ndarray,
    slacks: tuple[float, ...],
    model: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray,
    tolerance: float,
) -> Grid | None:
    """The simplest numbers near those found that still reproduce the matrix."""
    for slack in slacks:
        scale, translation = fit(float(found[0]), slack), fit(float(found[1]), 3 * slack)
        candidate = model(np.array([float(scale), float(translation)]))
        if scale > 0 and _agreement(candidate, matrix, tolerance) >= _MOST:
            return scale, translation
    return None


def _agreement(model: np.ndarray, matrix: np.ndarray, tolerance: float) -> float:
    """The share of rows that are equal; rows where float32 decides a tie do not count against a fit yet."""
    return float((np.abs(model - matrix).max(axis=1) <= tolerance).mean())


def _first_guess(axis: RecoveredAxis) -> tuple[float, float] | None:
    """Scale and translation from the median spacing of the centroids: rows at the edges are off."""
    positions = axis.positions
    seen = np.flatnonzero(~np.isnan(positions))
    if seen.size < 2:
        return None
    i, j = np.triu_indices(seen.size, 1)
    spacing = float(np.median((positions[seen[j]] - positions[seen[i]]) / (seen[j] - seen[i])))
    if spacing <= 1e-3:
        return None
    centre = float(np.median(positions[seen] - spacing * seen))
    return 1 / spacing, 0.5 - (centre + 0.5) / spacing

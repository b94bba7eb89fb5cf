"""The region of a crop-and-resize, from what its output pixels look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.fingerprint.least_squares import fit, fit_parameters
from rewriter.resampling.fingerprint.matching import Evidence, dense
from rewriter.resampling.fingerprint.recovery import RecoveredAxis
from rewriter.resampling.fingerprint.scaling import scales_of
from rewriter.resampling.vocabulary import CUBIC_COEFFICIENTS, Word, crop_words

__all__ = ["fitted_crops", "line_of"]

Roi = tuple[Fraction, Fraction]
_KERNELS = (
    ("linear", False, False),
    ("linear", False, True),
    ("linear", True, True),
    ("cubic", False, False),
    ("cubic", True, False),
    ("cubic", False, True),
    ("cubic", True, True),
)
"""Kernel, exclude_outside, antialias."""
_ROUNDINGS = ((0.5, 0.5), (0.0, 1.0), (1.0, 0.0))
"""How far below and above the pixel taken the coordinate may lie: rounded, floor, ceiling."""


def fitted_crops(evidence: Evidence) -> Iterator[list[Word]]:
    """Crops that reproduce the positions seen: for blending kernels, then for copying ones."""
    informative = {
        axis: [probe.axes[axis] for probe in evidence.probes if not probe.axes[axis].is_identity(1e-3)]
        for axis in evidence.spatial
    }
    dips = any((axis.matrix < -1e-3).any() for seen in informative.values() for axis in seen)
    blending: dict[Word, None] = {}
    for scales in (None, *itertools.islice(scales_of(evidence), 2)):
        for kernel in _KERNELS:
            # Only cubics have negative weights; a scale of its own shows in the width of antialiasing only.
            if dips == (kernel[0] == "cubic") and (scales is None or kernel[2]):
                blending.update(dict.fromkeys(_blending_words(evidence, kernel, scales)))
    yield list(blending)
    yield from _copying_words(informative)


def _blending_words(
    evidence: Evidence, kernel: tuple[str, bool, bool], scales: dict[int, Fraction] | None
) -> list[Word]:
    rois: dict[int, Roi] = {}
    coefficient: Fraction | None = None
    for axis in evidence.spatial:
        sample = evidence.sample(axis)
        found = (
            None if sample is None else _blending(sample, *kernel, None if scales is None else scales[axis])
        )
        if found is None:
            return []
        rois[axis], coefficient = found
    words = crop_words(rois, CUBIC_COEFFICIENTS if coefficient is None else [coefficient], scales)
    return [word for word in words if not _copies(word)]


def _copying_words(informative: dict[int, list[RecoveredAxis]]) -> Iterator[list[Word]]:
    """Crops that copy pixels; regions with few decimals first, for every rounding."""
    regions = [{axis: _copying(seen, reach) for axis, seen in informative.items()} for reach in _ROUNDINGS]
    possible = [region for region in regions if region and all(region.values())]
    for digits in range(max((len(r) for region in possible for r in region.values()), default=0)):
        words: dict[Word, None] = {}
        for region in possible:
            rois = {axis: choices[min(digits, len(choices) - 1)] for axis, choices in region.items()}
            words.update(dict.fromkeys(word for word in crop_words(rois) if _copies(word)))
        yield list(words)


def _copies(word: Word) -> bool:
    return ("mode", "nearest") in word.arguments or ("method", "nearest") in word.arguments


def line_of(axis: RecoveredAxis) -> tuple[float, float] | None:
    """First and last position of a straight line through the centroids; None where nothing is seen."""
    positions = axis.positions
    seen = np.flatnonzero(~np.isnan(positions))
    if seen.size == 0:
        return None
    if seen.size == 1:
        return float(positions[seen[0]]), float(positions[seen[0]])
    slope, start = np.polyfit(seen, positions[seen], 1)
    return float(start), float(start + slope * (axis.n_out - 1))


def _blending(
    axis: RecoveredAxis, kernel: str, exclude_outside: bool, antialias: bool, scale: Fraction | None
) -> tuple[Roi, Fraction | None] | None:
    """The region, and the coefficient of a cubic."""
    line = line_of(axis)
    if line is None or axis.n_in == 1:
        return None
    last = axis.n_in - 1
    cubic = kernel == "cubic"

    def model(parameters: np.ndarray) -> np.ndarray:
        start, end = (Fraction(float(value) / last).limit_denominator(10**8) for value in parameters[:2])
        return dense(
            AxisResize(
                axis.n_in,
                axis.n_out,
                kernel,
                "tf_crop_and_resize",
                scale=scale,
                cubic_a=Fraction(float(parameters[2])).limit_denominator(10**7) if cubic else Fraction(0),
                exclude_outside=exclude_outside,
                antialias=antialias,
                roi=(start, end),
            )
        )

    guess = np.array([*line, -0.6] if cubic else line)
    if (cubic or antialias) and axis.n_out > 1:
        guess, _ = fit_parameters(model, axis.matrix, guess.tolist(), 1e-4)
    region = fit(float(guess[0]) / last, 3e-5 / last), fit(float(guess[1]) / last, 3e-5 / last)
    return region, fit(float(guess[2]), 2e-4) if cubic else None


def _copying(axes: list[RecoveredAxis], reach: tuple[float, float]) -> list[Roi]:
    """Regions that explain which pixel every output pixel copies: the middle of all that do, and a round one."""
    polygon = np.array([(-2.0, -2.0), (3.0, -2.0), (3.0, 3.0), (-2.0, 3.0)])
    below, above = reach
    for axis in axes:
        if axis.n_in == 1:
            continue
        if np.abs(axis.matrix.max(axis=1) - axis.matrix.sum(axis=1)).max() > 1e-3:
            return []
        last = axis.n_in - 1
        for i, position in enumerate(axis.positions):
            if np.isnan(position):
                continue
            t = i / (axis.n_out - 1) if axis.n_out > 1 else 0.5
            weights = np.array([1 - t, t]) * last
            slack = 1e-5 * last
            polygon = _clipped(polygon, weights, position + above + slack)
            polygon = _clipped(polygon, -weights, -(position - below) + slack)
            if len(polygon) == 0:
                return []
    middle = polygon.mean(axis=0)
    rois = [(Fraction(float(middle[0])), Fraction(float(middle[1])))]
    for digits in (4, 3, 2, 1):
        rounded = np.round(middle, digits)
        rois.append((Fraction(float(np.float32(rounded[0]))), Fraction(float(np.float32(rounded[1])))))
    return rois[::-1]


def _clipped(polygon: np.ndarray, normal: np.ndarray, limit: float) -> np.ndarray:
    """The part of a convex polygon where normal · p <= limit (Sutherland and Hodgman)."""
    result: list[np.ndarray] = []
    for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        a, b = float(normal @ here) - limit, float(normal @ there) - limit
        if a <= 0:
            result.append(here)
        if (a < 0 < b) or (b < 0 < a):
            result.append(here + (there - here) * a / (a - b))
    return np.array(result)

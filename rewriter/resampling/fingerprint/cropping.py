"""The region of a crop-and-resize, from what its output pixels look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.fingerprint.matching import Evidence, dense
from rewriter.resampling.fingerprint.recovery import RecoveredAxis
from rewriter.resampling.vocabulary import Word, onnx_crops

__all__ = ["crop_words", "line_of"]

Roi = tuple[Fraction, Fraction]
_ROUNDINGS = {"round_prefer_floor": (0.5, 0.5), "floor": (0.0, 1.0), "ceil": (1.0, 0.0)}
"""Rounding → how far below and above the pixel taken the coordinate may lie."""


def crop_words(evidence: Evidence) -> Iterator[list[Word]]:
    """Crops that reproduce the positions seen: for blending kernels, then for copying ones."""
    for kernel in ("linear", "cubic", *_ROUNDINGS):
        per_axis: dict[int, list[Roi]] = {}
        for axis in evidence.spatial:
            seen = [probe.axes[axis] for probe in evidence.probes]
            informative = [a for a in seen if not a.is_identity(1e-3)]
            found = (
                [_blending(max(informative, key=lambda a: a.n_in * a.n_out), kernel)]
                if kernel in ("linear", "cubic")
                else _copying(informative, _ROUNDINGS[kernel])
            )
            per_axis[axis] = [roi for roi in found if roi is not None]
        if not per_axis or not all(per_axis.values()):
            continue
        for choice in itertools.islice(itertools.product(*per_axis.values()), 16):
            yield onnx_crops(dict(zip(per_axis, choice, strict=True)))


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


def _blending(axis: RecoveredAxis, kernel: str) -> Roi | None:
    from rewriter.resampling.fingerprint.fitting import fit, fit_parameters

    line = line_of(axis)
    if line is None or axis.n_in == 1:
        return None
    last = axis.n_in - 1

    def model(ends: np.ndarray) -> np.ndarray:
        roi = tuple(Fraction(float(end) / last).limit_denominator(10**8) for end in ends)
        return dense(AxisResize(axis.n_in, axis.n_out, kernel, "tf_crop_and_resize", roi=(roi[0], roi[1])))

    ends = np.array(line)
    if kernel == "cubic" and axis.n_out > 1:
        ends, _ = fit_parameters(model, axis.matrix, line, 1e-4)
    start, end = (float(value) / last for value in ends)
    return fit(start, 3e-5 / last), fit(end, 3e-5 / last)


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

"""How far a candidate's output is from the reference's; max|d| / range decides, the others stand beside it.

On wrong resize modes, cosine, PSNR and IoU let many mistakes pass that max|d| / range catches, because a shift of a
fraction of a pixel changes few values by much. Whole numbers and truth values (class maps, indices) have no distance
that means anything: the share of positions that differ decides there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rewriter.verification.result import OutputResult

__all__ = [
    "TOLERANCES",
    "Distance",
    "compare_outputs",
    "constant_over_cases",
    "distance",
    "mark_uninformative",
]

TOLERANCES = {"float32": 1e-4, "float16": 1e-2}
"""Default bound on max|d| / range by the lower compute precision of the two sides."""

_FAILED = float("inf")
_CONSTANT = 1e-6
"""Spread relative to magnitude below which an output is rounding noise around a constant."""


@dataclass(frozen=True)
class Distance:
    """How far one set of outputs is from another, for searching: ordered by `average`.

    Attributes:
        largest: max|d| / range, the largest over all outputs; infinite where they cannot be compared.
        average: root mean square of d / range, the largest over all outputs. A step in the right direction nearly
            always lowers it, which cannot be said of the largest difference.
    """

    largest: float
    average: float

    def __lt__(self, other: Distance) -> bool:
        return self.average < other.average


def distance(expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> Distance:
    """The distance of two sets of outputs of the same names."""
    parts = [_distance(array, got[name]) for name, array in expected.items()]
    return Distance(
        max((part.largest for part in parts), default=0.0), max((part.average for part in parts), default=0.0)
    )


def _distance(expected: np.ndarray, got: np.ndarray) -> Distance:
    if expected.shape != got.shape:
        return Distance(_FAILED, _FAILED)
    if expected.dtype.kind in "biu":
        share = float(np.mean(expected != got)) if expected.size else 0.0
        return Distance(share, share)
    a, b = expected.astype(np.float64), got.astype(np.float64)
    special = ~np.isfinite(a) | ~np.isfinite(b)
    if special.any() and not np.array_equal(a[special], b[special], equal_nan=True):
        return Distance(_FAILED, _FAILED)
    scale, _ = _scale(a[~special])
    difference = np.abs(a[~special] - b[~special]) / scale
    if not difference.size:
        return Distance(0.0, 0.0)
    return Distance(float(difference.max()), float(np.sqrt(np.mean(difference**2))))


def compare_outputs(
    name: str,
    reference: np.ndarray,
    candidate: np.ndarray,
    *,
    tolerance: float,
    atol: float | None = None,
) -> OutputResult:
    """Compare one output of one case.

    Rules for what is not a number: NaN equals NaN and infinity equals infinity of the same sign, at the same place;
    any other difference there fails. A reference without any range (constant) proves nothing and is marked so.

    Args:
        name: the reference's name of the output.
        reference, candidate: arrays of the same shape and layout.
        tolerance: bound on max|d| / range; for whole numbers and truth values on the share that differs.
        atol: absolute bound on max|d| that is enough to pass on its own.
    """
    shape = tuple(int(length) for length in reference.shape)
    note: str | None
    if reference.shape != candidate.shape:
        note = f"shape {list(candidate.shape)} instead of {list(shape)}"
        return OutputResult(name, shape, _FAILED, _FAILED, 0.0, 0.0, tolerance, False, note=note)
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    special = ~np.isfinite(a) | ~np.isfinite(b)
    if special.any() and not np.array_equal(a[special], b[special], equal_nan=True):
        differs = special & ~((a == b) | (np.isnan(a) & np.isnan(b)))
        note = f"NaN or infinity differs at {int(differs.sum())} places"
        return OutputResult(name, shape, _FAILED, _FAILED, 0.0, 0.0, tolerance, False, note=note)
    scale, informative = _scale(a[~special])
    a, b = np.where(special, 0.0, a), np.where(special, 0.0, b)
    difference = np.abs(a - b)
    max_abs = float(difference.max(initial=0.0))
    max_rel = max_abs / scale if max_abs > 0 else 0.0
    note = None if informative else "the reference's output is constant: this case proves nothing"
    if reference.dtype.kind in "biu":
        max_rel = float(np.mean(difference > 0)) if difference.size else 0.0
        note = note or "whole numbers: the share of positions that differ decides"
    return OutputResult(
        name=name,
        shape=shape,
        max_abs=max_abs,
        max_rel=max_rel,
        psnr=_psnr(difference, scale),
        cosine=_cosine(a, b),
        tolerance=tolerance,
        passed=max_rel <= tolerance or (atol is not None and max_abs <= atol),
        argmax_agreement=_argmax_agreement(a, b),
        mask_iou=_mask_iou(a, b),
        note=note,
        informative=informative,
    )


def constant_over_cases(arrays: list[np.ndarray]) -> bool:
    """Whether an output is the same whatever goes in, apart from rounding: nothing that differs could be seen."""
    first = arrays[0]
    if len(arrays) < 2 or any(array.shape != first.shape for array in arrays):
        return False
    a = first.astype(np.float64)
    scale, _ = _scale(a[np.isfinite(a)])
    return all(
        np.allclose(array.astype(np.float64), a, rtol=0, atol=_CONSTANT * scale, equal_nan=True)
        for array in arrays[1:]
    )


def mark_uninformative(result: OutputResult, note: str) -> OutputResult:
    """The same result, which proves nothing."""
    return replace(result, informative=False, note=result.note or note)


def _scale(finite: np.ndarray) -> tuple[float, bool]:
    """(range of the values, or their magnitude where they have no range; whether they have one)."""
    if not finite.size:
        return 1.0, False
    spread, magnitude = float(finite.max() - finite.min()), float(np.abs(finite).max())
    informative = spread > _CONSTANT * max(1e-30, magnitude)
    return (spread if informative else max(magnitude, 1e-30)), informative


def _psnr(difference: np.ndarray, scale: float) -> float:
    mean_square = float(np.mean(difference**2)) if difference.size else 0.0
    return float("inf") if mean_square == 0 else float(10 * np.log10(scale**2 / mean_square))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.clip(np.vdot(a, b) / norms, -1.0, 1.0))


def _is_map(a: np.ndarray) -> bool:
    """Whether the last axis can be classes over positions: rank 4, few channels."""
    return a.ndim == 4 and 2 <= a.shape[-1] <= 256 and a.shape[1] > 1 and a.shape[2] > 1


def _argmax_agreement(a: np.ndarray, b: np.ndarray) -> float | None:
    if a.size == 0 or a.ndim < 2 or a.shape[-1] < 2:
        return None
    return float(np.mean(a.argmax(axis=-1) == b.argmax(axis=-1)))


def _mask_iou(a: np.ndarray, b: np.ndarray) -> float | None:
    """Mean IoU between the two runs' class maps, over the classes that either run has."""
    if a.size == 0 or not _is_map(a):
        return None
    first, second = a.argmax(axis=-1), b.argmax(axis=-1)
    scores = []
    for label in np.union1d(first, second):
        union = np.logical_or(first == label, second == label).sum()
        scores.append(np.logical_and(first == label, second == label).sum() / union)
    return float(np.mean(scores))

"""How far a candidate's output is from the reference's; max|d| / range decides, the others stand beside it.

On wrong resize modes, cosine, PSNR and IoU let many mistakes pass that max|d| / range catches, because a shift of a
fraction of a pixel changes few values by much.
"""

from __future__ import annotations

import numpy as np

from rewriter.verification.result import OutputResult

__all__ = ["TOLERANCES", "compare_outputs"]

TOLERANCES = {"float32": 1e-4, "float16": 1e-2}
"""Default bound on max|d| / range by the candidate's compute precision."""

_FAILED = float("inf")


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
        tolerance: bound on max|d| / range.
        atol: absolute bound on max|d| that is enough to pass on its own.
    """
    shape = tuple(int(length) for length in reference.shape)
    if reference.shape != candidate.shape:
        note = f"shape {list(candidate.shape)} instead of {list(shape)}"
        return OutputResult(name, shape, _FAILED, _FAILED, 0.0, 0.0, tolerance, False, note=note)
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    special = ~np.isfinite(a) | ~np.isfinite(b)
    if special.any() and not np.array_equal(a[special], b[special], equal_nan=True):
        count = int((~np.isclose(a, b, rtol=0, atol=np.inf, equal_nan=True) & special).sum()) or int(
            special.sum()
        )
        note = f"NaN or infinity differs at {count} places"
        return OutputResult(name, shape, _FAILED, _FAILED, 0.0, 0.0, tolerance, False, note=note)
    a, b = np.where(special, 0.0, a), np.where(special, 0.0, b)
    difference = np.abs(a - b)
    max_abs = float(difference.max(initial=0.0))
    spread = float(a.max() - a.min()) if a.size else 0.0
    informative = spread > 1e-6 * max(1e-30, float(np.abs(a).max(initial=0.0)))
    scale = spread if informative else max(float(np.abs(a).max(initial=0.0)), 1e-30)
    max_rel = max_abs / scale if max_abs > 0 else 0.0
    passed = max_rel <= tolerance or (atol is not None and max_abs <= atol)
    return OutputResult(
        name=name,
        shape=shape,
        max_abs=max_abs,
        max_rel=max_rel,
        psnr=_psnr(difference, scale),
        cosine=_cosine(a, b),
        tolerance=tolerance,
        passed=passed,
        argmax_agreement=_argmax_agreement(a, b),
        mask_iou=_mask_iou(a, b),
        note=None if informative else "the reference's output is constant: this case proves nothing",
        informative=informative,
    )


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
    if a.ndim < 2 or a.shape[-1] < 2:
        return None
    return float(np.mean(a.argmax(axis=-1) == b.argmax(axis=-1)))


def _mask_iou(a: np.ndarray, b: np.ndarray) -> float | None:
    """Mean IoU between the two runs' class maps, over the classes that either run has."""
    if not _is_map(a):
        return None
    first, second = a.argmax(axis=-1), b.argmax(axis=-1)
    scores = []
    for label in np.union1d(first, second):
        union = np.logical_or(first == label, second == label).sum()
        scores.append(np.logical_and(first == label, second == label).sum() / union)
    return float(np.mean(scores))

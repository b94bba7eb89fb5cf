"""Least squares for the few free numbers of a word, and the simplest number near one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

__all__ = ["fit", "fit_parameters"]


def fit_parameters(
    model: Callable[[np.ndarray], np.ndarray], target: np.ndarray, start: Sequence[float], step: float
) -> tuple[np.ndarray, float]:
    """Least squares by Gauss and Newton with numeric derivatives.

    Args:
        model: parameters → matrix of the shape of `target`.
        target: what the model has to reproduce.
        start: first guess.
        step: of the numeric derivative.

    Returns:
        The parameters and the largest difference that is left.
    """
    best = np.array(start, dtype=np.float64)
    residual = target - model(best)
    for _ in range(6):
        columns = []
        for k in range(len(best)):
            shifted = best.copy()
            shifted[k] += step
            columns.append((model(shifted) - (target - residual)).ravel() / step)
        jacobian = np.stack(columns, axis=1)
        change = np.linalg.lstsq(jacobian, residual.ravel(), rcond=None)[0]
        candidate = best + np.clip(change, -1.0, 1.0)
        left = target - model(candidate)
        if np.square(left).sum() >= np.square(residual).sum():
            break
        best, residual = candidate, left
        if np.abs(change).max() < 1e-9:
            break
    return best, float(np.abs(residual).max())


def fit(value: float, slack: float) -> Fraction:
    """The simplest number within `slack` of `value`: few decimals, else a small denominator, else float32."""
    for digits in range(1, 8):
        rounded = round(value, digits)
        if abs(rounded - value) <= slack:
            return Fraction(float(np.float32(rounded)))
    return Fraction(float(np.float32(value)))

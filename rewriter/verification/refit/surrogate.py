"""Which untried choice explains the reference best, judged from the runs made so far.

The output of a network as a function of the choice made at each resize is close to a sum of one effect per resize,
and less so the more of them change. Kriging says this in formulas: outputs are a Gaussian process over choices whose
covariance is a product with one factor per resize, 1 where two choices agree and less where they differ, the less
the larger the effect of that resize was. Its mean at an untried choice is then an additive model with interactions,
its variance says how far that can be trusted, and an untried choice is as likely as the difference between its
predicted output and the reference allows.

Formulas: ordinary kriging, e.g. Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 2.2
and 5.4.2 (the leave-one-out errors, from which the scale of the variance is taken).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

__all__ = ["Choice", "Surrogate"]

Choice = tuple[int, ...]
"""For each resize the index of its option; 0 is what it computes now."""

_JITTER = 1e-9
_LEAST_CORRELATION = 0.05
_SMALLEST = 1e-12
_STEPS = 8
_CLIMBS_FROM = 2


class Surrogate:
    """A model of what untried choices would give.

    Args:
        observed: choice → output minus reference [positions].
        effects: for each resize the mean square effect of changing it.
        options: for each resize the number of its options.
    """

    def __init__(
        self, observed: Mapping[Choice, np.ndarray], effects: Sequence[float], options: Sequence[int]
    ) -> None:
        self._observed, self._options = observed, options
        self._points = np.array(list(observed))
        differences = np.stack(list(observed.values()))
        self._gram = differences @ differences.T
        spread = max(float(np.sum(effects)), float(self._gram.diagonal().min()), _SMALLEST)
        falling = 1 - np.asarray(effects, np.float64) / (2 * spread)
        self._correlation = np.clip(falling, _LEAST_CORRELATION, 1 - 1e-7)
        covariance = self._covariance(self._points) + _JITTER * np.eye(len(self._points))
        self._inverse = np.linalg.inv(covariance)
        self._sums = self._inverse.sum(axis=1)
        self._total = float(self._sums.sum())
        self._variance = self._leave_one_out()

    def propose(self, starts: Iterable[Choice]) -> Choice | None:
        """The likeliest untried choice: the best of the starts and of what surrounds the best runs, climbed from.

        Args:
            starts: choices to begin at.
        """
        pool = set(starts)
        ranked = sorted(zip(self._gram.diagonal(), self._observed, strict=True))
        for _, choice in ranked[:_CLIMBS_FROM]:
            pool.update(self._surroundings(choice))
        seen: dict[Choice, float] = {}
        top: Choice | None = None
        for _ in range(_STEPS):
            fresh = sorted(choice for choice in pool if choice not in seen and choice not in self._observed)
            if not fresh:
                break
            seen.update(zip(fresh, self._unlikeliness(np.array(fresh)), strict=True))
            best = min(seen, key=lambda choice: seen[choice])
            if best == top:
                break
            top = best
            pool = set(self._surroundings(best))
        return top

    def _covariance(self, points: np.ndarray) -> np.ndarray:
        result = np.ones((len(points), len(self._points)))
        for index, correlation in enumerate(self._correlation):
            result *= np.where(points[:, index, None] == self._points[:, index], 1.0, correlation)
        return result

    def _leave_one_out(self) -> float:
        """The scale of the variance that the runs themselves show: each is predicted from all others."""
        if len(self._points) < 2:
            return max(float(self._gram.max()), _SMALLEST)
        residual = self._inverse - np.outer(self._sums, self._sums) / self._total
        squares = np.einsum("ij,ij->i", residual @ self._gram, residual)
        return max(float(np.mean(squares / np.maximum(residual.diagonal(), _SMALLEST))), _SMALLEST)

    def _unlikeliness(self, points: np.ndarray) -> np.ndarray:
        """Minus the log-likelihood of the reference at each choice, up to constants."""
        covariance = self._covariance(points)
        plain = covariance @ self._inverse
        rest = 1 - covariance @ self._sums
        weights = plain + np.outer(rest / self._total, self._sums)
        squares = np.einsum("ij,ij->i", weights @ self._gram, weights)
        variance = 1 - np.einsum("ij,ij->i", plain, covariance) + rest**2 / self._total
        variance = np.maximum(variance, _JITTER) * self._variance
        return squares / variance + np.log(variance)

    def _surroundings(self, choice: Choice) -> Iterator[Choice]:
        """All choices that differ at one or two resizes."""
        steps = [
            (index, option)
            for index, count in enumerate(self._options)
            for option in range(count)
            if option != choice[index]
        ]
        for position, (index, option) in enumerate(steps):
            one = (*choice[:index], option, *choice[index + 1 :])
            yield one
            for other, second in steps[position + 1 :]:
                if other != index:
                    yield (*one[:other], second, *one[other + 1 :])

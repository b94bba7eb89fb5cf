"""Nearest resizes by a whole factor: equal for every length and every factor of a class?

With i = f a + r, 0 <= r < f, the coordinate of every ONNX grid but align_corners is a + (α r + β) / f + γ. The pixel
is a + s(r), where s(r) >= k holds from some r = T_k(f) on, and T_k is, on each residue class of f, an affine function
of f clamped to [0, f]. Two resizes are equal for all lengths and factors exactly when all their T_k are the same; on
a class that is decided by their values up to the last place where the clamping changes, and two more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.formulas import coordinate, nearest_rule

__all__ = ["equal_factors"]

_POINTS = range(1, 10)


@dataclass(frozen=True)
class _Phases:
    """Coordinate of output f a + r: a + (alpha r + beta) / f + gamma, then `direction` of it."""

    alpha: Fraction
    beta: Fraction
    gamma: Fraction
    direction: str

    def threshold(self, k: int, f: int) -> int:
        """How many of the phases 0 <= r < f take a pixel below a + k, before clamping to [0, f]."""
        if self.direction == "floor":
            return math.ceil(((k - self.gamma) * f - self.beta) / self.alpha)
        return math.floor(((k - 1 - self.gamma) * f - self.beta) / self.alpha) + 1

    def slope(self, k: int) -> Fraction:
        """Growth of the threshold with f."""
        return (k - (self.direction == "ceil") - self.gamma) / self.alpha


def equal_factors(a: AxisResize, b: AxisResize) -> tuple[int, frozenset[int]] | None:
    """The classes of whole factors f at which two nearest resizes are equal for every length and every f.

    Returns:
        (modulus, residues): equal for every f with f % modulus in residues, different for some f of every other
        class. None where a grid has no such phases (align_corners).
    """
    first, second = _phases(a), _phases(b)
    if first is None or second is None:
        return None
    reach = 3 + math.ceil(max(abs(p.alpha) + abs(p.beta) + abs(p.gamma) for p in (first, second)))
    levels = range(-reach, reach + 1)
    modulus = math.lcm(*(p.slope(k).denominator for p in (first, second) for k in levels))
    equal = frozenset(
        residue
        for residue in range(modulus)
        if all(_same_thresholds(first, second, k, residue, modulus) for k in levels)
    )
    return modulus, equal


def _phases(axis: AxisResize) -> _Phases | None:
    """The phases of a grid, proved: x(f a + r) f is a polynomial, and 9 values of each variable decide it."""
    if axis.kernel != "nearest" or axis.scale is not None:
        return None

    def scaled(i: int, n: int, f: int) -> Fraction:
        return coordinate(axis, i, n, n * f) * f

    # x f = alpha r + beta + gamma f at a = 0; the three constants from three points.
    alpha = scaled(1, 2, 2) - scaled(0, 2, 2)
    gamma = scaled(0, 2, 3) - scaled(0, 2, 2)
    beta = scaled(0, 2, 2) - 2 * gamma
    for f in _POINTS:
        for n in range(2, 11):
            for a in (0, 1, 2):
                for r in (0, 1, 2):
                    if scaled(f * a + r, n, f) != a * f + alpha * r + beta + gamma * f:
                        return None
    if alpha <= 0:
        return None
    direction, offset = nearest_rule(axis)
    return _Phases(alpha, beta, gamma + offset, direction)


def _same_thresholds(a: _Phases, b: _Phases, k: int, residue: int, modulus: int) -> bool:
    """Whether the clamped thresholds at level k agree for every f >= 1 of a residue class."""
    first = residue if residue > 0 else modulus
    last = max(_last_change(phases, k, first, modulus) for phases in (a, b))
    for t in range(last + 3):
        f = first + modulus * t
        if _clamped(a.threshold(k, f), f) != _clamped(b.threshold(k, f), f):
            return False
    return True


def _last_change(phases: _Phases, k: int, first: int, modulus: int) -> int:
    """From this t on, threshold(first + modulus t) does not cross 0 or f any more."""
    start = phases.threshold(k, first)
    growth = phases.slope(k) * modulus
    last = 0
    for gap, rate in ((start, growth), (start - first, growth - modulus)):
        if rate != 0:
            last = max(last, math.ceil(-gap / rate))
    return last


def _clamped(threshold: int, f: int) -> int:
    return min(max(threshold, 0), f)

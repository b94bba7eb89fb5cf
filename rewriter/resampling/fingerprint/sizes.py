"""Which input sizes to try next: those at which the words that are left differ most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache

from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.fingerprint.matching import Evidence
from rewriter.resampling.kernels import Row
from rewriter.resampling.vocabulary import Word

__all__ = ["LARGE", "LengthRule", "distinguishing_lengths", "groups_at", "proposals"]

LARGE = 64
"""Lengths beyond this cost exact arithmetic time and tell words apart no better; smaller ones are tried first."""

_SMALL = tuple((n, m) for n in (1, 2, 3, 4, 5, 8, 9) for m in (1, 2, 3, 4, 5, 7, 8, 11, 16) if n != m)
_WHOLE = tuple((n, n * factor) for n in (1, 2, 3, 5, 6) for factor in (2, 3, 4))


class LengthRule:
    """How a function's output length follows from its input length, as far as the probes tell."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        self.pairs = list(dict.fromkeys(pairs))

    @property
    def _one_factor(self) -> bool:
        """Whether floor(length * factor) with one factor gives all lengths seen."""
        return max(Fraction(m, n) for n, m in self.pairs) < min(Fraction(m + 1, n) for n, m in self.pairs)

    @property
    def fixed(self) -> bool:
        """Whether several input lengths gave one output length, which no factor explains."""
        return len(self.pairs) > 1 and len({m for _, m in self.pairs}) == 1 and not self._one_factor

    @property
    def scaled(self) -> bool:
        """Whether output lengths follow the input's, but not by the same ratio: a factor was rounded down."""
        return len({Fraction(m, n) for n, m in self.pairs}) > 1 and self._one_factor

    @property
    def ratio(self) -> Fraction | None:
        """The factor, where it is the same at several lengths (or the only one seen is whole)."""
        ratios = {Fraction(m, n) for n, m in self.pairs}
        if len(ratios) != 1 or (len(self.pairs) == 1 and self.pairs[0][1] % self.pairs[0][0]):
            return None
        return next(iter(ratios))

    def output(self, n: int) -> int:
        """The output length expected for input length `n`."""
        last_n, last_m = self.pairs[-1]
        return last_m if self.fixed else max(1, n * last_m // last_n)


def proposals(evidence: Evidence) -> list[dict[int, int]]:
    """Input lengths by spatial axis, for shapes that were not tried yet; most useful ones first."""
    spatial = evidence.spatial
    if not spatial:
        return []
    base = evidence.probes[0]
    tried = {tuple(probe.input_shape[axis] for axis in spatial) for probe in evidence.probes}
    result = []
    for change in range(12):
        lengths = {}
        for place, axis in enumerate(spatial):
            options = _lengths(base.input_shape[axis], base.output_shape[base.axes[axis].output_axis])
            lengths[axis] = options[(change + place) % len(options)]
        key = tuple(lengths[axis] for axis in spatial)
        if key not in tried:
            tried.add(key)
            result.append(lengths)
    return result


def _lengths(n: int, m: int) -> list[int]:
    """Lengths around those seen: coprime ones, halves and doubles of the output (exact ties), one pixel."""
    if n > LARGE:
        return [17, 23, 5, 8, 32, 12, 3, 1, 2, 40, 11, 29]
    around = [n + 3, 2 * m, max(1, m // 2), n + 1, 5, 8, 4 * m, 12, 3, 1, 2, m + 1]
    return [min(length, 2 * LARGE) for length in around]


def groups_at(words: Iterable[Word], n: int, m: int, axis: int) -> dict[tuple[Row, ...] | None, list[Word]]:
    """Words by what they mean at these lengths; None for those that mean nothing there."""
    groups: dict[tuple[Row, ...] | None, list[Word]] = {}
    for word in words:
        meant = word.axis(n, m, axis)
        groups.setdefault(None if meant is None else _rows(meant), []).append(word)
    return groups


@lru_cache(maxsize=4096)
def _rows(axis: AxisMap) -> tuple[Row, ...]:
    """The rows of a map; many words build equal maps."""
    return axis.rows


def distinguishing_lengths(
    words: Sequence[Word], rules: dict[int, LengthRule], anywhere: bool
) -> tuple[int, int] | None:
    """(n, m) at which the words do not all mean the same; None where they agree at every length that is tried.

    With `anywhere`, all lengths count; else only those that fit what the function does with lengths.
    """
    axis, rule = next(iter(rules.items()))
    if anywhere:
        pairs: list[tuple[int, int]] = [*_SMALL, *_WHOLE]
    elif rule.ratio is not None:
        pairs = [(n, int(n * rule.ratio)) for n in range(1, 25) if (n * rule.ratio).denominator == 1]
    elif rule.fixed:
        m = rule.output(1)
        pairs = [(n, m) for n in dict.fromkeys((1, 2, 3, 4, 5, 7, 8, 11, 12, 13, m, 2 * m)) if n <= 4 * LARGE]
    else:
        pairs = list(rule.pairs)
    for n, m in pairs:
        meanings = [key for key in groups_at(words, n, m, axis) if key is not None]
        if len(meanings) > 1:
            return n, m
    return None

"""The fingerprint of a function: probe, match, choose sizes that tell the remaining words apart, repeat."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from rewriter.errors import InputError
from rewriter.resampling.fingerprint.calling import Function, NotAResizeError, Prober, RefusedError
from rewriter.resampling.fingerprint.cropping import line_of
from rewriter.resampling.fingerprint.fitting import fitted_words, scaled_words
from rewriter.resampling.fingerprint.matching import Evidence, Match, centroids, matches, weight_difference
from rewriter.resampling.fingerprint.recovery import RecoveredResize, recover
from rewriter.resampling.fingerprint.result import Fingerprint, Nearest
from rewriter.resampling.fingerprint.sizes import (
    LengthRule,
    distinguishing_lengths,
    groups_at,
    proposals,
)
from rewriter.resampling.proof import ShiftProfile
from rewriter.resampling.vocabulary import Word, vocabulary

__all__ = ["fingerprint"]

_CONFIRMATIONS = 2
_LONGER = 97
_CHANNELS = 4
"""An axis of no more entries than this, which cannot be probed at another length, is taken for channels."""


def fingerprint(
    function: Function, shape: Sequence[int], *, dtype: Any = np.float32, sizes: int = 6, seed: int = 0
) -> Fingerprint:
    """Find out which resize a function computes, from its answers alone.

    Args:
        function: takes an array, gives an array (or anything that numpy can read as one).
        shape: an input shape that it takes. Other lengths of the resized axes are tried; where it refuses them,
            this shape has to do.
        dtype: element type to feed.
        sizes: how many input shapes to probe at most.
        seed: of the random images that test linearity and separability.

    Raises:
        InputError: the function fails at `shape`, or the element type is not a number.
    """
    return _Identification(function, tuple(shape), np.dtype(dtype), seed).run(sizes)


class _Identification:
    def __init__(self, function: Function, shape: tuple[int, ...], dtype: np.dtype, seed: int) -> None:
        self.function, self.shape, self.dtype, self.seed = function, shape, dtype, seed
        self.evidence = Evidence()
        self.found: list[Match] = []
        self.candidates: list[Word] = vocabulary(len(shape))
        self.fitted: list[Word] = []
        self.calls = 0

    def run(self, sizes: int) -> Fingerprint:
        try:
            self._probe(self.shape)
        except RefusedError as error:
            raise InputError(f"the function fails on shape {list(self.shape)}: {error}") from error
        except NotAResizeError as error:
            return self._result("not_a_resize", reason=str(error))
        if not self.evidence.spatial:
            self._look_for_a_resized_axis()
        try:
            self._try_another_size()
            self._match()
            self._distinguish(sizes)
            self._refine_crop()
        except NotAResizeError as error:
            return self._result("not_a_resize", reason=str(error))
        return self._conclusion()

    def _probe(self, shape: tuple[int, ...]) -> RecoveredResize:
        prober = Prober(self.function, shape, self.dtype)
        try:
            probe = recover(prober, self.seed)
        finally:
            self.calls += prober.calls
        self.evidence.add(probe)
        return probe

    def _tried(self, lengths: dict[int, int]) -> bool:
        """Probe the first shape with other lengths; False where the function does not take them."""
        shape = tuple(lengths.get(axis, length) for axis, length in enumerate(self.shape))
        try:
            self._probe(shape)
        except RefusedError:
            return False
        return True

    def _look_for_a_resized_axis(self) -> None:
        """A copy at one size may be a resize at another: to a fixed size, for one."""
        for axis in range(1, len(self.shape)):
            with contextlib.suppress(NotAResizeError):
                self._tried({axis: self.shape[axis] + 3})

    def _try_another_size(self) -> None:
        """Probe a second size before anything is matched: a small one, and it tells whether lengths are fixed."""
        for lengths in proposals(self.evidence)[:2]:
            if self._tried(lengths):
                return

    def _match(self) -> None:
        if not self.evidence.axes():
            self.found = []
            return
        self.found = matches(self.candidates, self.evidence)
        if self.found and not any(rule.scaled for rule in self._rules().values()):
            return
        if self.found:
            # Lengths follow a factor that is not output / input: words that use that factor compete.
            scaled = (matches(words, self.evidence) for words in scaled_words(self.evidence))
            self.found += next((found for found in scaled if found), [])
            fewest = min(match.ties for match in self.found)
            self.found = [match for match in self.found if match.ties == fewest]
            return
        self.found = matches(self.fitted, self.evidence)
        if self.found:
            return
        kept = self._kept_length()
        if kept is not None:
            raise NotAResizeError(f"it mixes or reorders the entries of axis {kept}, and keeps its length")
        for words in fitted_words(self.evidence):
            self.found = matches(words, self.evidence)
            if self.found:
                self.fitted = [match.word for match in self.found]
                return

    def _distinguish(self, sizes: int) -> None:
        refused = 0
        while self.evidence.spatial and len(self.evidence.probes) < sizes and refused < 3:
            options = proposals(self.evidence)
            if not options:
                return
            split = [(self._groups(lengths), lengths) for lengths in options]
            most = max(count for count, _ in split)
            if most <= 1 and len(self.evidence.probes) > _CONFIRMATIONS:
                return
            lengths = next(lengths for count, lengths in split if count == most)
            if not self._tried(lengths):
                refused += 1
                if not self._tried_one_axis(lengths):
                    return
                continue
            self._match()

    def _refine_crop(self) -> None:
        """Probe a longer input where pixels are copied from a fitted region: it narrows the region, and with it the
        rounding, which half a pixel of region makes up for at one length only."""
        if not self.found or self.found[0].word not in self.fitted:
            return
        if any("nearest" in match.word.text and match.word.op != "ScaleAndTranslate" for match in self.found):
            longer = {axis: _LONGER + 4 * place for place, axis in enumerate(self.evidence.spatial)}
            if self._tried(longer):
                self.fitted = []
                self._match()

    def _tried_one_axis(self, lengths: dict[int, int]) -> bool:
        """Some functions take other lengths of one axis only, or no smaller ones; False where they take none."""
        base = self.shape
        for changed in ({axis: base[axis] + 2 for axis in lengths}, *({a: n} for a, n in lengths.items())):
            if self._tried(changed):
                self._match()
                return True
        return False

    def _groups(self, lengths: dict[int, int]) -> int:
        """How many different meanings the remaining words have at these lengths, at most over the axes."""
        words = [match.word for match in self.found]
        rules = self._rules()
        return max(
            len([key for key in groups_at(words, n, rules[axis].output(n), axis) if key is not None])
            for axis, n in lengths.items()
        )

    def _rules(self) -> dict[int, LengthRule]:
        return {
            axis: LengthRule([(p.axes[axis].n_in, p.axes[axis].n_out) for p in self.evidence.probes])
            for axis in self.evidence.spatial
        }

    def _conclusion(self) -> Fingerprint:
        if not self.evidence.spatial:
            return self._result("identity", reason=self._extras())
        if self.found:
            words = [match.word for match in self.found]
            untold = distinguishing_lengths(words, self._rules(), anywhere=True)
            here = untold is None or distinguishing_lengths(words, self._rules(), anywhere=False) is None
            return self._result(
                "resize", matches=tuple(self.found), reason=self._extras(), untold=untold, same_here=here
            )
        return self._result("unnamed", reason=self._extras(), nearest=self._nearest())

    def _extras(self) -> str:
        first = self.evidence.probes[0]
        parts = []
        if abs(first.gain - 1) > 16 * first.tolerance:
            parts.append(f"values are multiplied by {first.gain:.6g}")
        if first.offset:
            parts.append(f"{first.offset:.6g} is added")
        order = [axis.output_axis for axis in first.axes]
        if order != sorted(order):
            parts.append(f"axes come out in the order {[order.index(k) for k in range(len(order))]}")
        return ", ".join(parts)

    def _kept_length(self) -> int | None:
        """An axis that keeps every length probed and is no copy: channels that are mixed, or a filter."""
        for axis in self.evidence.spatial:
            seen = [probe.axes[axis] for probe in self.evidence.probes]
            lengths = {a.n_in for a in seen}
            if all(a.n_in == a.n_out for a in seen) and (len(lengths) > 1 or max(lengths) <= _CHANNELS):
                return axis
        return None

    def _nearest(self, most: int = 3) -> tuple[Nearest, ...]:
        axes = self.evidence.axes()[:4]
        scored: list[tuple[float, Word]] = []
        candidates = [
            *vocabulary(len(self.shape)),
            *(word for words in fitted_words(self.evidence) for word in words),
        ]
        for word in candidates:
            meant = [word.axis(axis.n_in, axis.n_out, axis.axis) for axis in axes]
            if any(m is None for m in meant):
                continue
            scored.append(
                (
                    max(weight_difference(m, a) for m, a in zip(meant, axes, strict=True) if m is not None),
                    word,
                )
            )
        scored.sort(key=lambda entry: entry[0])
        nearest: list[Nearest] = []
        seen: list[float] = []
        for difference, word in scored:
            if len(nearest) == most:
                break
            if any(abs(difference - other) < 1e-9 for other in seen):
                continue
            seen.append(difference)
            shift = max((_shift(word, axis) for axis in axes), key=lambda shift: shift.max)
            nearest.append(Nearest(f"{word.framework} {word.text}", difference, shift))
        return tuple(nearest)

    def _result(self, kind: Any, **known: Any) -> Fingerprint:
        probes = self.evidence.probes
        grid = {}
        for axis in self.evidence.spatial:
            seen = probes[0].axes[axis]
            line = line_of(seen)
            if line is not None:
                spacing = (line[1] - line[0]) / (seen.n_out - 1) if seen.n_out > 1 else 0.0
                grid[axis] = (line[0], spacing)
        extra: dict[str, Any] = {}
        if probes:
            extra = {
                "gain": probes[0].gain,
                "offset": probes[0].offset,
                "extrapolation": next((p.extrapolation for p in probes if p.extrapolation is not None), None),
            }
        return Fingerprint(
            kind=kind,
            spatial=self.evidence.spatial,
            probes=tuple((probe.input_shape, probe.output_shape) for probe in probes),
            grid=grid,
            dtype=str(self.dtype),
            calls=self.calls,
            **extra,
            **known,
        )


def _shift(word: Word, axis: Any) -> ShiftProfile:
    """Where the function looks, against where the word does, from the centroids of the weights."""
    meant = word.axis(axis.n_in, axis.n_out, axis.axis)
    assert meant is not None
    shifts = np.nan_to_num(axis.positions - centroids(meant))
    m = len(shifts)
    return ShiftProfile(
        left=float(shifts[0]),
        centre=float(shifts[(m - 1) // 2] + shifts[m // 2]) / 2,
        right=float(shifts[-1]),
        max=float(np.abs(shifts).max()),
    )

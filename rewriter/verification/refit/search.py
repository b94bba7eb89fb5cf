"""The search for the choices that explain a difference.

First what is suggested (provenance, the reference's own resizes) and all resizes alike. Then rounds: from the best
choices so far every resize is changed alone, which measures its effect on the outputs; the combinations whose effects
add up to the difference are tried, the likeliest first, and each run corrects the estimate of all others. Twelve
resizes take about 60 runs instead of 3^12. A wider reach of choices is opened only when no combination helps.

What is not needed for the match is dropped again, so every change left is evidence; and around the answer every
resize is changed alone once more, so that it is known which of them the outputs determine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from rewriter.verification.metrics import Distance, distance
from rewriter.verification.refit.additive import additive_choices
from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.images import Images
from rewriter.verification.refit.options import Options
from rewriter.verification.refit.surrogate import Choice, Surrogate
from rewriter.verification.refit.suspects import REACHES, Reach, Spelling, Suspect
from rewriter.verification.runners import Arrays

__all__ = ["Explanation", "Observe", "is_told_apart", "search"]

Observe = Callable[[Assignment], Arrays]

_NOISE = 0.1
"""A fit whose error is below this share of the tolerance is noise: nothing better needs to be looked for."""

_TRIES = 8
"""Combinations tried before effects are measured anew around the best of them."""

_PATIENCE = 2
"""Rounds without progress before more choices are opened."""

_PROGRESS = 0.9
_CLEARLY = 3.0
_ROUNDING = 1e-7
_CORRECTIONS = 3


@dataclass(frozen=True)
class Explanation:
    """The changes that bring the candidate closest to the reference.

    Attributes:
        changes: index of the suspect → the spelling that it should have.
        before, after: distance to the reference without and with the changes.
        fits: whether the changed candidate is within the tolerance.
        complete: whether everything was tried, or time or runs were up.
        runs: how many choices were run.
        rivals: suspect → other spellings (None: as it is) → distance when only that is changed in the answer.
        effects: suspect → the largest change of outputs (root mean square over the range) that any of its other
            spellings made anywhere in the search.
    """

    changes: dict[int, Spelling]
    before: Distance
    after: Distance
    fits: bool
    complete: bool
    runs: int = 0
    rivals: dict[int, dict[Spelling | None, Distance]] = field(default_factory=dict)
    effects: dict[int, float] = field(default_factory=dict)


def is_told_apart(rival: Distance, best: Distance) -> bool:
    """Whether a choice is clearly worse than the best one: more than noise, and a multiple of the best's error."""
    return rival.average > max(_ROUNDING, _CLEARLY * best.average)


def search(
    suspects: Sequence[Suspect],
    case: str,
    observe: Observe,
    expected: Arrays,
    *,
    tolerance: float,
    suggestions: Iterable[Assignment] = (),
    reach: Reach = "any",
    frozen: Iterable[int] = (),
    max_runs: int | None = None,
    seconds: float = 120.0,
    settle: bool = False,
) -> Explanation:
    """Find the changes that explain the difference in one case.

    Args:
        suspects: the candidate's resizes.
        case: which lengths count.
        observe: the candidate's outputs under an assignment, by the reference's names and in its layout.
        expected: the reference's outputs.
        tolerance: bound on the largest difference.
        suggestions: assignments to try first.
        reach: how far from what each resize computes now to look.
        frozen: indices of suspects that stay as they are.
        max_runs: how many choices may be run.
        seconds: when to stop looking for something better.
        settle: whether to try every usual alternative around the answer, so that `rivals` is complete.
    """
    options = Options(suspects, case, frozenset(frozen))
    deadline = time.monotonic() + seconds
    run = _Search(options, observe, expected, tolerance, max_runs, deadline)
    return run.explanation(list(suggestions), REACHES[: REACHES.index(reach) + 1], settle)


class _Search:
    def __init__(
        self,
        options: Options,
        observe: Observe,
        expected: Arrays,
        tolerance: float,
        max_runs: int | None,
        deadline: float,
    ) -> None:
        self._options, self._raw, self._expected = options, observe, expected
        self._tolerance, self._max_runs, self._deadline = tolerance, max_runs, deadline
        self._images = Images(expected)
        self._distances: dict[Choice, Distance] = {}
        self._differences: dict[Choice, np.ndarray] = {}
        self._expanded: set[Choice] = set()
        self._effects: dict[int, list[float]] = {}
        self._present: Choice = (0,) * len(options)
        self._best = self._present
        self._observe(self._present)

    def explanation(
        self, suggestions: list[Assignment], reaches: Sequence[Reach], settle: bool
    ) -> Explanation:
        self._options.open("coordinates")
        self._try_all(self._options.choice_of(suggestion) for suggestion in suggestions)
        self._try_all(self._options.uniform())
        for reach in reaches:
            self._options.open(reach)
            self._rounds()
            if self._fits or self._is_over:
                break
        complete = not self._is_over
        if settle and self._fits:
            self._settle()
        rivals = self._rivals()
        after = self._prune()
        return Explanation(
            changes=self._options.assignment(self._best),
            before=self._distances[self._present],
            after=after,
            fits=after.largest <= self._tolerance,
            complete=complete,
            runs=len(self._distances),
            rivals=rivals,
            effects={index: float(np.sqrt(max(sizes))) for index, sizes in self._effects.items()},
        )

    @property
    def _distance(self) -> Distance:
        return self._distances[self._best]

    @property
    def _fits(self) -> bool:
        return self._distance.largest <= self._tolerance

    @property
    def _is_noise(self) -> bool:
        return self._distance.largest <= _NOISE * self._tolerance

    @property
    def _is_over(self) -> bool:
        return self._runs_left <= 0 or time.monotonic() > self._deadline

    @property
    def _runs_left(self) -> float:
        return float("inf") if self._max_runs is None else self._max_runs - len(self._distances)

    @property
    def _runs_to_prune(self) -> int:
        """Changes that may have to be dropped one by one, and all together."""
        return sum(map(bool, self._best)) + 1

    @property
    def _is_done(self) -> bool:
        return self._is_noise or self._is_over

    def _try_all(self, choices: Iterable[Choice]) -> None:
        for choice in choices:
            if self._is_done:
                return
            self._observe(choice)

    def _rounds(self) -> None:
        stalled = 0
        while stalled < _PATIENCE and not self._is_done:
            before = self._distance
            base = self._next_base()
            if base is None:
                return
            self._expand(base)
            if self._fits and self._best in self._expanded:
                return  # no single change improves it, though it is not exact: noise of the reference
            self._combine(base)
            progress = self._distance.average < _PROGRESS * before.average
            stalled = 0 if progress else stalled + 1

    def _next_base(self) -> Choice | None:
        """The best choice around which not everything that is open was tried."""
        ranked = sorted(self._differences, key=lambda choice: (self._distances[choice].average, choice))
        return next((choice for choice in ranked if any(self._untried(choice))), None)

    def _untried(self, base: Choice) -> Iterator[Choice]:
        return (single for single in self._options.singles(base) if single not in self._distances)

    def _expand(self, base: Choice) -> None:
        """Change every resize alone."""
        for single in self._options.singles(base):
            if self._is_done:
                return
            self._observe(single)
            self._note_effect(base, single)
        self._expanded.add(base)

    def _note_effect(self, base: Choice, single: Choice) -> None:
        if base not in self._differences or single not in self._differences:
            return
        change = self._differences[single] - self._differences[base]
        self._effects.setdefault(_changed(base, single), []).append(float(change @ change))

    def _combine(self, base: Choice) -> None:
        """Try what the effects around a base make likely."""
        if base not in self._differences:
            return
        own = self._differences[base]
        effects = {}
        for single in self._options.singles(base):
            if single in self._differences:
                index = _changed(base, single)
                effects[index, single[index]] = self._differences[single] - own
        starts = additive_choices(base, own, effects)
        sizes = [float(np.mean(self._effects.get(index, [0.0]))) for index in range(len(self._options))]
        for _ in range(_TRIES):
            if self._is_done:
                return
            likely = Surrogate(self._differences, sizes, self._options.counts).propose(starts)
            if likely is None:
                return
            self._observe(likely)

    def _settle(self) -> None:
        """Change every resize alone around the answer; where that improves it, around the better one."""
        for _ in range(_CORRECTIONS):
            best = self._best
            for single in self._unsure_first(best):
                if self._runs_left <= self._runs_to_prune:
                    return
                self._observe(single)
                self._note_effect(best, single)
            if self._best == best:
                return

    def _unsure_first(self, best: Choice) -> list[Choice]:
        """Usual single changes: coordinates before roundings, and small effects first, as the others are surer."""

        def order(single: Choice) -> tuple[bool, float]:
            index = _changed(best, single)
            is_far = not self._options.is_near(index, single[index])
            return is_far, max(self._effects.get(index, [0.0]))

        return sorted(self._options.singles(best, usual=True), key=order)

    def _rivals(self) -> dict[int, dict[Spelling | None, Distance]]:
        rivals: dict[int, dict[Spelling | None, Distance]] = {}
        for single in self._options.singles(self._best):
            if single in self._distances:
                index = _changed(self._best, single)
                spelling = self._options.spelling(index, single[index])
                rivals.setdefault(index, {})[spelling] = self._distances[single]
        return rivals

    def _prune(self) -> Distance:
        """Drop changes without which the fit is as good: nothing depends on them, so they are no evidence."""
        reached = self._distance
        needless = []
        for index, option in enumerate(self._best):
            if option and not self._is_needed(_without(self._best, [index]), reached):
                needless.append(index)
        together = _without(self._best, needless)
        if needless and not self._is_needed(together, reached):
            self._best = together
        else:
            for index in needless:
                fewer = _without(self._best, [index])
                if not self._is_needed(fewer, reached):
                    self._best = fewer
        return self._distance

    def _is_needed(self, fewer: Choice, reached: Distance) -> bool:
        """Whether what `fewer` lacks is needed to come as close as `reached`."""
        if fewer not in self._distances and self._runs_left <= 0:
            return True
        rest = self._observe(fewer, keep_best=True)
        if reached.largest <= self._tolerance:
            return rest.largest > self._tolerance or is_told_apart(rest, reached)
        return reached < rest

    def _observe(self, choice: Choice, *, keep_best: bool = False) -> Distance:
        if choice not in self._distances:
            outputs = self._raw(self._options.assignment(choice))
            outputs = {name: outputs[name] for name in self._expected}
            self._distances[choice] = distance(self._expected, outputs)
            difference = self._images.difference(outputs)
            if difference is not None:
                self._differences[choice] = difference
        if not keep_best and self._distances[choice] < self._distance:
            self._best = choice
        return self._distances[choice]


def _changed(base: Choice, single: Choice) -> int:
    """The one resize at which two choices differ."""
    return next(index for index, (a, b) in enumerate(zip(base, single, strict=True)) if a != b)


def _without(choice: Choice, indices: Sequence[int]) -> Choice:
    return tuple(0 if index in indices else option for index, option in enumerate(choice))

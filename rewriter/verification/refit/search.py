"""The search for the changes that explain a difference.

First what is suggested (provenance, the reference's own resizes), then every single change of coordinate mode, then
all resizes at once, then every single change of kernel, then one node after the other (coordinate descent). What is
not needed for the match is dropped again, so every change left is evidence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rewriter.verification.metrics import Distance
from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.suspects import Spelling, Suspect

__all__ = ["Explanation", "Measure", "search"]

Measure = Callable[[Assignment], Distance]

_NOISE = 0.1
"""A fit whose error is below this share of the tolerance is noise: nothing better needs to be looked for."""

_ROUNDS = 3


@dataclass(frozen=True)
class Explanation:
    """The changes that bring the candidate closest to the reference.

    Attributes:
        changes: index of the suspect → the spelling that it should have.
        before, after: distance to the reference without and with the changes.
        fits: whether the changed candidate is within the tolerance.
        complete: whether everything was tried, or the time was up.
    """

    changes: dict[int, Spelling]
    before: Distance
    after: Distance
    fits: bool
    complete: bool


def search(
    suspects: list[Suspect],
    case: str,
    measure: Measure,
    *,
    tolerance: float,
    suggestions: Iterable[Assignment] = (),
    seconds: float = 120.0,
) -> Explanation:
    """Find the changes that explain the difference in one case.

    Args:
        suspects: the candidate's resizes.
        case: which lengths count.
        measure: distance to the reference under an assignment.
        tolerance: bound on the largest difference.
        suggestions: assignments to try first.
        seconds: when to stop looking for something better.
    """
    run = _Search(suspects, case, measure, tolerance, time.monotonic() + seconds)
    return run.explanation(list(suggestions))


class _Search:
    def __init__(
        self, suspects: list[Suspect], case: str, measure: Measure, tolerance: float, deadline: float
    ) -> None:
        self._suspects, self._case, self._tolerance = suspects, case, tolerance
        self._measure_raw, self._deadline = measure, deadline
        self._known: dict[tuple[tuple[int, Spelling], ...], Distance] = {}
        self._before = self._measure({})
        self._best: dict[int, Spelling] = {}
        self._distance = self._before

    def explanation(self, suggestions: list[Assignment]) -> Explanation:
        stages: list[Iterator[Assignment]] = [
            iter(suggestions),
            self._singles(same_mode=True),
            self._uniform(same_mode=True),
            self._singles(same_mode=False),
            self._uniform(same_mode=False),
            self._descent(same_mode=True),
            self._descent(same_mode=False),
        ]
        for stage in stages:
            for assignment in stage:
                self._try(assignment)
                if self._is_noise or self._late:
                    break
            if self._fits or self._late:
                break
        self._prune()
        return Explanation(
            dict(sorted(self._best.items())), self._before, self._distance, self._fits, not self._late
        )

    @property
    def _fits(self) -> bool:
        return bool(self._best) and self._distance.largest <= self._tolerance

    @property
    def _is_noise(self) -> bool:
        return bool(self._best) and self._distance.largest <= _NOISE * self._tolerance

    @property
    def _late(self) -> bool:
        return time.monotonic() > self._deadline

    def _alternatives(self, index: int, *, same_mode: bool) -> list[Spelling]:
        return self._suspects[index].alternatives(self._case, same_mode=same_mode)

    def _singles(self, *, same_mode: bool) -> Iterator[Assignment]:
        # Rank by rank: the likeliest meaning of every node before the second likeliest of any.
        lists = [self._alternatives(index, same_mode=same_mode) for index in range(len(self._suspects))]
        for rank in range(max(map(len, lists), default=0)):
            for index, spellings in enumerate(lists):
                if rank < len(spellings):
                    yield {index: spellings[rank]}

    def _uniform(self, *, same_mode: bool) -> Iterator[Assignment]:
        lists = [self._alternatives(index, same_mode=same_mode) for index in range(len(self._suspects))]
        for spelling in dict.fromkeys(s for spellings in lists for s in spellings):
            chosen = {index: spelling for index, spellings in enumerate(lists) if spelling in spellings}
            if len(chosen) > 1:
                yield chosen

    def _descent(self, *, same_mode: bool) -> Iterator[Assignment]:
        for _ in range(_ROUNDS):
            before = self._distance
            for index in range(len(self._suspects)):
                others = {key: value for key, value in self._best.items() if key != index}
                yield others
                for spelling in self._alternatives(index, same_mode=same_mode):
                    yield {**others, index: spelling}
            if not self._distance < before:
                return

    def _prune(self) -> None:
        """Drop changes without which the fit is as good: nothing depends on them, so they are no evidence."""
        for index in list(self._best):
            fewer = {key: value for key, value in self._best.items() if key != index}
            distance = self._measure(fewer)
            still_fits = bool(fewer) and distance.largest <= self._bar
            if still_fits or not self._distance < distance:
                self._best, self._distance = fewer, distance

    @property
    def _bar(self) -> float:
        """What a smaller set of changes has to reach to count as fitting as well."""
        return max(_NOISE * self._tolerance, self._distance.largest) if self._fits else -1.0

    def _try(self, assignment: Assignment) -> None:
        distance = self._measure(assignment)
        if distance < self._distance:
            self._best, self._distance = dict(assignment), distance

    def _measure(self, assignment: Assignment) -> Distance:
        key = tuple(sorted(assignment.items(), key=lambda item: item[0]))
        if key not in self._known:
            self._known[key] = self._measure_raw(assignment)
        return self._known[key]

"""Which resizes explain a difference? Found by changing suspects until the candidate matches the reference.

First what provenance says, then every single change, then all resizes of one kind at once, then one node after the
other (coordinate descent). What is not needed for the match is dropped again, so every change left is evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from rewriter.verification.suspects import Spelling, Suspect

__all__ = ["Explanation", "refit"]

Error = Callable[[onnx.ModelProto], float]
Assignment = dict[int, Spelling]

_GOOD_ENOUGH = 0.1
"""A fit whose error is this share of the tolerance is noise: nothing better needs to be looked for."""

_ROUNDS = 3


@dataclass(frozen=True)
class Explanation:
    """The changes that bring the candidate closest to the reference.

    Attributes:
        changes: suspect and the spelling that it should have, in graph order.
        before, after: max|d| / range without and with the changes.
        proven: whether the changed candidate passes.
    """

    changes: list[tuple[Suspect, Spelling]]
    before: float
    after: float
    proven: bool


def refit(model: onnx.ModelProto, suspects: list[Suspect], error: Error, tolerance: float) -> Explanation:
    """Search for the changes that explain the difference.

    Args:
        model: the working copy whose nodes the suspects hold; left as it came.
        suspects: all its resizes.
        error: max|d| / range of a model against the reference.
        tolerance: what passes.
    """
    return _Search(model, suspects, error, tolerance).explanation()


class _Search:
    def __init__(
        self, model: onnx.ModelProto, suspects: list[Suspect], error: Error, tolerance: float
    ) -> None:
        self._model, self._suspects, self._measure, self._tolerance = model, suspects, error, tolerance
        self._known: dict[tuple[tuple[int, Spelling], ...], float] = {}
        self._before = self._error({})
        self._best: Assignment = {}
        self._best_error = self._before

    def explanation(self) -> Explanation:
        for step in (self._provenance, self._single, self._uniform, self._descend):
            step()
            if self._best_error <= self._tolerance:
                break
        self._prune()
        changes = [(self._suspects[index], spelling) for index, spelling in sorted(self._best.items())]
        proven = self._best_error <= self._tolerance
        return Explanation(changes, self._before, self._best_error, proven and bool(changes))

    def _provenance(self) -> None:
        assignment = {
            index: suspect.provenance
            for index, suspect in enumerate(self._suspects)
            if suspect.provenance is not None and suspect.provenance in suspect.alternatives
        }
        if assignment:
            self._try(assignment)

    def _single(self) -> None:
        # The same mode at every node first: a lost coordinate mode is the common mistake.
        for same_mode in (True, False):
            for index, suspect in enumerate(self._suspects):
                for spelling in suspect.alternatives:
                    if (spelling.mode == suspect.spelling.mode) is same_mode:
                        self._try({index: spelling})
                        if self._best_error <= _GOOD_ENOUGH * self._tolerance:
                            return
            if self._best_error <= self._tolerance:
                return

    def _uniform(self) -> None:
        spellings = dict.fromkeys(s for suspect in self._suspects for s in suspect.alternatives)
        for spelling in spellings:
            assignment = {
                index: spelling
                for index, suspect in enumerate(self._suspects)
                if spelling.mode == suspect.spelling.mode and spelling in suspect.alternatives
            }
            self._try(assignment)

    def _descend(self) -> None:
        for _ in range(_ROUNDS):
            error_before = self._best_error
            for index, suspect in enumerate(self._suspects):
                start = self._best
                for spelling in suspect.alternatives:
                    self._try({**start, index: spelling})
                if index in start:
                    self._try({key: value for key, value in start.items() if key != index})
                if self._best_error <= self._tolerance:
                    return
            if self._best_error >= error_before:
                return

    def _prune(self) -> None:
        """Drop changes without which the fit is as good: nothing depends on them, so they are no evidence."""
        for index in list(self._best):
            fewer = {key: value for key, value in self._best.items() if key != index}
            error = self._error(fewer)
            if error <= max(
                self._best_error, self._tolerance if self._best_error <= self._tolerance else 0.0
            ):
                self._best, self._best_error = fewer, error

    def _try(self, assignment: Assignment) -> None:
        error = self._error(assignment)
        if error < self._best_error:
            self._best, self._best_error = assignment, error

    def _error(self, assignment: Assignment) -> float:
        key = tuple(sorted(assignment.items(), key=lambda item: item[0]))
        if key not in self._known:
            for index, suspect in enumerate(self._suspects):
                suspect.set(assignment.get(index, suspect.spelling))
            self._known[key] = self._measure(self._model)
            for suspect in self._suspects:
                suspect.set(suspect.spelling)
        return self._known[key]

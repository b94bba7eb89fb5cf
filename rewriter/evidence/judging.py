"""What the runs around the answer say about each resize: determined, undetermined, or not searched."""

from __future__ import annotations

from dataclasses import dataclass

from rewriter.evidence.report import NodeEvidence, tensor_of
from rewriter.evidence.trial import Trial
from rewriter.model import Model, ResizeNode
from rewriter.verification.metrics import Distance
from rewriter.verification.refit import Explanation, Spelling, Suspect, is_told_apart

__all__ = ["judge"]

_NOTHING = 1e-7
"""Largest root mean square change, over the range, that is rounding."""


def judge(
    model: Model, trial: Trial, found: Explanation, reproduced: bool, limit: int
) -> tuple[NodeEvidence, ...]:
    """The evidence on every resize of the model, in file order.

    Args:
        model: as it was read.
        trial: what was run.
        found: the answer, and what was run around it.
        reproduced: whether the answer reproduces the reference in every case.
        limit: how many runs there may be in all; other cases are asked about what one case does not tell.
    """
    index_of = {id(resize.node): index for index, resize in trial.nodes.items()}
    judging = _Judging(trial, found, reproduced, limit)
    return tuple(judging.entry(resize, index_of.get(id(resize.node))) for resize in model.resizes())


@dataclass(frozen=True)
class _Judging:
    trial: Trial
    found: Explanation
    reproduced: bool
    limit: int

    def entry(self, resize: ResizeNode, index: int | None) -> NodeEvidence:
        if index is None:
            return _kept(resize, None, False, f"not searched: {self._obstacle(resize)}")
        suspect, case = self.trial.suspects[index], self.trial.cases[0]
        before = suspect.describe(case)
        if index in self.trial.frozen:
            return _kept(resize, before, False, "no output that the reference has depends on it")
        if not self.reproduced:
            return _kept(resize, before, True, "no choice of modes reproduces the reference")
        wanted = self.found.changes.get(index)
        chosen = before if wanted is None else wanted.describe()
        same = tuple(s.describe() for s in suspect.equivalents(wanted, case) if s.describe() != chosen)
        determined, why, otherwise = self._verdict(index, suspect, wanted)
        return NodeEvidence(
            node=resize.name,
            graph=resize.graph_path,
            before=before,
            chosen=chosen,
            wanted=wanted,
            equivalent=same,
            determined=determined,
            searched=True,
            why=why,
            error_otherwise=otherwise,
            tensor=tensor_of(resize),
        )

    def _obstacle(self, resize: ResizeNode) -> str:
        if resize.scope.is_function:
            return "it belongs to a function"
        if resize.scope.parent is not None:
            return "it runs inside a subgraph"
        return self.trial.unexamined.get(resize.name, "it does not run")

    def _verdict(
        self, index: int, suspect: Suspect, wanted: Spelling | None
    ) -> tuple[bool, str, float | None]:
        case = self.trial.cases[0]
        rivals = [
            spelling
            for spelling in (None, *suspect.alternatives(case, "usual"))
            if not suspect.is_same(spelling, wanted, case)
        ]
        if not rivals:
            return True, "every usual mode computes the same at these lengths", None
        measured = {rival: self._measured(index, suspect, rival) for rival in rivals}
        open_ = [rival for rival in rivals if not self._is_refuted(index, rival, measured[rival])]
        errors = [distance.largest for distance in measured.values() if distance is not None]
        otherwise = min(errors, default=None)
        if open_:
            return False, self._doubt(index, suspect, open_), otherwise
        if otherwise is None or len(errors) < len(rivals):
            return (
                True,
                "other modes change the outputs, as runs with other modes around it showed",
                otherwise,
            )
        return (
            True,
            f"any other mode alone leaves an error of {otherwise:.2g} of the range or more",
            otherwise,
        )

    def _measured(self, index: int, suspect: Suspect, rival: Spelling | None) -> Distance | None:
        known = self.found.rivals.get(index, {})
        return next(
            (d for s, d in known.items() if suspect.is_same(s, rival, self.trial.cases[0])),
            None,
        )

    def _is_refuted(self, index: int, rival: Spelling | None, measured: Distance | None) -> bool:
        if measured is None:  # there was no run left for it: what it changed elsewhere has to do
            return self.found.effects.get(index, 0.0) > _NOTHING + 10 * self.found.after.average
        return is_told_apart(measured, self.found.after) or self._other_case_refutes(index, rival)

    def _other_case_refutes(self, index: int, rival: Spelling | None) -> bool:
        others = {key: value for key, value in self.found.changes.items() if key != index}
        trial = others if rival is None else {**others, index: rival}
        for case in self.trial.cases[1:]:
            if self.trial.runs >= self.limit:
                return False
            best = self.trial.distance(case, self.found.changes)
            if is_told_apart(self.trial.distance(case, trial), best):
                return True
        return False

    def _doubt(self, index: int, suspect: Suspect, rivals: list[Spelling | None]) -> str:
        case = self.trial.cases[0]
        if self.found.effects.get(index, 0.0) <= _NOTHING:
            return "no output changes with its mode"
        words = [suspect.describe(case) if rival is None else rival.describe() for rival in rivals]
        return f"the outputs do not tell it from {' or '.join(words)}"


def _kept(resize: ResizeNode, before: str | None, searched: bool, why: str) -> NodeEvidence:
    return NodeEvidence(
        node=resize.name,
        graph=resize.graph_path,
        before=before,
        chosen=before,
        wanted=None,
        equivalent=(),
        determined=False,
        searched=searched,
        why=why,
        tensor=tensor_of(resize),
    )

"""The model under trial: any choice of modes run on any case, in the reference's terms, each run counted."""

from __future__ import annotations

from functools import cached_property

import onnx

from rewriter.evidence.pairs import pair_outputs
from rewriter.evidence.reference import Reference
from rewriter.model import Model, ResizeNode
from rewriter.verification.metrics import Distance, distance
from rewriter.verification.pairing import Link
from rewriter.verification.refit import Assignment, Spelling, Suspect
from rewriter.verification.refit.onnx_candidate import OnnxCandidate
from rewriter.verification.refit.search import Observe
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.onnx import OnnxRunner

__all__ = ["Trial"]

_Key = tuple[str, frozenset[tuple[int, Spelling]]]


class Trial:
    """A model whose resizes are exchanged.

    Args:
        model: as it was read.
        proto: the same with its weights.
        reference: what it should compute.

    Attributes:
        suspects: its exchangeable resizes.
        outputs: how outputs are paired.
        nodes: index of a suspect → the resize of the model that it is.
        frozen: suspects that are not searched: parts of functions, and what no compared output depends on.
    """

    def __init__(self, model: Model, proto: onnx.ModelProto, reference: Reference) -> None:
        self._reference = reference
        self._candidate = OnnxCandidate(proto, reference.inputs)
        self._known: dict[_Key, Distance] = {}
        self.cases = list(reference.inputs)
        first = self.cases[0]
        self.suspects = self._candidate.suspects
        self.outputs: list[Link] = pair_outputs(reference.expected[first], self._candidate.outputs(first, {}))
        by_tensor = {
            resize.node.outputs[0].name: resize
            for resize in model.resizes()
            if resize.scope.parent is None and not resize.scope.is_function and resize.node.outputs
        }
        self.nodes: dict[int, ResizeNode] = {
            index: by_tensor[suspect.tensor]
            for index, suspect in enumerate(self.suspects)
            if suspect.tensor in by_tensor
        }
        self.frozen = frozenset(
            index
            for index, suspect in enumerate(self.suspects)
            if index not in self.nodes or not self.is_read(suspect)
        )

    @property
    def runs(self) -> int:
        """How often the model, or a part of it, was run so far."""
        return self._candidate.runs

    @property
    def unexamined(self) -> dict[str, str]:
        """Name and reason of resizes that cannot be exchanged."""
        return dict(self._candidate.unexamined)

    @property
    def searched(self) -> list[Suspect]:
        return [suspect for index, suspect in enumerate(self.suspects) if index not in self.frozen]

    @cached_property
    def compared(self) -> list[str]:
        """The model's outputs that the reference has."""
        return [link.candidate for link in self.outputs]

    @property
    def settled(self) -> list[Link]:
        """Compared outputs that depend on no resize."""
        settled = set(self._candidate.settled)
        return [link for link in self.outputs if link.candidate in settled]

    def is_read(self, suspect: Suspect) -> bool:
        """Whether any compared output is computed from what a resize gives."""
        return self._candidate.influences(suspect, self.compared)

    def recorded(self) -> Assignment:
        """What provenance says of the resizes that contradict it."""
        case = self.cases[0]
        return {
            index: suspect.recorded
            for index, suspect in enumerate(self.suspects)
            if suspect.recorded is not None
            and index not in self.frozen
            and suspect.contradicts(suspect.recorded, case)
        }

    def expected(self, case: str) -> Arrays:
        return self._reference.expected[case]

    def observer(self, case: str) -> Observe:
        """The function that runs one case under an assignment."""
        return lambda assignment: self.run(case, assignment)

    def prepare(self, case: str) -> None:
        self._candidate.prepare(case)

    def run(self, case: str, assignment: Assignment) -> Arrays:
        """The model's outputs by the reference's names and in its layout."""
        outputs = self._in_reference_terms(self._candidate.outputs(case, assignment))
        self._known[_key(case, assignment)] = distance(self.expected(case), outputs)
        return outputs

    def _in_reference_terms(self, outputs: Arrays) -> Arrays:
        return {link.reference: link.to_reference(outputs[link.candidate]) for link in self.outputs}

    def distance(self, case: str, assignment: Assignment) -> Distance:
        """How far the outputs of one case are from the reference's; run once per assignment."""
        key = _key(case, assignment)
        if key not in self._known:
            self.run(case, assignment)
        return self._known[key]

    def error_of(self, runner: OnnxRunner) -> float:
        """The largest max|d| / range of another version of the model, over all cases."""
        return max(
            distance(
                self.expected(case), self._in_reference_terms(runner.run(self._reference.inputs[case]))
            ).largest
            for case in self.cases
        )


def _key(case: str, assignment: Assignment) -> _Key:
    return case, frozenset(assignment.items())

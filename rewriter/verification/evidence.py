"""What a failed comparison leaves behind for the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewriter.verification.metrics import Distance, distance
from rewriter.verification.pairing import Link
from rewriter.verification.result import PairResult
from rewriter.verification.runners import Arrays, Runner

__all__ = ["Comparison", "Evidence"]


@dataclass(frozen=True)
class Evidence:
    """One case that was run on both sides.

    Attributes:
        case: its name.
        reference_inputs, inputs: the inputs as each side takes them.
        expected: the reference's outputs by reference name.
        got: the candidate's outputs by reference name, in the reference's layout.
    """

    case: str
    reference_inputs: Arrays
    inputs: Arrays
    expected: Arrays
    got: Arrays


@dataclass(frozen=True)
class Comparison:
    """One candidate against the reference, with all that was computed.

    Attributes:
        reference, candidate: runners.
        pair: what was measured.
        evidence: every case, in the order of `pair.cases`.
        inputs, outputs: how tensors are paired.
        tolerance: bound on max|d| / range.
    """

    reference: Runner
    candidate: Runner
    pair: PairResult
    evidence: Sequence[Evidence]
    inputs: Sequence[Link]
    outputs: Sequence[Link]
    tolerance: float

    @property
    def by_case(self) -> dict[str, Evidence]:
        return {item.case: item for item in self.evidence}

    def worst_first(self) -> list[str]:
        """Names of the cases, the one with the largest error first."""
        errors = {
            case.name: max((output.max_rel for output in case.outputs), default=0.0)
            for case in self.pair.cases
        }
        return sorted(errors, key=lambda name: -errors[name])

    def in_reference_terms(self, outputs: Arrays) -> Arrays:
        """Outputs of the candidate by reference name, in the reference's layout."""
        return {link.reference: link.to_reference(outputs[link.candidate]) for link in self.outputs}

    def distance(self, case: str, outputs: Arrays) -> Distance:
        """How far outputs of the candidate are from the reference's in one case."""
        expected = self.by_case[case].expected
        got = self.in_reference_terms(outputs)
        return distance({name: expected[name] for name in got}, got)

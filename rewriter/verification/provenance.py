"""Resizes that contradict the TensorFlow op that they are recorded to come from; no outputs needed."""

from __future__ import annotations

from rewriter.verification.evidence import Comparison
from rewriter.verification.refit import Refittable
from rewriter.verification.resize_findings import repair
from rewriter.verification.result import Finding

__all__ = ["provenance_findings"]


def provenance_findings(comparison: Comparison, candidate: Refittable) -> list[Finding]:
    """Warnings for a candidate that passed although a resize contradicts its record.

    Where it fails, the diagnosis tries what is recorded first and says the same as an error.
    """
    case = comparison.worst_first()[0]
    findings = []
    for suspect in candidate.suspects:
        if suspect.recorded is None or not suspect.contradicts(suspect.recorded, case):
            continue
        has, should = suspect.describe(case), suspect.recorded.describe()
        findings.append(
            Finding(
                f"node '{suspect.name}' samples {has}, but its recorded TensorFlow op samples {should}",
                node=suspect.name,
                reference_semantics=should,
                candidate_semantics=has,
                shift_px=suspect.compare(suspect.recorded, case).shift.max,
                level="warning",
                remedy=repair(comparison.candidate, suspect, suspect.recorded, case),
                candidate=comparison.candidate.name,
            )
        )
    return findings

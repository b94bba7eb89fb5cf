"""What is worth saying of a candidate that passed: contradicted provenance, and resizes that no input could tell."""

from __future__ import annotations

from rewriter.errors import RewriterError
from rewriter.verification.evidence import Comparison
from rewriter.verification.provenance import provenance_findings
from rewriter.verification.refit import open_refittable
from rewriter.verification.resize_findings import undetermined
from rewriter.verification.result import Finding

__all__ = ["findings_of_a_pass"]


def findings_of_a_pass(comparison: Comparison) -> list[Finding]:
    """Warnings; only ONNX candidates are looked at, where trying another meaning costs one short run."""
    if comparison.candidate.kind != "onnx":
        return []
    cases = {case: comparison.by_case[case].inputs for case in comparison.worst_first()}
    try:
        candidate = open_refittable(comparison.candidate, cases)
        if candidate is None:
            return []
        contradicted = provenance_findings(comparison, candidate)
        unnoticed = undetermined(comparison, candidate, {}, level="warning")
    except RewriterError as error:
        message = f"the resizes of {comparison.candidate.name} could not be examined: {error.message}"
        return [Finding(message, node=error.node, level="note", candidate=comparison.candidate.name)]
    return [*contradicted, *unnoticed]

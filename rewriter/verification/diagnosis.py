"""Why does a candidate differ? One sentence per finding, most likely first."""

from __future__ import annotations

from collections.abc import Callable

from rewriter.errors import RewriterError
from rewriter.verification.evidence import Comparison
from rewriter.verification.float16 import float16_findings
from rewriter.verification.resize_findings import explain
from rewriter.verification.result import Finding
from rewriter.verification.transformations import transformation_findings

__all__ = ["diagnose"]


def diagnose(comparison: Comparison, progress: Callable[[str], None] = lambda line: None) -> list[Finding]:
    """Findings for a pair that failed.

    Args:
        comparison: what was computed on both sides.
        progress: called with one line per step.
    """
    pair, candidate = comparison.pair, comparison.candidate
    outputs = [output for case in pair.cases for output in case.outputs]
    if not any(output.informative for output in outputs) and all(output.passed for output in outputs):
        message = (
            f"{candidate.name}: the reference gives one output for all inputs, so nothing could be verified"
        )
        return [Finding(message, candidate=candidate.name, remedy="give real inputs with --inputs")]
    broken = _broken_outputs(comparison)
    if broken:
        return [*float16_findings(comparison), *broken]
    likely: list[Finding] = []
    for explanation in (lambda: explain(comparison, progress), lambda: float16_findings(comparison)):
        found = _examined(explanation, comparison)
        if any(finding.level == "error" for finding in found):
            return found
        likely += found
    found = transformation_findings(comparison)
    return [*found, *likely] if found else [_unexplained(comparison, likely), *likely]


def _examined(explanation: Callable[[], list[Finding]], comparison: Comparison) -> list[Finding]:
    """A diagnosis that fails is a note, not the end: the verdict stands without it."""
    try:
        return explanation()
    except RewriterError as error:
        message = f"{comparison.candidate.name} could not be examined further: {error.message}"
        return [Finding(message, node=error.node, level="note", candidate=comparison.candidate.name)]


def _unexplained(comparison: Comparison, likely: list[Finding]) -> Finding:
    worst = comparison.pair.worst
    assert worst is not None
    rest = "what is likely follows" if any(f.level == "warning" for f in likely) else "no cause was found"
    message = (
        f"{comparison.candidate.name} differs from {comparison.reference.name} by {worst.max_rel:.2g} of the range "
        f"of output '{worst.name}', allowed is {worst.tolerance:.2g}: no change of resizes, layout or scale "
        f"explains all of it; {rest}"
    )
    return Finding(message, candidate=comparison.candidate.name)


def _broken_outputs(comparison: Comparison) -> list[Finding]:
    """Wrong shapes, NaN and infinity: said once per output, and nothing else need be looked for."""
    findings: dict[str, Finding] = {}
    name = comparison.candidate.name
    for case in comparison.pair.cases:
        for output in case.outputs:
            if not output.passed and output.note is not None and output.max_rel == float("inf"):
                message = f"{name}: output '{output.name}' is wrong in case '{case.name}': {output.note}"
                findings.setdefault(output.name, Finding(message, candidate=name))
    return list(findings.values())

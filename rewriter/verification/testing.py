"""Verification inside a test-suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewriter.verification.result import OutputResult, VerificationReport
from rewriter.verification.runners import Arrays
from rewriter.verification.verifier import verify

__all__ = ["assert_equivalent"]


def assert_equivalent(
    reference: Any,
    *candidates: Any,
    rtol: float | None = None,
    atol: float | None = None,
    inputs: str | Path | dict[str, Arrays] | None = None,
    seed: int = 0,
    engine: str | None = None,
) -> VerificationReport:
    """Fail where a candidate does not compute what the reference computes, and say why.

    ```python
    def test_the_export_keeps_the_pixels():
        assert_equivalent("model.keras", "model.onnx", "model.mlpackage")
    ```

    Args:
        reference: a file, a Keras model, or a function of arrays.
        candidates: what must compute the same.
        rtol, atol, inputs, seed, engine: as of `rewriter.verification.verify`.

    Returns:
        The report, for further assertions.

    Raises:
        AssertionError: not equivalent; the message has a line for each candidate that failed and each finding.
        InputError, UsageError: a model cannot be opened, or tensors cannot be paired.
    """
    __tracebackhide__ = True
    report = verify(reference, candidates, inputs=inputs, rtol=rtol, atol=atol, seed=seed, engine=engine)
    if not report.passed:
        raise AssertionError("\n".join(_reasons(report)))
    return report


def _reasons(report: VerificationReport) -> list[str]:
    lines = []
    for pair in report.pairs:
        if pair.passed:
            continue
        simulated = " (simulated)" if pair.simulated else ""
        lines.append(
            f"{pair.candidate}{simulated} does not compute what {pair.reference} computes: {_worst(pair.worst)}"
        )
    for finding in report.diagnosis:
        lines.append(f"{finding.level}: {finding.message}")
        if finding.remedy:
            lines.append(f"  remedy: {finding.remedy}")
    return lines


def _worst(output: OutputResult | None) -> str:
    if output is None:
        return "it did not run"
    if output.passed:
        return "no case could have failed"
    return f"output '{output.name}' differs by {output.max_rel:.2g} of the range, {output.tolerance:.2g} is allowed"

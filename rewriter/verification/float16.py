"""What float16 costs a Core ML program: overflow, found at the operator where it starts, and plain rounding."""

from __future__ import annotations

import numpy as np

from rewriter.verification.evidence import Comparison
from rewriter.verification.result import Finding
from rewriter.verification.runners.coreml import SimulatorRunner

__all__ = ["float16_findings"]


def float16_findings(comparison: Comparison) -> list[Finding]:
    """Where float16 overflows, or that the same program passes in float32; else nothing."""
    runner = comparison.candidate
    if not isinstance(runner, SimulatorRunner) or runner.precision != "float16":
        return []
    case = comparison.worst_first()[0]
    inputs = comparison.by_case[case].inputs
    wide = runner.in_float32()
    start = runner.first_not_finite(inputs)
    if start is not None:
        largest = float(np.abs(wide.trace(inputs, [start])[start]).max())
        if np.isfinite(largest):
            message = (
                f"{runner.name}: float16 overflows at '{start}', whose largest value is {largest:.3g} "
                "(float16 ends at 65504)"
            )
            return [_finding(message, runner, start)]
    distance = comparison.distance(case, wide.run(inputs))
    if distance.largest > comparison.tolerance:
        return []
    message = (
        f"{runner.name}: the same program passes in float32 ({distance.largest:.2g} of the range), so the "
        "difference is what float16 rounds away"
    )
    return [_finding(message, runner, None)]


def _finding(message: str, runner: SimulatorRunner, node: str | None) -> Finding:
    remedy = "rewriter coreml model.onnx -o model.mlpackage --precision float32"
    return Finding(message, node=node, candidate=runner.name, remedy=remedy)

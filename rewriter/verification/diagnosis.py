"""Why does a candidate differ? One sentence per finding, most likely first."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rewriter.errors import InputError
from rewriter.resampling import Comparison
from rewriter.verification.metrics import compare_outputs
from rewriter.verification.pairing import Link
from rewriter.verification.refit import Explanation, refit
from rewriter.verification.result import Finding, PairResult
from rewriter.verification.runners import Arrays, Runner
from rewriter.verification.runners.onnx import OnnxRunner
from rewriter.verification.suspects import Spelling, Suspect, find_suspects

__all__ = ["Evidence", "diagnose", "provenance_findings"]


@dataclass(frozen=True)
class Evidence:
    """One case that was run on both sides, in the reference's layout.

    Attributes:
        case: its name.
        inputs: the candidate's own inputs.
        expected: the reference's outputs by reference name.
        got: the candidate's outputs by reference name.
    """

    case: str
    inputs: Arrays
    expected: Arrays
    got: Arrays


def diagnose(
    candidate: Runner, pair: PairResult, evidence: Sequence[Evidence], outputs: Sequence[Link]
) -> list[Finding]:
    """Findings for a pair that failed.

    Args:
        candidate: its runner.
        pair: what was measured.
        evidence: every case, in the order of `pair.cases`.
        outputs: how outputs are paired.
    """
    worst = pair.worst
    tolerance = worst.tolerance if worst is not None else 0.0
    if not any(output.informative for case in pair.cases for output in case.outputs):
        message = f"{candidate.name}: every output of the reference is constant, so nothing could be verified"
        return [Finding(message, candidate=candidate.name, remedy="give real inputs with --inputs")]
    notes = _broken_outputs(candidate, pair)
    if notes:
        return notes
    findings: list[Finding] = []
    if isinstance(candidate, OnnxRunner):
        findings += _resize_findings(candidate, pair, evidence, outputs, tolerance)
    if any(finding.level == "error" for finding in findings):
        return findings
    findings += _layout_findings(candidate, evidence, tolerance)
    if any(finding.level == "error" for finding in findings):
        return findings
    assert worst is not None
    general = Finding(
        f"{candidate.name} differs from {pair.reference} by {worst.max_rel:.2g} of the range of output "
        f"'{worst.name}', and no resize mode or layout explains it",
        candidate=candidate.name,
    )
    return [general, *findings]


def provenance_findings(candidate: Runner, inputs: Arrays) -> list[Finding]:
    """Warnings for resizes that contradict their recorded TensorFlow op, whether or not the outputs show it."""
    if not isinstance(candidate, OnnxRunner):
        return []
    findings = []
    for suspect in find_suspects(_copy(candidate.proto), inputs):
        if suspect.provenance is None or suspect.provenance not in suspect.alternatives:
            continue
        comparison = suspect.compare(suspect.provenance, suspect.spelling)
        findings.append(
            Finding(
                f"node '{suspect.name}' samples {suspect.spelling.describe()}, but its recorded TensorFlow op "
                f"samples {suspect.provenance.describe()}",
                node=suspect.name,
                reference_semantics=suspect.provenance.describe(),
                candidate_semantics=suspect.spelling.describe(),
                shift_px=None if comparison is None else comparison.shift.max,
                level="warning",
                remedy=_repair(candidate, suspect, suspect.provenance),
                candidate=candidate.name,
            )
        )
    return findings


def _broken_outputs(candidate: Runner, pair: PairResult) -> list[Finding]:
    """Wrong shapes, NaN and infinity: said once per output, and nothing else need be looked for."""
    findings: dict[tuple[str, str], Finding] = {}
    for case in pair.cases:
        for output in case.outputs:
            if output.passed or output.note is None or not output.informative:
                continue
            hint = (
                " (float16 overflows above 65504)"
                if pair.precision == "float16" and "NaN" in output.note
                else ""
            )
            message = f"{candidate.name}: output '{output.name}' is wrong in case '{case.name}': {output.note}{hint}"
            findings.setdefault((output.name, output.note), Finding(message, candidate=candidate.name))
    return list(findings.values())


def _resize_findings(
    candidate: OnnxRunner,
    pair: PairResult,
    evidence: Sequence[Evidence],
    outputs: Sequence[Link],
    tolerance: float,
) -> list[Finding]:
    errors = [max((output.max_rel for output in case.outputs), default=0.0) for case in pair.cases]
    telling = evidence[int(np.argmax(errors))]
    working = _copy(candidate.proto)
    suspects = find_suspects(working, telling.inputs)
    if not suspects:
        return []

    def error(model: onnx.ModelProto) -> float:
        try:
            got = OnnxRunner(model).run(telling.inputs)
        except InputError:
            return float("inf")  # onnxruntime has no kernel for this spelling at this rank
        return max(
            compare_outputs(
                link.reference,
                telling.expected[link.reference],
                link.to_reference(got[link.candidate]),
                tolerance=tolerance,
            ).max_rel
            for link in outputs
        )

    explanation = refit(working, suspects, error, tolerance)
    findings = [_resize_finding(candidate, s, wanted, explanation) for s, wanted in explanation.changes]
    if explanation.changes and not explanation.proven:
        return findings if explanation.after < 0.5 * explanation.before else []
    return findings


def _resize_finding(
    candidate: OnnxRunner, suspect: Suspect, wanted: Spelling, explanation: Explanation
) -> Finding:
    comparison = suspect.compare(wanted, suspect.spelling)
    if suspect.spelling.mode == wanted.mode and wanted.mode != "nearest":
        has, should = suspect.spelling.coordinate_transformation_mode, wanted.coordinate_transformation_mode
        verb = "samples"
        if has == should:
            has, should = suspect.spelling.describe(), wanted.describe()
    else:
        has, should, verb = suspect.spelling.describe(), wanted.describe(), "computes"
    message = f"node '{suspect.name}' {verb} {has}, the reference {should}"
    if comparison is not None:
        message += f": {_shift_words(comparison)}"
    if not explanation.proven:
        message += (
            f" (likely: changing it lowers the error from {explanation.before:.2g} to {explanation.after:.2g} "
            "of the range, which does not explain everything)"
        )
    return Finding(
        message,
        node=suspect.name,
        reference_semantics=wanted.describe(),
        candidate_semantics=suspect.spelling.describe(),
        shift_px=None if comparison is None else comparison.shift.max,
        level="error" if explanation.proven else "warning",
        remedy=_repair(candidate, suspect, wanted),
        candidate=candidate.name,
    )


def _shift_words(comparison: Comparison) -> str:
    """Where the grids part, e.g. ``shifted 0.25 px at the left edge, 0.25 px at the right edge``."""
    shift = comparison.shift
    places = [
        f"{abs(value):.3g} px {where}"
        for value, where in (
            (shift.left, "at the left edge"),
            (shift.centre, "in the centre"),
            (shift.right, "at the right edge"),
        )
        if abs(value) >= 5e-4
    ]
    if places:
        return "shifted " + ", ".join(places)
    if shift.max >= 5e-4:
        return f"shifted up to {shift.max:.3g} px"
    return f"weights differ by up to {comparison.max_weight_difference:.3g}"


def _repair(candidate: OnnxRunner, suspect: Suspect, wanted: Spelling) -> str | None:
    """The command that repairs one node, where `rewrite` can."""
    path = str(candidate.source or "model.onnx")
    if suspect.provenance == wanted:
        return f"rewrite {shlex.quote(path)} -o fixed.onnx"
    if wanted.mode != suspect.spelling.mode or wanted.mode != "linear":
        return None
    rule = f"{suspect.name}={wanted.coordinate_transformation_mode}"
    return f"rewrite {shlex.quote(path)} -o fixed.onnx --intent preserve --set {shlex.quote(rule)}"


def _layout_findings(candidate: Runner, evidence: Sequence[Evidence], tolerance: float) -> list[Finding]:
    """Channels in another order, height and width swapped, or another scale: told by trying it."""
    for name in evidence[0].expected:
        for words, change in _changes(evidence[0].expected[name].shape):
            if all(_passes(e.expected[name], change(e.got[name]), tolerance) for e in evidence):
                message = f"{candidate.name}: output '{name}' equals the reference after {words}"
                return [Finding(message, candidate=candidate.name)]
        fit = _affine(evidence, name, tolerance)
        if fit is not None:
            message = (
                f"{candidate.name}: output '{name}' is the reference times {fit[0]:.4g} plus {fit[1]:.4g}: "
                "a scale or bias is missing or applied twice"
            )
            return [Finding(message, candidate=candidate.name)]
    return []


def _changes(shape: tuple[int, ...]):  # type: ignore[no-untyped-def]
    if len(shape) == 4 and 1 < shape[3] <= 4:
        for order in itertools.permutations(range(shape[3])):
            if order != tuple(range(shape[3])):
                yield f"reordering its channels to {list(order)}", lambda x, order=order: x[..., list(order)]
    if len(shape) == 4 and shape[1] == shape[2]:
        yield "swapping its height and width", lambda x: x.swapaxes(1, 2)
    if len(shape) == 4:
        yield "flipping it vertically", lambda x: x[:, ::-1]
        yield "flipping it horizontally", lambda x: x[:, :, ::-1]


def _passes(expected: np.ndarray, got: np.ndarray, tolerance: float) -> bool:
    return expected.shape == got.shape and compare_outputs("", expected, got, tolerance=tolerance).passed


def _affine(evidence: Sequence[Evidence], name: str, tolerance: float) -> tuple[float, float] | None:
    """(factor, offset) that maps the reference to the candidate in every case, None when none does."""
    expected = np.concatenate([e.expected[name].astype(np.float64).ravel() for e in evidence])
    got = np.concatenate([e.got[name].astype(np.float64).ravel() for e in evidence])
    if expected.shape != got.shape or np.ptp(expected) == 0 or np.ptp(got) == 0:
        return None
    factor, offset = np.polyfit(expected, got, 1)
    if factor == 0:
        return None
    fits = _passes(expected, (got - offset) / factor, tolerance)
    return (float(factor), float(offset)) if fits else None


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied

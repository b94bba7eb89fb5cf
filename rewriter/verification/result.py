"""What a verification found: plain data, and its JSON form."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CaseResult", "Finding", "OutputResult", "PairResult", "VerificationReport"]


@dataclass(frozen=True)
class OutputResult:
    """One output tensor of one case, candidate against reference.

    Attributes:
        name: the reference's name of the output.
        shape: of the reference.
        max_abs: largest |candidate - reference|.
        max_rel: max_abs divided by the reference's range (largest minus smallest value); the deciding metric.
        psnr: in dB against the range; infinite when equal.
        cosine: cosine similarity of the flattened tensors.
        tolerance: the bound on max_rel that decided.
        passed: verdict.
        argmax_agreement: share of positions with the same argmax over the last axis; None for one channel.
        mask_iou: mean IoU between the two runs' masks; None where the output is not a mask.
        note: why a case proves nothing (constant output), or what rule applied (NaN, shape mismatch).
        informative: whether a wrong candidate could have failed here; a constant reference proves nothing.
    """

    name: str
    shape: tuple[int, ...]
    max_abs: float
    max_rel: float
    psnr: float
    cosine: float
    tolerance: float
    passed: bool
    argmax_agreement: float | None = None
    mask_iou: float | None = None
    note: str | None = None
    informative: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": list(self.shape),
            "max_abs": _finite(self.max_abs),
            "max_rel": _finite(self.max_rel),
            "psnr": _finite(self.psnr),
            "cosine": _finite(self.cosine),
            "tolerance": self.tolerance,
            "passed": self.passed,
            "argmax_agreement": self.argmax_agreement,
            "mask_iou": self.mask_iou,
            "note": self.note,
            "informative": self.informative,
        }


@dataclass(frozen=True)
class CaseResult:
    """All outputs for one set of inputs (`ramp`, `photo`, `noise`, …)."""

    name: str
    outputs: tuple[OutputResult, ...]

    @property
    def passed(self) -> bool:
        return all(output.passed for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "outputs": [output.to_json() for output in self.outputs],
        }


@dataclass(frozen=True)
class PairResult:
    """One candidate against the reference.

    Attributes:
        reference: name of the reference runner, e.g. `keras:segmenter.keras`.
        candidate: name of the candidate runner.
        simulated: whether either side was evaluated by the Core ML simulator.
        precision: the candidate's compute precision, `float32` or `float16`.
        cases: results in the order they ran; empty when the candidate could not run.
        pairing: which input and output belongs to which, and how layouts differ.
    """

    reference: str
    candidate: str
    simulated: bool
    precision: str
    cases: tuple[CaseResult, ...]
    pairing: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Every case passed, and at least one of them could have failed."""
        informative = any(output.informative for case in self.cases for output in case.outputs)
        return informative and all(case.passed for case in self.cases)

    @property
    def worst(self) -> OutputResult | None:
        """The output with the largest max_rel over all cases."""
        outputs = [output for case in self.cases for output in case.outputs]
        return max(outputs, key=lambda output: _badness(output.max_rel), default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "candidate": self.candidate,
            "simulated": self.simulated,
            "precision": self.precision,
            "passed": self.passed,
            "pairing": list(self.pairing),
            "cases": [case.to_json() for case in self.cases],
        }


@dataclass(frozen=True)
class Finding:
    """One sentence on what is wrong, most likely first in the report.

    Attributes:
        message: the sentence.
        node: the ONNX node concerned.
        reference_semantics: what the reference computes there, e.g. `linear align_corners`.
        candidate_semantics: what the candidate computes there.
        shift_px: largest shift of the sampling grid in input pixels of that node.
        level: `error`, `warning` or `note`.
        remedy: the command that repairs it.
        candidate: name of the candidate runner concerned.
    """

    message: str
    node: str | None = None
    reference_semantics: str | None = None
    candidate_semantics: str | None = None
    shift_px: float | None = None
    level: str = "error"
    remedy: str | None = None
    candidate: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "reference_semantics": self.reference_semantics,
            "candidate_semantics": self.candidate_semantics,
            "shift_px": self.shift_px,
            "message": self.message,
            "level": self.level,
            "remedy": self.remedy,
            "candidate": self.candidate,
        }


@dataclass(frozen=True)
class VerificationReport:
    """The verdict. It passes when every pair passed and no finding is an error."""

    pairs: tuple[PairResult, ...]
    diagnosis: tuple[Finding, ...] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        return (
            bool(self.pairs)
            and all(pair.passed for pair in self.pairs)
            and not any(finding.level == "error" for finding in self.diagnosis)
        )

    def to_json(self) -> dict[str, Any]:
        """The `verification` object of the JSON output."""
        return {
            "passed": self.passed,
            "pairs": [pair.to_json() for pair in self.pairs],
            "diagnosis": [finding.to_json() for finding in self.diagnosis],
        }


def _finite(value: float) -> float | None:
    """JSON has no infinity and no NaN: both become null."""
    return float(value) if math.isfinite(value) else None


def _badness(value: float) -> float:
    return math.inf if math.isnan(value) else value

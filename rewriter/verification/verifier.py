"""A reference against candidates: run the same inputs, compare, and on failure say why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewriter.errors import RewriterError, UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.batch_statistics import findings_of
from rewriter.verification.cases import choose_cases
from rewriter.verification.evidence import Comparison, Evidence
from rewriter.verification.metrics import TOLERANCES, compare_outputs, constant_over_cases, mark_uninformative
from rewriter.verification.pairing import Link, pair
from rewriter.verification.result import CaseResult, Finding, PairResult, VerificationReport
from rewriter.verification.runners import Arrays, Runner, open_runner

__all__ = ["verify"]

Progress = Callable[[str], None]

_SAME_FOR_ALL = "the reference's output is the same for all inputs: nothing could be seen to differ"


def verify(
    reference: Any,
    candidates: Sequence[Any],
    *,
    inputs: str | Path | Mapping[str, Arrays] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
    engine: str | None = None,
    progress: Progress | None = None,
) -> VerificationReport:
    """Compare candidates with a reference.

    Args:
        reference, candidates: anything that `open_runner` opens.
        inputs: the user's own inputs, run beside the built-in probes: a file or folder, or case → name → array.
        rtol: bound on max|d| / range; by default 1e-4, and 1e-2 where either side computes in float16.
        atol: absolute bound that is enough to pass on its own.
        seed: of the probes.
        engine: for Core ML, ``simulator`` or ``coreml``.
        progress: called with one line per step.

    Raises:
        InputError, UsageError: a model cannot be opened, or tensors cannot be paired.
    """
    if not candidates:
        raise UsageError("nothing to compare", remedy="name at least one candidate")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not 0 <= value < float("inf"):
            raise UsageError(f"{name} must be a number from 0 on")
    say = progress or (lambda line: None)
    expected_by = open_runner(reference, engine=engine)
    runners = [open_runner(candidate, engine=engine) for candidate in candidates]
    say(f"running {expected_by.name}")
    cases, expected = choose_cases(expected_by, runners, inputs, seed)
    dead = _dead_outputs(expected)
    pairs: list[PairResult] = []
    findings: list[Finding] = findings_of(expected_by)
    for runner in runners:
        say(f"running {runner.name}")
        try:
            comparison = _compare(expected_by, runner, cases, expected, dead, rtol, atol)
        except _RunError as error:
            pairs.append(_not_run(expected_by, runner))
            findings.append(error.finding)
            continue
        pairs.append(comparison.pair)
        training = findings_of(runner)
        # It explains every difference, and even where there is none a release must not depend on the batch.
        findings += training or _findings(comparison, say)
    findings.sort(key=lambda finding: ("error", "warning", "note").index(finding.level))
    return VerificationReport(tuple(pairs), tuple(findings))


class _RunError(Exception):
    """A candidate that loads, and fails on inputs that the reference takes."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def _findings(comparison: Comparison, say: Progress) -> list[Finding]:
    from rewriter.verification.diagnosis import diagnose
    from rewriter.verification.passing import findings_of_a_pass

    if comparison.pair.passed:
        return findings_of_a_pass(comparison)
    say(f"looking for the cause in {comparison.candidate.name}")
    return diagnose(comparison, say)


def _dead_outputs(expected: Mapping[str, Arrays]) -> set[str]:
    names = next(iter(expected.values()))
    return {name for name in names if constant_over_cases([arrays[name] for arrays in expected.values()])}


def _compare(
    reference: Runner,
    candidate: Runner,
    cases: Mapping[str, Arrays],
    expected: Mapping[str, Arrays],
    dead: set[str],
    rtol: float | None,
    atol: float | None,
) -> Comparison:
    first = next(iter(cases))
    inputs = pair(_as_specs(cases[first]), candidate.inputs or _as_specs(cases[first]), "input")
    lower = "float16" if "float16" in (reference.precision, candidate.precision) else "float32"
    tolerance = TOLERANCES[lower] if rtol is None else rtol
    outputs: list[Link] = []
    results, evidence = [], []
    for name, arrays in cases.items():
        own = {link.candidate: link.to_candidate(arrays[link.reference]) for link in inputs}
        raw = _run(candidate, name, own)
        if not outputs:
            # Concrete shapes of this run: declared ones may be open.
            outputs = pair(_as_specs(expected[name]), _as_specs(raw), "output")
        got = {link.reference: link.to_reference(raw[link.candidate]) for link in outputs}
        compared = [
            compare_outputs(key, expected[name][key], got[key], tolerance=tolerance, atol=atol) for key in got
        ]
        compared = [mark_uninformative(o, _SAME_FOR_ALL) if o.name in dead else o for o in compared]
        results.append(CaseResult(name, tuple(compared)))
        evidence.append(Evidence(name, dict(arrays), own, dict(expected[name]), got))
    result = PairResult(
        reference.name,
        candidate.name,
        candidate.simulated or reference.simulated,
        candidate.precision,
        tuple(results),
        tuple(link.describe() for link in (*inputs, *outputs)),
    )
    return Comparison(reference, candidate, result, evidence, inputs, outputs, tolerance)


def _run(candidate: Runner, case: str, inputs: Arrays) -> Arrays:
    try:
        return candidate.run(inputs)
    except RewriterError as error:
        message = f"{candidate.name} cannot run case '{case}': {error.message}"
        finding = Finding(message, node=error.node, candidate=candidate.name, remedy=error.remedy)
        raise _RunError(finding) from error


def _not_run(reference: Runner, candidate: Runner) -> PairResult:
    simulated = candidate.simulated or reference.simulated
    return PairResult(reference.name, candidate.name, simulated, candidate.precision, ())


def _as_specs(arrays: Arrays) -> list[TensorSpec]:
    return [TensorSpec(name, array.shape, array.dtype) for name, array in arrays.items()]

"""A reference against candidates: run the same inputs, compare, and on failure say why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.diagnosis import Evidence, diagnose, provenance_findings
from rewriter.verification.metrics import TOLERANCES, compare_outputs
from rewriter.verification.pairing import Link, pair
from rewriter.verification.probes import probe_cases, read_cases
from rewriter.verification.result import CaseResult, Finding, PairResult, VerificationReport
from rewriter.verification.runners import Arrays, Runner, open_runner
from rewriter.verification.runners.golden import GoldenRunner

__all__ = ["verify"]

Progress = Callable[[str], None]


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
        rtol: bound on max|d| / range; by default 1e-4 for float32 candidates and 1e-2 for float16 ones.
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
        if value is not None and not value >= 0:
            raise UsageError(f"{name} must not be negative")
    say = progress or (lambda line: None)
    expected_by = open_runner(reference, engine=engine)
    runners = [open_runner(candidate, engine=engine) for candidate in candidates]
    cases = _cases(expected_by, runners, inputs, seed)
    say(f"running {expected_by.name}")
    expected = {name: expected_by.run(arrays) for name, arrays in cases.items()}
    pairs: list[PairResult] = []
    findings: list[Finding] = []
    for runner in runners:
        say(f"running {runner.name}")
        result, evidence, outputs = _compare(expected_by, runner, cases, expected, rtol, atol)
        pairs.append(result)
        if result.passed:
            findings += provenance_findings(runner, evidence[0].inputs)
        else:
            say(f"looking for the cause in {runner.name}")
            findings += diagnose(runner, result, evidence, outputs)
    findings.sort(key=lambda finding: ("error", "warning", "note").index(finding.level))
    return VerificationReport(tuple(pairs), tuple(findings))


def _cases(reference: Runner, candidates: Sequence[Runner], inputs: Any, seed: int) -> dict[str, Arrays]:
    """The inputs to run, by case; a golden reference brings its own."""
    if isinstance(reference, GoldenRunner):
        return reference.cases
    specs = _pinned(reference.inputs, candidates)
    if not specs:
        if not isinstance(inputs, Mapping):
            raise UsageError(f"the inputs of {reference.name} are not known", remedy="give inputs as arrays")
        return {name: dict(arrays) for name, arrays in inputs.items()}
    own: Mapping[str, Arrays] = {}
    if inputs is not None:
        own = inputs if isinstance(inputs, Mapping) else read_cases(Path(inputs), specs)
    return {**{name: dict(arrays) for name, arrays in own.items()}, **probe_cases(specs, seed)}


def _pinned(specs: Sequence[TensorSpec], candidates: Sequence[Runner]) -> list[TensorSpec]:
    """The reference's inputs, with lengths that it leaves open taken from candidates that fix them."""
    pinned = list(specs)
    for candidate in candidates:
        for index, link in enumerate(pair(pinned, candidate.inputs, "input") if candidate.inputs else []):
            other = next(spec for spec in candidate.inputs if spec.name == link.candidate)
            order = range(len(other.shape)) if link.permutation is None else _inverse(link.permutation)
            theirs = [other.shape[axis] for axis in order]
            if len(theirs) == len(pinned[index].shape):
                shape = tuple(
                    a if a is not None else b for a, b in zip(pinned[index].shape, theirs, strict=True)
                )
                pinned[index] = TensorSpec(pinned[index].name, shape, pinned[index].dtype)
    return pinned


def _inverse(permutation: tuple[int, ...]) -> list[int]:
    return sorted(range(len(permutation)), key=lambda axis: permutation[axis])


def _compare(
    reference: Runner,
    candidate: Runner,
    cases: Mapping[str, Arrays],
    expected: Mapping[str, Arrays],
    rtol: float | None,
    atol: float | None,
) -> tuple[PairResult, list[Evidence], list[Link]]:
    first = next(iter(cases))
    inputs = pair(_as_specs(cases[first]), candidate.inputs or _as_specs(cases[first]), "input")
    tolerance = TOLERANCES[candidate.precision] if rtol is None else rtol
    outputs: list[Link] = []
    results, evidence = [], []
    for name, arrays in cases.items():
        own = {link.candidate: link.to_candidate(arrays[link.reference]) for link in inputs}
        raw = candidate.run(own)
        if not outputs:
            # Concrete shapes of this run: declared ones may be open.
            outputs = pair(_as_specs(expected[name]), _as_specs(raw), "output")
        got = {link.reference: link.to_reference(raw[link.candidate]) for link in outputs}
        results.append(
            CaseResult(
                name,
                tuple(
                    compare_outputs(key, expected[name][key], got[key], tolerance=tolerance, atol=atol)
                    for key in got
                ),
            )
        )
        evidence.append(Evidence(name, own, dict(expected[name]), got))
    simulated = candidate.simulated or reference.simulated
    result = PairResult(reference.name, candidate.name, simulated, candidate.precision, tuple(results))
    return result, evidence, outputs


def _as_specs(arrays: Arrays) -> list[TensorSpec]:
    return [TensorSpec(name, array.shape, array.dtype) for name, array in arrays.items()]

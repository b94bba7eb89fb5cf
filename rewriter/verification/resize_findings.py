"""Which resizes of a candidate are wrong, in one sentence each, and which could not be told."""

from __future__ import annotations

import glob
import shlex
import time
from collections.abc import Callable, Iterator

from rewriter.errors import RewriterError
from rewriter.resampling import Comparison as Difference
from rewriter.resampling.tensorflow import onnx_attributes
from rewriter.verification.evidence import Comparison
from rewriter.verification.metrics import Distance
from rewriter.verification.refit import (
    Assignment,
    Explanation,
    Refittable,
    Spelling,
    Suspect,
    open_refittable,
    search,
)
from rewriter.verification.refit.suspects import same_meaning
from rewriter.verification.result import Finding
from rewriter.verification.runners import Runner

__all__ = ["explain", "repair", "undetermined"]

_SECONDS = 120.0
"""How long one candidate's resizes may be searched."""

_SECONDS_UNDETERMINED = 20.0
_CLEARLY = 0.5
"""An explanation that does not remove the error is worth saying when it leaves less than this share of it."""

Measure = Callable[[str, Assignment], Distance]


def explain(comparison: Comparison, progress: Callable[[str], None]) -> list[Finding]:
    """Findings on the resizes of a candidate that failed: errors where proven, warnings where likely, notes."""
    order = comparison.worst_first()
    cases = {case: comparison.by_case[case].inputs for case in order}
    candidate = open_refittable(comparison.candidate, cases)
    if candidate is None:
        return []
    if not candidate.suspects:
        return _unexamined(comparison.candidate, candidate)
    measure = _measure(comparison, candidate)
    telling = order[0]
    progress(f"trying other meanings of {len(candidate.suspects)} resizes of {comparison.candidate.name}")
    explanation = search(
        candidate.suspects,
        telling,
        lambda assignment: comparison.in_reference_terms(candidate.outputs(telling, assignment)),
        comparison.by_case[telling].expected,
        tolerance=comparison.tolerance,
        suggestions=list(_suggestions(comparison, candidate, telling)),
        seconds=_SECONDS,
    )
    proven = explanation.fits and all(
        measure(case, explanation.changes).largest <= comparison.tolerance for case in order
    )
    if not proven and not explanation.after.average < _CLEARLY * explanation.before.average:
        return _unexamined(comparison.candidate, candidate)
    findings = [
        _finding(comparison.candidate, candidate.suspects[index], wanted, telling, explanation, proven)
        for index, wanted in explanation.changes.items()
    ]
    notes = undetermined(comparison, candidate, explanation.changes) if proven else []
    return [*findings, *notes, *_unexamined(comparison.candidate, candidate)]


def undetermined(
    comparison: Comparison, candidate: Refittable, changes: Assignment, level: str = "note"
) -> list[Finding]:
    """Resizes that could mean something else without any output showing it."""
    measure = _measure(comparison, candidate)
    deadline = time.monotonic() + _SECONDS_UNDETERMINED
    cases = comparison.worst_first()
    findings: list[Finding] = []
    for index, suspect in enumerate(candidate.suspects):
        for spelling in suspect.alternatives(cases[0], "kernel"):
            if spelling == changes.get(index):
                continue
            if time.monotonic() > deadline:
                return findings
            trial = {**changes, index: spelling}
            if all(measure(case, trial).largest <= comparison.tolerance for case in cases):
                now = changes[index].describe() if index in changes else suspect.describe(cases[0])
                message = (
                    f"{comparison.candidate.name}: with these inputs and a tolerance of {comparison.tolerance:.2g}, "
                    f"nothing shows whether node '{suspect.name}' samples {now} or {spelling.describe()}"
                )
                findings.append(
                    Finding(
                        message,
                        node=suspect.name,
                        level=level,
                        candidate=comparison.candidate.name,
                        remedy="give real inputs with --inputs",
                    )
                )
                break
    return findings


def repair(candidate: Runner, suspect: Suspect, wanted: Spelling, case: str) -> str:
    """The command that repairs one node, or what to do where no command can."""
    source = candidate.source if candidate.kind == "onnx" else None
    path = shlex.quote(str(source or "model.onnx"))
    tail = "" if candidate.kind == "onnx" else f" && rewriter coreml fixed.onnx -o {_package(candidate)}"
    if suspect.recorded is not None and not _differs(suspect, suspect.recorded, wanted, case):
        return f"rewrite {path} -o fixed.onnx{tail}"
    if _by_rule(suspect.mode(case), wanted):
        rule = f"{glob.escape(suspect.name)}={wanted.coordinate_transformation_mode}"
        return f"rewrite {path} -o fixed.onnx --intent preserve --set {shlex.quote(rule)}{tail}"
    return f"convert the network again, or set the attributes of '{suspect.name}' to {wanted.describe()}"


def _package(candidate: Runner) -> str:
    path = str(candidate.source or "fixed.mlpackage")
    # A single file holds the neuralnetwork format, which has to be asked for by a target that loads it.
    return f"{shlex.quote(path)} --target iOS13" if path.endswith(".mlmodel") else shlex.quote(path)


def _differs(suspect: Suspect, a: Spelling, b: Spelling, case: str) -> bool:
    return not same_meaning(suspect.meaning(a, case), suspect.meaning(b, case))


def _by_rule(mode: str, wanted: Spelling) -> bool:
    """Whether ``--set NODE=MODE`` gives this spelling; a rule keeps the kernel, and nearest has its own roundings."""
    coordinates = wanted.coordinate_transformation_mode
    if wanted.mode != mode or coordinates not in ("align_corners", "half_pixel", "asymmetric"):
        return False
    if mode == "linear":
        return True
    flags = coordinates == "align_corners", coordinates == "half_pixel"
    if mode == "nearest":
        return onnx_attributes("ResizeNearestNeighbor", *flags)["nearest_mode"] == wanted.nearest_mode
    return False


def _measure(comparison: Comparison, candidate: Refittable) -> Measure:
    return lambda case, assignment: comparison.distance(case, candidate.outputs(case, assignment))


def _suggestions(comparison: Comparison, candidate: Refittable, case: str) -> Iterator[Assignment]:
    """What provenance says, then what the reference's own resizes compute, where it can be taken apart."""
    recorded = {
        index: suspect.recorded
        for index, suspect in enumerate(candidate.suspects)
        if suspect.recorded is not None and suspect.contradicts(suspect.recorded, case)
    }
    if recorded:
        yield recorded
    inputs = {case: comparison.by_case[case].reference_inputs}
    try:
        reference = open_refittable(comparison.reference, inputs)
    except RewriterError:
        return  # a hint less
    if reference is None or len(reference.suspects) != len(candidate.suspects):
        return
    meant = {
        index: spelling
        for index, (theirs, ours) in enumerate(zip(reference.suspects, candidate.suspects, strict=True))
        if (spelling := theirs.spelling(case)) is not None and ours.contradicts(spelling, case)
    }
    if meant:
        yield meant


def _finding(
    candidate: Runner,
    suspect: Suspect,
    wanted: Spelling,
    case: str,
    explanation: Explanation,
    proven: bool,
) -> Finding:
    difference = suspect.compare(wanted, case)
    has, should = suspect.describe(case), wanted.describe()
    verb = "computes"
    if suspect.mode(case) == wanted.mode == "linear":
        verb = "samples"
        has, should = has.removeprefix("linear "), should.removeprefix("linear ")
    message = f"node '{suspect.name}' {verb} {has}, the reference {should}: {_shift_words(difference)}"
    if not proven:
        share = explanation.after.average / explanation.before.average
        message += (
            f" (likely, not proven: changing it leaves {share:.0%} of the error, {explanation.after.largest:.2g} "
            "of the range)"
        )
    return Finding(
        message,
        node=suspect.name,
        reference_semantics=wanted.describe(),
        candidate_semantics=suspect.describe(case),
        shift_px=difference.shift.max,
        level="error" if proven else "warning",
        remedy=repair(candidate, suspect, wanted, case),
        candidate=candidate.name,
    )


def _shift_words(difference: Difference) -> str:
    """Where the grids part, e.g. ``shifted 0.25 px at the left edge, -0.25 px at the right edge``."""
    shift = difference.shift
    places = [
        f"{value:.3g} px {where}"
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
    return f"weights differ by up to {difference.max_weight_difference:.3g}"


def _unexamined(candidate: Runner, parts: Refittable) -> list[Finding]:
    return [
        Finding(
            f"node '{name}' was not examined: {reason}", node=name, level="note", candidate=candidate.name
        )
        for name, reason in parts.unexamined
    ]

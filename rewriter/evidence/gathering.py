"""From a model and a reference to evidence: search, check on every case, and say what is determined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from onnx.external_data_helper import load_external_data_for_model

from rewriter.errors import UsageError
from rewriter.evidence.hints import hints
from rewriter.evidence.judging import judge
from rewriter.evidence.reference import Reference, open_reference
from rewriter.evidence.report import Evidence
from rewriter.evidence.trial import Trial
from rewriter.evidence.wishes import contradictions, intent_of
from rewriter.intent import Intent, Intents
from rewriter.model import Model, ResizeNode
from rewriter.verification.metrics import TOLERANCES
from rewriter.verification.refit import Assignment, Explanation, search
from rewriter.verification.runners.onnx import OnnxRunner

__all__ = ["FIXED_RUNS", "RUNS_PER_RESIZE", "Inquiry", "gather"]

FIXED_RUNS = 40
RUNS_PER_RESIZE = 6
"""How often the model may be run in all: ``FIXED_RUNS + RUNS_PER_RESIZE × resizes``."""

_SECONDS = 900.0


class Inquiry:
    """Evidence, and what is needed to hold rules and the rewritten model against it.

    Attributes:
        evidence: what was found.
    """

    def __init__(self, trial: Trial, evidence: Evidence) -> None:
        self._trial = trial
        self.evidence = evidence

    def wish(self, resize: ResizeNode) -> Intent | None:
        """The intent that the reference shows for a node; None for a node that a pass made."""
        entry = self.evidence.of(resize)
        return None if entry is None else intent_of(entry, resize)

    def hear(self, intents: Intents) -> None:
        """Note where explicit rules and provenance, which count for more, say something else than the reference."""
        sentences = contradictions(self._trial, self.evidence, intents)
        self.evidence = replace(self.evidence, contradictions=tuple(sentences))

    def confirm(self, model: Model) -> None:
        """Run the rewritten model on every case.

        Raises:
            InputError: it cannot be run.
        """
        proto = model.to_proto()
        if model.external_locations and model.path is not None:
            load_external_data_for_model(proto, str(model.path.parent))
        error = self._trial.error_of(OnnxRunner(proto))
        runs = self.evidence.model_runs + len(self._trial.cases)
        self.evidence = replace(self.evidence, error_rewritten=error, model_runs=runs)


def gather(
    model: Model,
    reference: str | Path,
    *,
    tolerance: float | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Inquiry:
    """Find the modes of a model's resizes that reproduce a reference.

    Args:
        model: as it was read; it is not changed.
        reference: a golden `.npz`, a TensorFlow model or another ONNX file.
        tolerance: bound on max|d| / range below which the reference counts as reproduced; by default that of
            ``rewriter verify``: 1e-4, and 1e-2 for float16.
        progress: called with one line per step.

    Raises:
        InputError: the reference or the model cannot be read or run.
        UsageError: inputs or outputs do not fit.
        MissingExtraError: the reference needs TensorFlow or coremltools, which is not installed.
    """
    if tolerance is not None and not 0 < tolerance < float("inf"):
        raise UsageError("the tolerance must be a positive number")
    runner = OnnxRunner(model.original if model.path is None else model.path)
    opened = open_reference(reference, runner)
    lower = "float16" if "float16" in (runner.precision, opened.runner.precision) else "float32"
    bound = TOLERANCES[lower] if tolerance is None else tolerance
    trial = Trial(model, runner.proto, opened)
    limit = FIXED_RUNS + RUNS_PER_RESIZE * len(trial.searched)
    progress(f"searching the modes of {len(trial.searched)} resizes that reproduce {opened.runner.name}")
    found = _search(trial, opened, bound, limit, progress)
    before = max(trial.distance(case, {}).largest for case in trial.cases)
    after = max(trial.distance(case, found.changes).largest for case in trial.cases)
    reproduced = after <= bound
    nodes = judge(model, trial, found, reproduced, limit - len(trial.cases))
    evidence = Evidence(
        reference=str(reference),
        cases=tuple(trial.cases),
        pairs=(*opened.pairs, *(link.describe() for link in trial.outputs)),
        model_runs=trial.runs,
        run_limit=limit,
        error_before=before,
        error_after=after,
        tolerance=bound,
        reproduced=reproduced,
        nodes=nodes,
        hints=() if reproduced else hints(model, trial, nodes, bound, str(reference)),
    )
    return Inquiry(trial, evidence)


def _search(
    trial: Trial, reference: Reference, bound: float, limit: int, progress: Callable[[str], None]
) -> Explanation:
    """The changes that explain the first case; where they do not explain another, those that explain that."""
    suggestions: list[Assignment] = []
    recorded = trial.recorded()
    theirs = reference.suggestion(trial.suspects, progress)
    suggestions += [assignment for assignment in (recorded, theirs) if assignment]
    found: Explanation | None = None
    for case in trial.cases:
        if found is not None and trial.distance(case, found.changes).largest <= bound:
            continue
        # What is left after the runs that check every case, and the rewritten model on every case.
        left = limit - trial.runs - 3 * len(trial.cases) + 2
        if found is not None and left < 1:
            break
        again = search(
            trial.suspects,
            case,
            trial.observer(case),
            trial.expected(case),
            tolerance=bound,
            suggestions=[*([found.changes] if found else []), *suggestions],
            reach="kernel",
            frozen=trial.frozen,
            max_runs=max(1, left),
            seconds=_SECONDS,
            settle=True,
        )
        found = again
        if not again.fits:
            break
    assert found is not None
    return found

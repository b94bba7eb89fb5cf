"""Evidence as intents, and where rules and provenance contradict it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rewriter.evidence.report import Evidence, NodeEvidence
from rewriter.evidence.trial import Trial
from rewriter.intent import Intent, Intents
from rewriter.model import ResizeNode
from rewriter.verification.refit import Spelling

__all__ = ["contradictions", "intent_of"]

_SOURCE = "evidence"


def intent_of(entry: NodeEvidence, resize: ResizeNode) -> Intent:
    """What the evidence wants of a node; ``preserve`` where it cannot tell."""
    if entry.wanted is not None:
        attributes = _attributes(entry.wanted, resize)
        return Intent(entry.wanted.coordinate_transformation_mode, _SOURCE, attributes, entry.why)
    if entry.determined:
        return Intent(resize.coordinate_transformation_mode, _SOURCE, {}, f"kept: {entry.why}")
    return Intent("preserve", _SOURCE, {}, f"kept: {entry.why}")


def contradictions(trial: Trial, evidence: Evidence, intents: Intents) -> Iterator[str]:
    """Sentences on nodes whose rule or provenance computes something else than the reference shows."""
    case = trial.cases[0]
    for index, resize in trial.nodes.items():
        entry, intent = evidence.of(resize), intents.resolve(resize)
        if entry is None or intent.source == _SOURCE or not (entry.determined or entry.changed):
            continue
        suspect = trial.suspects[index]
        own = suspect.spelling(case)
        if not evidence.reproduced or own is None or suspect.is_same(_under(intent, own), entry.wanted, case):
            continue
        said = intent.name if intent.attributes else "to keep it as it is"
        rule = shlex.quote(f"{resize.name}={_mode(entry, resize)}")
        yield (
            f"node '{resize.name}': {intent.why} says {said}, the reference shows {entry.chosen}; "
            f"the former is followed ({intent.source} comes before evidence); "
            f"to follow the reference use --set {rule}"
        )


def _attributes(wanted: Spelling, resize: ResizeNode) -> dict[str, str | float | int]:
    """The attributes of a spelling that matter for its kernel."""
    attributes: dict[str, str | float | int] = {
        "coordinate_transformation_mode": wanted.coordinate_transformation_mode
    }
    if wanted.mode != resize.mode:
        attributes["mode"] = wanted.mode
    if wanted.mode == "nearest":
        attributes["nearest_mode"] = wanted.nearest_mode
    if wanted.mode == "cubic":
        attributes["cubic_coeff_a"] = wanted.cubic_coeff_a
        attributes["exclude_outside"] = wanted.exclude_outside
    return attributes


def _under(intent: Intent, own: Spelling) -> Spelling:
    words = {**vars(own), **intent.attributes}
    return Spelling(**words)


def _mode(entry: NodeEvidence, resize: ResizeNode) -> str:
    return "preserve" if entry.wanted is None else entry.wanted.coordinate_transformation_mode

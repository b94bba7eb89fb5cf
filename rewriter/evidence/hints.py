"""What else may differ when no choice of modes reproduces a reference."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from rewriter.evidence.report import NodeEvidence
from rewriter.evidence.trial import Trial
from rewriter.model import Model
from rewriter.verification.metrics import distance

__all__ = ["hints"]


def hints(
    model: Model, trial: Trial, nodes: Iterable[NodeEvidence], tolerance: float, reference: str
) -> tuple[str, ...]:
    """Sentences, the surest first."""
    found = [*_shapes(trial), *_settled(trial, tolerance), *_not_searched(nodes)]
    path = "MODEL" if model.path is None else shlex.quote(str(model.path))
    return (
        *found,
        "also possible: other weights, other preprocessing (range, channel order, layout), another kernel "
        "(nearest instead of linear), an antialiased resize; for a diagnosis run: "
        f"rewriter verify {shlex.quote(reference)} {path}",
    )


def _shapes(trial: Trial) -> Iterator[str]:
    case = trial.cases[0]
    got = trial.run(case, {})
    for name, array in trial.expected(case).items():
        if array.shape != got[name].shape:
            yield f"output '{name}' has shape {list(got[name].shape)}, the reference {list(array.shape)}"


def _settled(trial: Trial, tolerance: float) -> Iterator[str]:
    """Outputs in front of every resize cannot be repaired by one."""
    case = trial.cases[0]
    got = trial.run(case, {})
    for link in trial.settled:
        name = link.reference
        error = distance({name: trial.expected(case)[name]}, got).largest
        if error > tolerance:
            yield f"output '{name}' depends on no resize and differs by {error:.2g} of the range"


def _not_searched(nodes: Iterable[NodeEvidence]) -> Iterator[str]:
    names = [
        f"'{node.node}' ({node.why.removeprefix('not searched: ')})" for node in nodes if not node.searched
    ]
    if names:
        yield f"resizes that were not searched: {', '.join(names)}"

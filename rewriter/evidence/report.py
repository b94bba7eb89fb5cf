"""The evidence as data: the JSON key ``evidence``, and the sentences that the command prints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rewriter.model import ResizeNode
from rewriter.verification.refit.suspects import Spelling

__all__ = ["Evidence", "NodeEvidence", "tensor_of"]


@dataclass(frozen=True)
class NodeEvidence:
    """What the reference says about one resize.

    Attributes:
        node, graph: as in the key ``resizes``.
        before: what the node computes, in words; None where it could not be told.
        chosen: what it should compute, in words; the same as `before` where nothing speaks against that.
        wanted: the attributes that say `chosen`; None where the node stays as it is.
        equivalent: other usual spellings that compute the same as `chosen` at the lengths of the reference.
        determined: whether the outputs tell what the node computes; False where it stays because nothing shows it.
        searched: whether other modes of this node were looked at.
        why: one clause.
        error_otherwise: smallest max|d| / range when this node alone computes something else; None where not tried.
        tensor: what the node makes, which tells it from others of its name.
    """

    node: str
    graph: str
    before: str | None
    chosen: str | None
    wanted: Spelling | None
    equivalent: tuple[str, ...]
    determined: bool
    searched: bool
    why: str
    error_otherwise: float | None = None
    tensor: str = ""

    @property
    def changed(self) -> bool:
        return self.wanted is not None

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "graph": self.graph,
            "chosen": self.chosen,
            "before": self.before,
            "changed": self.changed,
            "equivalent": list(self.equivalent),
            "determined": self.determined,
            "searched": self.searched,
            "why": self.why,
            "error_otherwise": _finite(self.error_otherwise),
        }


@dataclass(frozen=True)
class Evidence:
    """What the search for the modes that reproduce a reference found.

    Attributes:
        reference: the file.
        cases: names of the cases that were compared.
        pairs: how inputs and outputs are paired, in words.
        model_runs: how often the model (or a part of it) was run, the check of the rewritten model included.
        run_limit: how often it might have been.
        error_before: largest max|d| / range over all outputs and cases, with the modes of the file.
        error_after: the same with the modes chosen; where these do not reproduce the reference, the best that was
            found.
        tolerance: bound on `error_after` below which the reference counts as reproduced.
        reproduced: whether it is.
        nodes: every resize, in file order.
        hints: what else may differ, where the reference is not reproduced.
        contradictions: sentences on rules and provenance that say otherwise.
        error_rewritten: the same as `error_after`, of the model that the passes made; None before they ran.
    """

    reference: str
    cases: tuple[str, ...]
    pairs: tuple[str, ...]
    model_runs: int
    run_limit: int
    error_before: float
    error_after: float
    tolerance: float
    reproduced: bool
    nodes: tuple[NodeEvidence, ...]
    hints: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    error_rewritten: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the reference is reproduced: by the chosen modes, and by the rewritten model where it was run."""
        rewritten = self.error_rewritten
        return self.reproduced and (rewritten is None or rewritten <= self.tolerance)

    def of(self, resize: ResizeNode) -> NodeEvidence | None:
        """The evidence on one node of the model as it was read; None for any other."""
        where = resize.graph_path, tensor_of(resize)
        return next((entry for entry in self.nodes if (entry.graph, entry.tensor) == where), None)

    def to_json(self) -> dict[str, Any]:
        """The JSON key ``evidence``."""
        return {
            "reference": self.reference,
            "cases": list(self.cases),
            "pairs": list(self.pairs),
            "model_runs": self.model_runs,
            "run_limit": self.run_limit,
            "error_before": _finite(self.error_before),
            "error_after": _finite(self.error_after),
            "error_rewritten": _finite(self.error_rewritten),
            "tolerance": self.tolerance,
            "reproduced": self.reproduced,
            "passed": self.passed,
            "nodes": [node.to_json() for node in self.nodes],
            "hints": list(self.hints),
            "contradictions": list(self.contradictions),
        }

    def sentences(self) -> list[str]:
        """For the terminal, the verdict first."""
        lines = [self._verdict()]
        changed = [node for node in self.nodes if node.changed]
        lines += [f"evidence: '{node.node}' {node.chosen} instead of {node.before}" for node in changed]
        unsure = [node for node in self.nodes if not node.determined]
        lines += [f"evidence: '{node.node}' is undetermined: {node.why}" for node in unsure]
        lines += [f"warning: {sentence}" for sentence in self.contradictions]
        lines += [f"hint: {sentence}" for sentence in self.hints]
        if self.reproduced and not self.passed:
            lines.append(
                f"FAILED: the rewritten model does not reproduce the reference: error {_number(self.error_rewritten)}"
                f" of the range, allowed is {self.tolerance:.2g}"
            )
        return lines

    def _verdict(self) -> str:
        runs = f"{self.model_runs} model run{'s' if self.model_runs != 1 else ''}"
        before, after = _number(self.error_before), _number(self.error_after)
        if not self.reproduced:
            return (
                f"FAILED: no choice of modes reproduces {self.reference}: error {before} of the range, at best "
                f"{after}, allowed is {self.tolerance:.2g} ({runs}); nothing is changed"
            )
        if not any(node.changed for node in self.nodes):
            return f"evidence: the model reproduces {self.reference}: error {before} of the range ({runs})"
        return f"evidence: {self.reference} is reproduced: error {before} → {after} of the range ({runs})"


def tensor_of(resize: ResizeNode) -> str:
    """Name of the tensor that a node makes."""
    return str(resize.node.outputs[0].name) if resize.node.outputs else ""


def _number(error: float | None) -> str:
    if error is None:
        return "unknown"
    return f"{error:.2g}" if math.isfinite(error) else "infinite (other shapes, or NaN)"


def _finite(error: float | None) -> float | None:
    """JSON has no infinity."""
    return error if error is not None and math.isfinite(error) else None

"""Decide whether a model can go to a higher opset, and take it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import onnx
from onnx_graphsurgeon import Node

from passes.base import Log
from passes.editing import Names
from passes.opset.steps import COMPATIBLE, STEPS, Place, Step
from passes.resize.proof import by_definition
from rewriter.model import RESIZE_OPS, display_name, is_resize, op_types

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["OLDEST", "Blocker", "blocker", "raise_opset"]

OLDEST = 7
"""Before opset 7 operators broadcast, and normalise, in other ways; onnxruntime does not run such models either."""


@dataclass(frozen=True)
class Blocker:
    """A node that cannot follow to a higher opset."""

    graph: str
    node: str
    op: str
    reason: str

    def __str__(self) -> str:
        return f"{self.op} '{self.node}' cannot be raised: {self.reason}"


def blocker(model: Model, target: int) -> Blocker | None:
    """The first node that keeps the model from being raised to `target`; None when all can follow."""
    names = Names(model)
    for node, scope in _nodes_below(model, target):
        if scope.opset < OLDEST:
            return Blocker(
                scope.path, display_name(node), node.op, f"opset {scope.opset} is older than {OLDEST}"
            )
        if is_resize(node):
            continue
        reason = _reason_against(node, scope, target, Place(model, scope, names))
        if reason is not None:
            return Blocker(scope.path, display_name(node), node.op, reason)
    return None


def _reason_against(node: Node, scope: Scope, target: int, place: Place) -> str | None:
    versions = _versions_between(node.op, scope.opset, target)
    if versions is None:
        return f"it is not an operator of opset {scope.opset}"
    for version in versions:
        step = STEPS.get((node.op, version))
        if step is not None:
            reason = step.blocker(node, place)
            if reason is not None:
                return reason
        elif node.op not in COMPATIBLE[version]:
            return f"its meaning changed in opset {version}"
    return None


def raise_opset(model: Model, target: int, names: Names, log: Log) -> None:
    """Raise every graph and function below `target`; `blocker` must have found nothing. Resizes are not touched."""
    work: list[tuple[Node, Scope, list[tuple[int, Step]]]] = []
    for node, scope in _nodes_below(model, target):
        versions = [] if is_resize(node) else _versions_between(node.op, scope.opset, target) or []
        steps = [(version, STEPS[node.op, version]) for version in versions if (node.op, version) in STEPS]
        if steps:
            work.append((node, scope, steps))
    for node, scope, steps in work:
        for version, step in steps:
            _apply(node, version, step, Place(model, scope, names), log)
    for scope in list(model.scopes()):
        if scope.graph is scope.root and scope.opset < target:
            proof = by_definition(
                "opset",
                f"no operator of the graph changed its meaning up to opset {target}",
                before=scope.opset,
                after=target,
            )
            log.change(
                scope.path,
                None,
                "opset_import",
                scope.opset,
                target,
                f"Resize has explicit coordinates since opset 11, its present form since {target}",
                "respelling",
                certificate=proof,
            )
            scope.graph.opset = target


def _apply(node: Node, version: int, step: Step, place: Place, log: Log) -> None:
    before = _words(node)
    op, outputs = node.op, [tensor.name for tensor in node.outputs]
    step.apply(node, place)
    after = _words(node)
    if before == after and [tensor.name for tensor in node.outputs] == outputs:
        return
    log.change(
        place.scope.path,
        node.name or outputs[0],
        "definition",
        before,
        after,
        f"{op} is written this way since opset {version}",
        "respelling",
        certificate=by_definition(
            "operator version",
            f"{op} of opset {version} with these inputs is the {op} it replaces",
            operator=op,
            opset=version,
        ),
    )


def _words(node: Node) -> str:
    plain = {name: value for name, value in node.attrs.items() if isinstance(value, (int, float, str, list))}
    inputs = ", ".join(tensor.name for tensor in node.inputs)
    return f"{node.op}({', '.join([inputs, *(f'{name}={value}' for name, value in plain.items())])})"


def _nodes_below(model: Model, target: int) -> Iterator[tuple[Node, Scope]]:
    """The nodes that need a look before they go to `target`."""
    for scope in model.scopes():
        if scope.opset >= target:
            continue
        affected = [op for op in op_types(scope.graph) if not _stays_the_same(op, scope.opset, target)]
        yield from ((node, scope) for node in scope.nodes_of(*affected) if not _is_call(node, model))


def _stays_the_same(op: str, old: int, new: int) -> bool:
    """Whether no node of this type has to change, whatever it says."""
    if op in RESIZE_OPS or old < OLDEST:
        return False
    versions = _versions_between(op, old, new)
    if versions is None:
        return False
    return all((op, version) not in STEPS and op in COMPATIBLE[version] for version in versions)


def _is_call(node: Node, model: Model) -> bool:
    return any(f.name == node.op and (f.domain or "") == (node.domain or "") for f in model.graph.functions)


@lru_cache(maxsize=4096)
def _versions_between(op: str, old: int, new: int) -> list[int] | None:
    """Opsets above `old` up to `new` in which the definition of `op` changed; None for an unknown operator."""
    try:
        first = onnx.defs.get_schema(op, old, "").since_version
    except onnx.defs.SchemaError:
        return None
    versions = []
    version = new
    while version > old:
        since = onnx.defs.get_schema(op, version, "").since_version
        if since <= first:
            break
        versions.append(since)
        version = since - 1
    return versions[::-1]

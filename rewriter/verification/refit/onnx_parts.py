"""What depends on the resizes of an ONNX model, and what they are recorded to come from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import onnx

__all__ = [
    "Cut",
    "is_resize",
    "name_of",
    "nested_resizes",
    "own_record",
    "reads",
    "recorded_table",
    "sources",
    "without_functions",
]

_OPS = ("Resize", "Upsample")


class Cut:
    """The nodes that depend on a resize, and the tensors from before that they read.

    Attributes:
        nodes: resizes and what depends on them, and the constants they read.
        frontier: tensors that `nodes` read and other nodes or the model's inputs provide.
        settled: outputs of the model that depend on no resize.
    """

    def __init__(self, graph: onnx.GraphProto, resizes: list[onnx.NodeProto]) -> None:
        roots = {node.output[0] for node in resizes}
        changing: set[str] = set()
        dependent = []
        for node in graph.node:
            if node.output and (node.output[0] in roots or any(name in changing for name in reads(node))):
                changing.update(name for name in node.output if name)
                dependent.append(node)
        read = {name for node in dependent for name in reads(node)}
        constants = [n for n in graph.node if n.op_type == "Constant" and n.output[0] in read]
        self.nodes = [*constants, *dependent]
        provided = {name for node in self.nodes for name in node.output}
        provided |= {tensor.name for tensor in graph.initializer}
        provided |= {tensor.values.name for tensor in graph.sparse_initializer}
        available = {name for node in graph.node for name in node.output}
        available |= {value.name for value in graph.input}
        self.frontier = sorted((read & available) - provided)
        self.settled = [value.name for value in graph.output if value.name not in changing]


def is_resize(node: onnx.NodeProto) -> bool:
    return node.op_type in _OPS and node.domain in ("", "ai.onnx")


def name_of(node: onnx.NodeProto) -> str:
    return str(node.name or node.output[0])


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def nested_resizes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        for nested in _subgraphs(node):
            yield from (inner for inner in nested.node if is_resize(inner))
            yield from nested_resizes(nested)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Tensors that a node reads, those that its subgraphs read included."""
    yield from (name for name in node.input if name)
    for graph in _subgraphs(node):
        for nested in graph.node:
            yield from reads(nested)
        yield from (value.name for value in graph.output)


def sources(graph: onnx.GraphProto, outputs: Collection[str]) -> set[str]:
    """Every tensor of the main graph that one of these outputs is computed from, themselves included."""
    found = set(outputs)
    for node in reversed(graph.node):
        if any(name in found for name in node.output):
            found.update(reads(node))
    return found


def without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model itself, or a copy with local functions inlined where one of them resizes."""
    if not any(is_resize(node) for function in model.functions for node in function.node):
        return model
    from onnx import inliner

    return inliner.inline_local_functions(model)


def recorded_table(model: onnx.ModelProto) -> Mapping[str, Any]:
    for entry in model.metadata_props:
        if entry.key == "rewriter.sources":
            try:
                value = json.loads(entry.value)
            except ValueError:
                return {}
            return value if isinstance(value, dict) else {}
    return {}


def own_record(node: onnx.NodeProto) -> str | None:
    return next((entry.value for entry in node.metadata_props if entry.key == "rewriter.source"), None)

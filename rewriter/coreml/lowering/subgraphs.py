"""Graphs inside of nodes."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

__all__ = ["free_names", "subgraphs"]


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node holds."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def free_names(graph: onnx.GraphProto) -> set[str]:
    """Names that a subgraph takes from the graphs around it."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own.update(name for node in graph.node for name in node.output)
    read = {name for node in graph.node for name in node.input if name}
    read.update(value.name for value in graph.output)
    for node in graph.node:
        for inner in subgraphs(node):
            read |= free_names(inner)
    return read - own

"""Sizes and shapes of Resize nodes as every runtime can use them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rewriter.tensorflow.provenance import Provenance

__all__ = ["declare_resized", "name_every_axis"]

_BOUND_TO_LAYOUT = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "MaxPool",
        "SpaceToDepth",
    }
)
"""Operators that demand channels first: nothing moves a Transpose past them."""
Neighbours = Mapping[str, Sequence[onnx.NodeProto]]


def name_every_axis(model: onnx.ModelProto) -> None:
    """Give a Resize all four sizes instead of two and `axes`, where a Transpose comes before and after it.

    onnxruntime (1.32 and before, at its default optimisation level) moves a Transpose through a Resize where it
    meets another behind, permutes the sizes, and disregards `axes`: the model then does not load. The sizes of
    the other two axes are read from the input, as the batch may be unknown.
    """
    for graph in _graphs(model.graph):
        before, after = _producers(graph), _consumers(graph)
        nodes = []
        for node in graph.node:
            axes = [attribute for attribute in node.attribute if attribute.name == "axes"]
            enclosed = node.op_type == "Resize" and axes
            if enclosed and _meets_transpose(node, before) and _meets_transpose(node, after):
                node.attribute.remove(axes[0])
                nodes += _all_sizes(graph, node)
            nodes.append(node)
        if len(nodes) != len(graph.node):
            kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
            del graph.node[:]
            graph.node.extend(kept)


def declare_resized(model: onnx.ModelProto, records: Mapping[str, Provenance]) -> None:
    """Declare type and shape of each Resize's output, with the lengths that TensorFlow knows.

    onnx's own inference does not follow sizes that are computed, nor what a tool may make of them.

    Args:
        model: changed in place.
        records: by the name of the node.
    """
    for graph in _graphs(model.graph):
        declared = {info.name for info in [*graph.value_info, *graph.output]}
        for node in graph.node:
            result = records[node.name].result if node.op_type == "Resize" else None
            if result is not None and node.output[0] not in declared:
                graph.value_info.append(helper.make_tensor_value_info(node.output[0], *result))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for subgraph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(subgraph)


def _producers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Node by the name of each node that it feeds."""
    makers = {name: node for node in graph.node for name in node.output}
    return {node.name: [makers[name] for name in node.input if name in makers] for node in graph.node}


def _consumers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    users = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    return {node.name: [user for name in node.output for user in users[name]] for node in graph.node}


def _meets_transpose(start: onnx.NodeProto, neighbours: Neighbours) -> bool:
    """Whether a Transpose lies in this direction before any operator that is bound to its layout."""
    seen, pending = {start.name}, list(neighbours[start.name])
    while pending:
        node = pending.pop()
        if node.op_type == "Transpose":
            return True
        if node.name in seen or node.op_type in _BOUND_TO_LAYOUT:
            continue
        seen.add(node.name)
        pending += neighbours[node.name]
    return False


def _all_sizes(graph: onnx.GraphProto, resize: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that put batch and channels of the input in front of the sizes of height and width."""
    stem = resize.name
    bounds = {f"{stem}/batch": [0], f"{stem}/height": [2]}
    for name, value in bounds.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    nodes = [
        helper.make_node("Shape", [resize.input[0]], [f"{stem}/shape"], name=f"{stem}/shape"),
        helper.make_node(
            "Slice", [f"{stem}/shape", *bounds], [f"{stem}/outer_sizes"], name=f"{stem}/outer_sizes"
        ),
        helper.make_node(
            "Concat",
            [f"{stem}/outer_sizes", resize.input[3]],
            [f"{stem}/all_sizes"],
            name=f"{stem}/all_sizes",
            axis=0,
        ),
    ]
    resize.input[3] = f"{stem}/all_sizes"
    return nodes

"""Sizes and shapes of Resize nodes as every runtime can use them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rewriter.tensorflow.provenance import Provenance

__all__ = ["declare_resized", "keep_cubic_in_place", "name_every_axis"]

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
    keep_cubic_in_place(model)
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
            _set_nodes(graph, nodes)


def keep_cubic_in_place(model: onnx.ModelProto) -> None:
    """Put a reshape to the same shape before a cubic Resize that Transposes enclose.

    onnxruntime (1.32 and before, at its default optimisation level) moves the Transpose before a Resize behind it
    where it meets another there, and has no cubic kernel for channels last that shrinks: the model then fails when
    it is loaded or run (microsoft/onnxruntime#12302). It moves nothing past a reshape.
    """
    if not any(_is_cubic(node) for graph in _graphs(model.graph) for node in graph.node):
        return
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {info.name: info for graph in _graphs(inferred.graph) for info in graph.value_info}
    for graph in _graphs(model.graph):
        before, after = _producers(graph), _consumers(graph)
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            if _is_cubic(node) and _meets_transpose(node, before) and _meets_transpose(node, after):
                nodes += _reshape_before(graph, node, known.get(node.input[0]))
            nodes.append(node)
        if len(nodes) != len(graph.node):
            _set_nodes(graph, nodes)


def _is_cubic(node: onnx.NodeProto) -> bool:
    return node.op_type == "Resize" and any(
        attribute.name == "mode" and attribute.s == b"cubic" for attribute in node.attribute
    )


def _reshape_before(
    graph: onnx.GraphProto, resize: onnx.NodeProto, info: onnx.ValueInfoProto | None
) -> list[onnx.NodeProto]:
    """Nodes that reshape what the Resize reads to its own shape, so that onnxruntime cannot take them out.

    A Reshape that changes nothing it removes where it knows the lengths; one that undoes a Flatten it keeps.
    """
    images, stem = resize.input[0], resize.name
    lengths = [] if info is None else [axis.dim_value for axis in info.type.tensor_type.shape.dim[1:]]
    flat, shape, kept = f"{stem}/flat", f"{stem}/same_shape", f"{stem}/in_place"
    nodes = [helper.make_node("Flatten", [images], [flat], name=flat, axis=1)]
    if len(lengths) == 3 and min(lengths) > 0:
        graph.initializer.append(numpy_helper.from_array(np.array([-1, *lengths], np.int64), shape))
    else:
        nodes.append(helper.make_node("Shape", [images], [shape], name=shape))
    resize.input[0] = kept
    return [*nodes, helper.make_node("Reshape", [flat, shape], [kept], name=kept)]


def _set_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
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
        # tf2onnx writes a Transpose of one row, column or channel as Reshape, which onnxruntime moves all the same.
        if node.op_type in ("Transpose", "Reshape"):
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

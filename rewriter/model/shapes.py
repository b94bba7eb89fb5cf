"""Types and shapes that the file does not declare, from one run of onnx's shape inference without the weights."""

from __future__ import annotations

from typing import Any, TypeAlias

import onnx
from onnx import GraphProto, ModelProto, TensorProto

from rewriter.model.values import describe_type, is_external
from rewriter.model.view import GraphBinding, View

__all__ = ["Inferred", "Shape", "infer"]

Shape: TypeAlias = "tuple[int | str | None, ...]"
Inferred: TypeAlias = "tuple[Any, Shape | None]"
"""dtype and shape, either None where unknown."""
_SMALL = 1024
"""Tensors with more elements than this cannot be shapes; inference sees their type only."""


def infer(proto: ModelProto, view: View) -> dict[int, dict[str, Inferred]]:
    """Inferred dtype and shape by tensor name, for each scope by the identity of its binding.

    Inference is not strict: where it fails there is no entry.
    """
    shapes: dict[int, dict[str, Inferred]] = {}
    try:
        inferred = onnx.shape_inference.infer_shapes(_without_weights(proto))
        _collect(inferred.graph, view.bindings.graphs[id(view.graph)], shapes)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        # An invalid model; the checker that runs before anything is written says what is wrong with it.
        return {}
    return shapes


def _collect(graph: GraphProto, binding: GraphBinding, shapes: dict[int, dict[str, Inferred]]) -> None:
    known: dict[str, Inferred] = {}
    for info in [*graph.value_info, *graph.input, *graph.output]:
        known[info.name] = describe_type(info.type)[:2]
    shapes[id(binding)] = known
    for node in binding.nodes:
        if not node.subgraphs:
            continue
        for attribute in graph.node[node.index].attribute:
            if attribute.name in node.subgraphs:
                _collect(attribute.g, node.subgraphs[attribute.name], shapes)


def _without_weights(proto: ModelProto) -> ModelProto:
    light = ModelProto(ir_version=proto.ir_version)
    light.opset_import.extend(proto.opset_import)
    light.functions.extend(proto.functions)
    graph = light.graph
    graph.name = proto.graph.name
    for field in ("node", "input", "output", "value_info"):
        getattr(graph, field).extend(getattr(proto.graph, field))
    for tensor in proto.graph.initializer:
        size = 1
        for length in tensor.dims:
            size *= length
        if size > _SMALL or is_external(tensor):
            graph.initializer.append(
                TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            )
        else:
            graph.initializer.append(tensor)
    return light

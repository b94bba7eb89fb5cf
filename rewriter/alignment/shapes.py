"""Shapes that follow from computed shape tensors: exporters reshape to Concat(Shape(x)[0:1], 16, Shape(x)[2:])."""

from __future__ import annotations

import onnx
from onnx import ModelProto, TensorProto

from rewriter.model import Model
from rewriter.model.values import describe_type, is_external

__all__ = ["Shape", "better", "propagated"]

Shape = tuple["int | str | None", ...]
_SMALL = 1024
"""Tensors with more elements than this cannot be shapes; inference sees their type only."""


def propagated(model: Model) -> dict[str, Shape]:
    """Shapes of the main graph's tensors by name, with onnx's data propagation; empty where inference fails."""
    original = model.to_proto() if model.is_edited else model.original
    light = ModelProto(ir_version=original.ir_version)
    light.opset_import.extend(original.opset_import)
    light.functions.extend(original.functions)
    light.graph.name = original.graph.name
    for field in ("node", "input", "output"):
        getattr(light.graph, field).extend(getattr(original.graph, field))
    for tensor in original.graph.initializer:
        size = 1
        for length in tensor.dims:
            size *= length
        heavy = size > _SMALL or is_external(tensor)
        bare = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        light.graph.initializer.append(bare if heavy else tensor)
    try:
        graph = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return {}  # what the model itself declares has to do
    known = {info.name: describe_type(info.type)[1] for info in [*graph.value_info, *graph.output]}
    return {name: shape for name, shape in known.items() if shape is not None}


def better(first: Shape | None, second: Shape | None) -> Shape | None:
    """Of two shapes of one tensor the one that says more."""
    if first is None or second is None or len(first) != len(second):
        return second if first is None else first
    return tuple(a if isinstance(a, int) or b is None else b for a, b in zip(first, second, strict=True))

"""Shapes that follow from computed shape tensors: exporters reshape to Concat(Shape(x)[0:1], 16, Shape(x)[2:])."""

from __future__ import annotations

from rewriter.model import Model
from rewriter.model.inference import infer
from rewriter.model.shapes import without_weights
from rewriter.model.values import describe_type

__all__ = ["Shape", "better", "propagated"]

Shape = tuple["int | str | None", ...]


def propagated(model: Model) -> dict[str, Shape]:
    """Shapes of the main graph's tensors by name, with onnx's data propagation; empty where inference fails."""
    original = model.to_reference_proto() if model.is_edited else model.original
    light = without_weights(original, declared=False)
    inferred = infer(light, data_prop=True)
    if inferred is None:
        return {}  # what the model itself declares has to do
    graph = inferred.graph
    known = {info.name: describe_type(info.type)[1] for info in [*graph.value_info, *graph.output]}
    return {name: shape for name, shape in known.items() if shape is not None}


def better(first: Shape | None, second: Shape | None) -> Shape | None:
    """Of two shapes of one tensor the one that says more."""
    if first is None or second is None or len(first) != len(second):
        return second if first is None else first
    return tuple(a if isinstance(a, int) or b is None else b for a, b in zip(first, second, strict=True))

"""Field numbers of ONNX's messages, by name."""

from __future__ import annotations

from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["ATTRIBUTE", "FUNCTION", "GRAPH", "MODEL", "NODE", "TENSOR"]


def _numbers(message: Any) -> dict[str, int]:
    return {entry.name: entry.number for entry in message.DESCRIPTOR.fields}


MODEL, GRAPH, FUNCTION = _numbers(ModelProto), _numbers(GraphProto), _numbers(FunctionProto)
NODE, ATTRIBUTE, TENSOR = _numbers(NodeProto), _numbers(AttributeProto), _numbers(TensorProto)

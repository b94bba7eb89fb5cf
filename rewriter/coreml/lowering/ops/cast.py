"""Conversions between element types."""

from __future__ import annotations

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var
from onnx import TensorProto

from rewriter.coreml.lowering.mil import cast
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import element_type_name

__all__: list[str] = []

_MIL_NAMES = {
    TensorProto.FLOAT: "fp32",
    TensorProto.DOUBLE: "fp32",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int32",
    TensorProto.BOOL: "bool",
}


@lowering("Cast")
def cast_to(node: Node) -> Var:
    wanted = int(node.attributes["to"])
    if wanted == TensorProto.FLOAT16:
        # The values are rounded as ONNX asks, and then go on in the program's own precision.
        return mb.cast(x=mb.cast(x=node.var(), dtype="fp16"), dtype="fp32")
    if wanted not in _MIL_NAMES:
        raise node.refuse(f"element type {element_type_name(wanted)} does not exist in MIL programs")
    return cast(node.var(), _MIL_NAMES[wanted])

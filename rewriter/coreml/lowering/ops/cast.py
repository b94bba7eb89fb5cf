"""Conversions between element types."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var
from onnx import TensorProto, helper

from rewriter.coreml.lowering.mil import cast, mil_name, numpy_type
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
    return _converted(node, int(node.attributes["to"]))


@lowering("CastLike")
def cast_like(node: Node) -> Var | np.ndarray:
    constant = node.constant(1)
    if constant is not None:
        return _converted(node, int(helper.np_dtype_to_tensor_dtype(constant.dtype)))
    given = node.constant(0)
    if given is not None and not given.size:  # exists as a constant only
        return given.astype(numpy_type(node.var(1)))
    # ONNX's float16 and float64 are float32 in the program: only its own types can be told apart.
    return cast(node.var(), mil_name(node.var(1)))


def _converted(node: Node, wanted: int) -> Var:
    if wanted == TensorProto.FLOAT16:
        # The values are rounded as ONNX asks, and then go on in the program's own precision.
        return mb.cast(x=mb.cast(x=node.var(), dtype="fp16"), dtype="fp32")
    if wanted not in _MIL_NAMES:
        raise node.refuse(f"element type {element_type_name(wanted)} does not exist in MIL programs")
    return cast(node.var(), _MIL_NAMES[wanted])

"""Arithmetic on values that are known now, or only when the model runs.

An operation whose operands are all known is done at once, by numpy, in the dtype of the operands; otherwise a node
is written. So one formula gives a constant where sizes are constant, and a small graph where they are not, and both
round alike: every step is one operation on float32 or int64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx

__all__ = ["Expression", "Known", "Operand", "Value", "known_input"]

Known: TypeAlias = np.ndarray
_FLOAT, _INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
_NUMPY: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "Ceil": np.ceil,
    "Div": np.divide,
    "Equal": np.equal,
    "Exp": np.exp,
    "Floor": np.floor,
    "Greater": np.greater,
    "Less": np.less,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Not": np.logical_not,
    "Range": np.arange,
    "Reshape": np.reshape,
    "Sin": np.sin,
    "Sub": np.subtract,
    "Where": np.where,
}
"""The operators of a formula, by ONNX's names. Integers are never divided: `Div` is for float32."""


@dataclass(frozen=True)
class Operand:
    """A tensor of the graph under conversion: its name, where its value is not known."""

    name: str


Value: TypeAlias = "Known | Operand"


class Expression:
    """Writes one formula into a tf2onnx graph; known operands are numpy arrays of float32, int64 or bool."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def __call__(self, op: str, *operands: Value) -> Value:
        """An operator of `_NUMPY`; the operands have one dtype."""
        known = [operand for operand in operands if isinstance(operand, np.ndarray)]
        if len(known) < len(operands):
            return self.node(op, operands)
        computed = np.asarray(_NUMPY[op](*known))
        kept = known[-1].dtype if op in ("Range", "Where") else computed.dtype
        return computed.astype(kept, copy=False)

    def node(self, op: str, operands: Sequence[Value], **attributes: Any) -> Operand:
        """Write a node whatever is known."""
        made = self.graph.make_node(op, [self.name(operand) for operand in operands], attr=attributes)
        return Operand(str(made.output[0]))

    def name(self, value: Value) -> str:
        """The tensor of a value; a known one becomes a constant."""
        from tf2onnx import utils

        if isinstance(value, Operand):
            return value.name
        return str(self.graph.make_const(utils.make_name("image_op"), np.array(value, order="C")).output[0])

    def floats(self, value: Value) -> Value:
        """As float32."""
        if isinstance(value, np.ndarray):
            return value.astype(np.float32)
        if self.graph.get_dtype(value.name) == _FLOAT:
            return value
        return self.node("Cast", [value], to=_FLOAT)

    def integers(self, value: Value) -> Value:
        """As int64; a fraction is cut off."""
        if isinstance(value, np.ndarray):
            return value.astype(np.int64)
        if self.graph.get_dtype(value.name) == _INT64:
            return value
        return self.node("Cast", [value], to=_INT64)

    def length(self, tensor: str, axis: int) -> Value:
        """Length of one axis, an int64 scalar."""
        shape = self.graph.get_shape(tensor)
        if shape is not None and shape[axis] >= 0:
            return np.array(shape[axis], np.int64)
        return self.pick(self.node("Shape", [Operand(tensor)]), axis)

    def pick(self, vector: Value, index: int) -> Value:
        """One element of a vector, a scalar."""
        if isinstance(vector, np.ndarray):
            return np.asarray(vector[index])
        return self.node("Gather", [vector, np.array(index, np.int64)], axis=0)

    def column(self, matrix: Value, index: int) -> Value:
        """One column of a matrix, a vector."""
        if isinstance(matrix, np.ndarray):
            return np.ascontiguousarray(matrix[:, index])
        return self.node("Gather", [matrix, np.array(index, np.int64)], axis=1)

    def counting(self, length: Value) -> Value:
        """0, 1, …, length - 1 as float32."""
        first, step = np.array(0, np.int64), np.array(1, np.int64)
        return self.floats(self("Range", first, length, step))

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        return self("Reshape", value, np.array(shape, np.int64))

    def unsqueezed(self, value: Value, axis: int) -> Value:
        """With a new axis of length 1."""
        if isinstance(value, np.ndarray):
            return np.expand_dims(value, axis)
        from tf2onnx.graph_builder import GraphBuilder

        # The axes are an attribute before opset 13, and an input from there on.
        made = GraphBuilder(self.graph).make_unsqueeze({"data": value.name, "axes": [axis]})
        return Operand(str(made))

    def row_sums(self, matrix: Value) -> Value:
        """Sums of the rows of a matrix, [n, 1]."""
        if isinstance(matrix, np.ndarray):
            return matrix.sum(axis=1, keepdims=True, dtype=np.float32)
        from tf2onnx.graph_builder import GraphBuilder

        made = GraphBuilder(self.graph).make_reduce_sum(
            {"data": matrix.name, "axes": [1], "keepdims": 1, "noop_with_empty_axes": 0}
        )
        return Operand(str(made))

    def transposed(self, matrix: Value) -> Value:
        if isinstance(matrix, np.ndarray):
            return np.ascontiguousarray(matrix.T)
        return self.node("Transpose", [matrix], perm=[1, 0])


def known_input(node: Any, index: int) -> Value:
    """An input of a TensorFlow op: its value where it is a constant, else its tensor."""
    source = node.inputs[index]
    if source is not None and source.is_const():
        return np.asarray(source.get_tensor_value(as_list=False))
    return Operand(str(node.input[index]))

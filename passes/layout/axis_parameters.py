"""Operators that name axes (reductions, Pad, Slice, Softmax, Concat): their parameters follow when axes move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.editing import Names, set_inputs
from passes.layout.permutation import Permutation
from rewriter.model import constant_value

if TYPE_CHECKING:
    from rewriter.model import Scope

__all__ = ["REDUCTIONS", "SUMS", "axes_of", "axis_obstacle", "move_axis_parameters", "names_axes"]

_EXTREMES = frozenset({"ReduceMax", "ReduceMin"})
_SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
SUMS = _SOFTMAX | {
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceProd", "ReduceSum",
    "ReduceSumSquare",
}  # fmt: skip
"""Operators that add or multiply numbers: in another order the last bits of their results may differ."""

REDUCTIONS = _EXTREMES | (SUMS - _SOFTMAX)
_FIRST_SOFTMAX_OF_ONE_AXIS = 13
_FIRST_OPSET_WITH_INPUTS = {"Slice": 10, "Pad": 11}
# Where the list of axes lies among the inputs, where it is one.
_AXES_INPUT = {"Slice": 3, "Pad": 3, **dict.fromkeys(REDUCTIONS, 1)}


def names_axes(node: Node) -> bool:
    """Whether the operator is one of these."""
    return node.op in REDUCTIONS or node.op in _SOFTMAX or node.op in ("Concat", "Pad", "Slice")


def axis_obstacle(node: Node, order: Permutation, scope: Scope, *, may_drop: bool = False) -> str | None:
    """Why the parameters of a node that `names_axes` cannot follow; None when they can.

    Args:
        node, order, scope: the node, and the order of the Transpose before it.
        may_drop: the node may be a reduction that drops axes.
    """
    if node.op == "Concat":
        return None
    if node.op in _SOFTMAX:
        return None if scope.opset >= _FIRST_SOFTMAX_OF_ONE_AXIS else "it flattens its input into a matrix"
    if node.op in REDUCTIONS and not may_drop and not node.attrs.get("keepdims", 1):
        return "it drops axes"
    if scope.opset < _FIRST_OPSET_WITH_INPUTS.get(node.op, 1):
        return "its parameters are attributes, which upgrade-resize does not touch"
    lists = [value for value in _lists(node) if value is not None and value.name]
    if any(constant_value(value) is None for value in lists):
        return "its parameters are computed"
    if node.op == "Pad" and axes_of(node) is None:
        widths = constant_value(node.inputs[1])
        if widths is None or widths.size != 2 * len(order):
            return "it has not two widths for each axis"
    return None


def move_axis_parameters(node: Node, order: Permutation, names: Names) -> None:
    """Let a node without `axis_obstacle` name the axes of the tensor before the Transpose."""
    if node.op == "Concat":
        node.attrs["axis"] = order[int(node.attrs["axis"]) % len(order)]
    elif node.op in _SOFTMAX:
        node.attrs["axis"] = order[int(node.attrs.get("axis", -1)) % len(order)]
    else:
        _move_list(node, order, names)


def _move_list(node: Node, order: Permutation, names: Names) -> None:
    axes = axes_of(node)
    if axes is None and node.op in REDUCTIONS:
        return  # all axes
    count = len(order)
    if axes is None and node.op == "Slice":
        starts = constant_value(node.inputs[1])
        count = 0 if starts is None else starts.size
    moved = [order[axis % len(order)] for axis in (range(count) if axes is None else axes)]
    if "axes" in node.attrs:
        node.attrs["axes"] = moved
        return
    if axes is None and node.op == "Pad":
        _move_widths(node, order, names)
        return
    position = _AXES_INPUT[node.op]
    inputs: list[Tensor | None] = [tensor if tensor.name else None for tensor in node.inputs]
    inputs += [None] * (position + 1 - len(inputs))
    base = f"{node.name or node.op}_axes"
    inputs[position] = names.constant(base, moved, np.int64)
    set_inputs(node, inputs)


def _move_widths(node: Node, order: Permutation, names: Names) -> None:
    """Pad without a list of axes: all widths before, then all widths after."""
    widths = constant_value(node.inputs[1])
    assert widths is not None
    table = widths.reshape(2, len(order))
    moved = np.empty_like(table)
    moved[:, list(order)] = table
    inputs = list(node.inputs)
    inputs[1] = names.constant(f"{node.inputs[1].name}_transposed", moved.reshape(-1), widths.dtype)
    node.inputs = inputs


def axes_of(node: Node) -> list[int] | None:
    """The axes that a node names; None where it means all, or the first ones."""
    listed: Any = node.attrs.get("axes")
    if listed is not None:
        return [int(axis) for axis in listed]
    position = _AXES_INPUT[node.op]
    if position >= len(node.inputs) or not node.inputs[position].name:
        return None
    value = constant_value(node.inputs[position])
    return None if value is None or (node.op in REDUCTIONS and not value.size) else [int(a) for a in value]


def _lists(node: Node) -> list[Tensor]:
    """The inputs that belong to the axes."""
    if node.op == "Slice":
        return list(node.inputs[1:])
    if node.op == "Pad":
        return [tensor for place, tensor in enumerate(node.inputs) if place in (1, 3)]
    return list(node.inputs[1:2])

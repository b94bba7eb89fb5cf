"""Which nodes compute the same on transposed inputs, up to a transposed output, bit for bit, and how they change.

Operators whose kernels compute the last elements of a buffer by other instructions than the rest (Elu, Selu,
Softplus, Mish, Log, Sin and Cos in onnxruntime: measured) are not among them: another order of the elements gives
other last bits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.editing import Names
from passes.layout.axis_parameters import SUMS, axis_obstacle, move_axis_parameters, names_axes
from passes.layout.permutation import Permutation, inverse
from rewriter.model import constant_value, in_default_domain, is_resize

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode, Scope

__all__ = ["Movable", "data_inputs", "extra_nodes", "is_transparent", "obstacle", "transpose_node"]


def _ops(names: str) -> frozenset[str]:
    return frozenset(names.split())


_UNARY = _ops(
    """Abs Cast Ceil Clip Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Neg Not Reciprocal Relu Round Sigmoid
    Sign Sqrt Tanh ThresholdedRelu"""
)
_BROADCASTING = _ops(
    """Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mul Or PRelu Sub Sum Where Xor"""
)
_OLDEST_BROADCASTING = 7
_FLOATS = tuple(np.dtype(kind) for kind in (np.float16, np.float32, np.float64))


@dataclass(frozen=True)
class Movable:
    """What a Transpose may move through besides element-wise operators.

    Attributes:
        resizes: resizes, too.
        sums: reductions and Softmax, too, though their sums may round in another order then.
    """

    resizes: bool = True
    sums: bool = False


def is_transparent(node: Node, movable: Movable = Movable()) -> bool:
    """Whether the operator is one that a Transpose may move through."""
    if not in_default_domain(node) or len(node.outputs) != 1 or not node.inputs:
        return False
    if is_resize(node):
        return movable.resizes
    if node.op in SUMS:
        return movable.sums
    return node.op in _UNARY or node.op in _BROADCASTING or names_axes(node)


def data_inputs(node: Node) -> list[Tensor]:
    """The inputs that are transposed with the output; the others are single numbers or lists of lengths."""
    every = node.op in _BROADCASTING or node.op == "Concat"
    return list(node.inputs) if every else [node.inputs[0]]


def obstacle(node: Node, order: Permutation, moving: set[int], model: Model, scope: Scope) -> str | None:
    """Why a Transpose by `order` cannot move through `node`; None when it can.

    Args:
        node: a node that `is_transparent`.
        order: of the Transpose.
        moving: identities of the tensors that come from such Transposes.
        model, scope: where the node is.
    """
    if any(isinstance(value, Node.AttributeRef) for value in node.attrs.values()):
        return "an attribute is a parameter of the function around it"
    for tensor in data_inputs(node):
        if id(tensor) in moving:
            continue
        value = constant_value(tensor) if node.op != "Concat" else None
        if value is None or value.ndim > len(order):
            return f"'{tensor.name}' is not transposed in the same way"
    if names_axes(node):
        return axis_obstacle(node, order, scope)
    if is_resize(node):
        return _resize_obstacle(model.resize(node, scope), order, model)
    if node.op in _BROADCASTING and scope.opset < _OLDEST_BROADCASTING:
        return "it broadcasts in an old way"
    return None


def _resize_obstacle(resize: ResizeNode, order: Permutation, model: Model) -> str | None:
    if resize.is_legacy:
        return "upgrade-resize has to make it a Resize first"
    if resize.mode == "nearest":
        return None  # every axis picks pixels on its own
    rank = len(order)
    resized = _resized_axes(resize, rank)
    if resized is None:
        return "which axes it resizes is not known"
    if not resized or (min(resized) >= 2 and order[2:] == tuple(range(2, rank))):
        return None  # the planes that it works on stay what they are
    if model.dtype(resize.node.inputs[0], resize.scope) not in _FLOATS:
        return "kernels for integers round differently in the other layout"
    is_plain = resize.mode == "linear" and not resize.node.attrs.get("antialias")
    if not is_plain or resize.coordinate_transformation_mode == "tf_crop_and_resize":
        return "kernels compute in another order in the other layout"
    return (
        None
        if _is_image_layout(resized, order)
        else "no kernel for that layout is known to agree bit for bit"
    )


def _is_image_layout(resized: set[int], order: Permutation) -> bool:
    """Whether the Transpose turns [1, 1, h, w] into [1, h, w, 1] or back.

    Measured: onnxruntime's linear kernels for the two agree bit for bit, unless the height keeps its length; the
    first one then serves both, and takes the width for a height.
    """
    if len(order) != 4:
        return False
    for height, new in ((2, 1), (1, 2)):
        if resized <= {height, height + 1} and height in resized:
            return order[height : height + 2] == (new, new + 1)
    return False


def _resized_axes(resize: ResizeNode, rank: int) -> set[int] | None:
    """The axes that the node does not copy; None where they are not known."""
    if resize.scales is not None:
        axes = [axis % rank for axis in resize.node.attrs.get("axes") or range(rank)]
        if len(axes) != len(resize.scales):
            return None
        return {axis for axis, scale in zip(axes, resize.scales, strict=True) if scale != 1}
    if resize.lengths is None or len(resize.lengths) != rank:
        return None
    return {axis for axis, (before, after) in enumerate(resize.lengths) if before != after}


def transpose_node(
    node: Node,
    order: Permutation,
    sources: dict[int, Tensor],
    names: Names,
) -> list[Node]:
    """Let `node` work on the tensors before the Transposes; the nodes that it needs before it.

    Args:
        node: a node without `obstacle`.
        order: of the Transposes.
        sources: by the identity of a transposed tensor, the tensor before.
        names: for what is new.
    """
    every = {id(tensor) for tensor in data_inputs(node)}
    inputs: list[Tensor] = []
    for tensor in node.inputs:
        if id(tensor) not in every:
            inputs.append(tensor)
        else:
            inputs.append(sources.get(id(tensor)) or _constant(tensor, order, names))
    node.inputs = inputs
    if names_axes(node):
        move_axis_parameters(node, order, names)
    return _transpose_controls(node, order, names) if is_resize(node) else []


def _constant(tensor: Tensor, order: Permutation, names: Names) -> Tensor:
    value = constant_value(tensor)
    assert value is not None
    if value.size == 1:
        return tensor
    full = value.reshape((1,) * (len(order) - value.ndim) + value.shape)
    moved = np.ascontiguousarray(np.transpose(full, inverse(order)))
    return names.constant(f"{tensor.name}_transposed", moved, value.dtype)


def extra_nodes(node: Node) -> int:
    """How many nodes `transpose_node` will put before this one."""
    if not is_resize(node) or "axes" in node.attrs:
        return 0
    return sum(1 for tensor in node.inputs[1:] if tensor.name and constant_value(tensor) is None)


def _transpose_controls(node: Node, order: Permutation, names: Names) -> list[Node]:
    """Put roi, scales and sizes (or `axes`, which they follow) in the new order."""
    rank = len(order)
    axes: Any = node.attrs.get("axes")
    if axes is not None:
        node.attrs["axes"] = [order[axis % rank] for axis in axes]
        return []
    added: list[Node] = []
    inputs = list(node.inputs)
    for position, tensor in enumerate(inputs):
        if position == 0 or not tensor.name:
            continue
        value = constant_value(tensor)
        chosen = list(inverse(order))
        if position == 1:  # roi: all starts, then all ends
            chosen += [rank + axis for axis in chosen]
        if value is not None and value.size != len(chosen):
            continue  # empty: not used
        base = f"{tensor.name}_transposed"
        if value is not None:
            inputs[position] = names.constant(base, np.ravel(value)[chosen], value.dtype)
            continue
        picked = names.constant(f"{base}_order", chosen, np.int64)
        inputs[position] = Variable(names.fresh(base), tensor.dtype, [len(chosen)])
        added.append(
            Node("Gather", names.fresh(f"{base}_Gather"), {"axis": 0}, [tensor, picked], [inputs[position]])
        )
    node.inputs = inputs
    return added

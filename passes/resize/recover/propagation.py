"""The length of an output's axis from the lengths of the node's inputs, for what stands between two resizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.resize.recover.length import Length
from rewriter.model.constants import constant_value

__all__ = ["SAME_SHAPE", "is_parametric", "length_behind"]

SAME_SHAPE = (
    *("Identity", "Cast", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "Clip", "Softplus", "Dropout"),
    *("BatchNormalization", "InstanceNormalization", "HardSigmoid", "HardSwish", "Gelu", "PRelu", "Softmax"),
)
_BROADCAST = ("Add", "Sub", "Mul", "Div")
_WINDOWS = ("Conv", "MaxPool", "AveragePool")
_LengthOf = Callable[[Tensor, int], Length]
_RankOf = Callable[[Tensor], "int | None"]


def is_parametric(node: Node) -> bool:
    """Whether an attribute is a parameter of the function around the node."""
    return any(isinstance(value, Node.AttributeRef) for value in node.attrs.values())


def length_behind(node: Node, axis: int, length_of: _LengthOf, rank_of: _RankOf) -> Length | None:
    """The length of `axis` of the node's first output; None where the operator does not tell."""
    if not node.inputs:
        return None
    data = node.inputs[0]
    if node.op in SAME_SHAPE:
        return length_of(data, axis)
    if node.op == "Transpose":
        perm = node.attrs.get("perm")
        return length_of(data, perm[axis]) if isinstance(perm, list) else None
    if node.op == "Concat":
        whole = isinstance(node.attrs.get("axis"), int) and node.attrs["axis"] >= 0
        return length_of(data, axis) if whole and node.attrs["axis"] != axis else None
    if node.op in _BROADCAST and len(node.inputs) == 2:
        return _broadcast(node, axis, length_of, rank_of)
    if node.op in ("Resize", "Upsample"):
        return _resized(node, axis, length_of)
    return _window(node, axis, length_of) if node.op in _WINDOWS else None


def _broadcast(node: Node, axis: int, length_of: _LengthOf, rank_of: _RankOf) -> Length | None:
    ranks = [rank for tensor in node.inputs if (rank := rank_of(tensor)) is not None]
    if len(ranks) != 2 or axis >= max(ranks):
        return None
    places = [axis - max(ranks) + rank for rank in ranks]
    known = [length_of(t, place) for t, place in zip(node.inputs, places, strict=True) if place >= 0]
    real = [length for length in known if length != Length(1)]
    return real[0] if real and all(length == real[0] for length in real) else None


def _resized(node: Node, axis: int, length_of: _LengthOf) -> Length | None:
    scales = node.attrs.get("scales")
    place = 1 if len(node.inputs) == 2 else 2
    if scales is None and len(node.inputs) == place + 1:
        value = constant_value(node.inputs[place])
        scales = None if value is None else value.ravel().tolist()
    if not scales or "axes" in node.attrs or axis >= len(scales) or float(scales[axis]) % 1:
        return None
    return length_of(node.inputs[0], axis).times(Length(int(scales[axis])))


def _window(node: Node, axis: int, length_of: _LengthOf) -> Length | None:
    """Windows with stride 1 and padding that keeps the length; at known lengths any."""
    if axis == 0:
        return length_of(node.inputs[0], 0)
    if axis == 1:
        return length_of(node.inputs[1], 0) if node.op == "Conv" else length_of(node.inputs[0], 1)
    kernel = node.attrs.get("kernel_shape")
    if node.op == "Conv" and kernel is None and node.inputs[1].shape is not None:
        kernel = list(node.inputs[1].shape[2:])
    if not isinstance(kernel, list) or axis - 2 >= len(kernel) or node.attrs.get("ceil_mode", 0):
        return None
    place, count = axis - 2, len(kernel)
    stride = node.attrs.get("strides", [1] * count)[place]
    reach = node.attrs.get("dilations", [1] * count)[place] * (kernel[place] - 1)
    pads = node.attrs.get("pads", [0] * (2 * count))
    before = length_of(node.inputs[0], axis)
    auto = node.attrs.get("auto_pad", "NOTSET")
    same = auto in ("SAME_UPPER", "SAME_LOWER")
    padding = reach if same else 0 if auto == "VALID" else pads[place] + pads[place + count]
    if stride == 1 and padding == reach:
        return before
    if not before.is_known:
        return None
    if same:
        return Length(int(np.ceil(before.factor / stride)))
    return Length((before.factor + padding - reach - 1) // stride + 1)

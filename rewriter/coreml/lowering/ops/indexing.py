"""Reading at indices."""

from __future__ import annotations

import math

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var, types

from rewriter.coreml.lowering.mil import broadcast_to, cast, reshape
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.padding import take
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__ = ["from_start"]


def from_start(indices: Var, lengths: int | np.ndarray) -> Var:
    """Indices that may count from the end, counted from the start; MIL's operators take no others since iOS17."""
    size = np.asarray(lengths, dtype=np.int32)
    return mb.select(cond=mb.less(x=indices, y=np.int32(0)), a=mb.add(x=indices, y=size[()]), b=indices)


@lowering("Gather")
def gather(node: Node) -> Var:
    axis, shape = node.axis(0), node.shape()
    constant = node.constant(1)
    if constant is None:
        indices = from_start(node.var(1), shape[axis])
        return _of_numbers(node, lambda x: _gather(x, indices, axis))
    positions = np.where(constant < 0, constant + shape[axis], constant).astype(np.int32)
    if positions.size and not 0 <= positions.min() <= positions.max() < shape[axis]:
        raise node.refuse(f"an index lies outside of axis {axis} with length {shape[axis]}")
    if positions.ndim == 0:
        return _single(node.var(), int(positions), axis)
    return _of_numbers(node, lambda x: mb.gather(x=x, indices=positions, axis=axis))


def _of_numbers(node: Node, function: object) -> Var:
    """MIL gathers numbers only; truth values go through integers."""
    assert callable(function)
    if node.is_bool():
        return cast(function(cast(node.var(), "int32")), "bool")
    return function(node.var())


def _gather(x: Var, indices: Var, axis: int) -> Var:
    if indices.rank == 0:
        taken = mb.gather(x=x, indices=mb.expand_dims(x=indices, axes=[0]), axis=axis)
        return mb.squeeze(x=taken, axes=[axis])
    return mb.gather(x=x, indices=indices, axis=axis)


def _single(x: Var, position: int, axis: int) -> Var:
    """One slice, its axis removed."""
    shape = static_shape(x)
    begin, end = [0] * len(shape), list(shape)
    begin[axis], end[axis] = position, position + 1
    return mb.slice_by_index(
        x=x, begin=begin, end=end, squeeze_mask=[index == axis for index in range(len(shape))]
    )


@lowering("GatherElements")
def gather_elements(node: Node) -> Var:
    axis = node.axis(0)
    indices = from_start(node.var(1), node.shape()[axis])
    data, wanted = node.shape(0), node.shape(1)
    x = node.var()
    # MIL wants equal lengths on the other axes, ONNX allows the indices to be shorter.
    if any(
        have != want for index, (have, want) in enumerate(zip(data, wanted, strict=True)) if index != axis
    ):
        end = [
            have if index == axis else want
            for index, (have, want) in enumerate(zip(data, wanted, strict=True))
        ]
        x = mb.slice_by_index(x=x, begin=[0] * len(data), end=end)
    if x.dtype == types.bool:
        return cast(mb.gather_along_axis(x=cast(x, "int32"), indices=indices, axis=axis), "bool")
    return mb.gather_along_axis(x=x, indices=indices, axis=axis)


@lowering("GatherND")
def gather_nd(node: Node) -> Var:
    batch_dims = int(node.attr("batch_dims", 0))
    if batch_dims and node.target == "iOS15":
        raise node.refuse("batch dimensions", "use target iOS16 or newer")
    depth = node.shape(1)[-1]
    lengths = np.array(node.shape(0)[batch_dims : batch_dims + depth], dtype=np.int32)
    indices = from_start(node.var(1), lengths)
    options = {"batch_dims": batch_dims} if batch_dims else {}
    return _of_numbers(node, lambda x: mb.gather_nd(x=x, indices=indices, **options))


@lowering("Compress")
def compress(node: Node) -> Var:
    kept = np.flatnonzero(node.need_constant(1, "the condition"))
    if not kept.size:
        raise node.refuse("nothing is kept, Core ML has no empty tensors")
    x = node.var()
    if "axis" not in node.attributes:
        return take(reshape(x, (math.prod(node.shape()),)), kept, 0)
    return take(x, kept, node.axis())


@lowering("OneHot")
def one_hot(node: Node) -> Var:
    depth = int(node.need_constant(1, "the depth").reshape(-1)[0])
    rank = node.rank() + 1
    axis = int(node.attr("axis", -1)) % rank
    indices = node.var() if not node.is_float() else cast(node.var(), "int32")
    # Compared with 0 … depth - 1 along the new axis; an index outside of [-depth, depth) matches nothing.
    shape = [depth if index == axis else 1 for index in range(rank)]
    numbers = np.arange(depth, dtype=np.int32).reshape(shape)
    hit = mb.equal(x=mb.expand_dims(x=from_start(indices, depth), axes=[axis]), y=numbers)
    off, on = (reshape(node.var(2), (2,)), 0), (reshape(node.var(2), (2,)), 1)
    return mb.select(cond=hit, a=_filled(*on, hit), b=_filled(*off, hit))


def _filled(values: Var, position: int, like: Var) -> Var:
    """One of `values` repeated to the shape of `like`, which is what select takes its shape from."""
    return broadcast_to(_single(values, position, 0), static_shape(like))


@lowering("TopK")
def top_k(node: Node) -> list[Var]:
    count = int(node.attr("k") or node.need_constant(1, "k").reshape(-1)[0])
    values, indices = mb.topk(
        x=node.var(), k=count, axis=node.axis(-1), ascending=not node.attr("largest", 1)
    )
    return [values, indices]


@lowering("CumSum")
def cumulative_sum(node: Node) -> Var:
    axis = int(node.need_constant(1, "the axis").reshape(-1)[0]) % node.rank()
    return mb.cumsum(
        x=node.var(),
        axis=axis,
        exclusive=bool(node.attr("exclusive", 0)),
        reverse=bool(node.attr("reverse", 0)),
    )

"""Operators that move or repeat elements without computing anything."""

from __future__ import annotations

import math

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var
from onnx import helper, numpy_helper

from rewriter.coreml.lowering.mil import broadcast_to, numpy_type, reshape, transpose
from rewriter.coreml.lowering.node import Node, is_float
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import narrow

__all__: list[str] = []


@lowering("Reshape")
def reshape_to(node: Node) -> Var:
    shape = node.shape()
    wanted = node.integers(1, "shape", "the new shape")
    if wanted is None:
        raise node.refuse("no new shape")
    if not node.attr("allowzero", 0):
        wanted = [shape[index] if length == 0 else length for index, length in enumerate(wanted)]
    if -1 in wanted:
        rest = math.prod(length for length in wanted if length != -1)
        wanted = [math.prod(shape) // rest if length == -1 else length for length in wanted]
    return reshape(node.var(), wanted)


@lowering("Flatten")
def flatten(node: Node) -> Var:
    shape = node.shape()
    axis = int(node.attr("axis", 1))
    axis = axis + len(shape) if axis < 0 else axis
    return reshape(node.var(), (math.prod(shape[:axis]), math.prod(shape[axis:])))


@lowering("Squeeze")
def squeeze(node: Node) -> Var:
    shape = node.shape()
    axes = node.integers(1, "axes")
    gone = (
        {axis % len(shape) for axis in axes}
        if axes is not None
        else {axis for axis, length in enumerate(shape) if length == 1}
    )
    if any(shape[axis] != 1 for axis in gone):
        raise node.refuse(f"axes {sorted(gone)} of shape {list(shape)} are not all of length 1")
    return mb.squeeze(x=node.var(), axes=sorted(gone)) if gone else node.var()


@lowering("Unsqueeze")
def unsqueeze(node: Node) -> Var:
    axes = node.integers(1, "axes")
    if not axes:
        return node.var()
    rank = node.rank() + len(axes)
    if rank > 5:
        raise node.refuse(f"it gives a tensor of rank {rank}, Core ML allows 5")
    return mb.expand_dims(x=node.var(), axes=sorted(axis % rank for axis in axes))


@lowering("Transpose")
def transpose_axes(node: Node) -> Var:
    return transpose(node.var(), node.attr("perm") or list(range(node.rank()))[::-1])


@lowering("Expand")
def expand(node: Node) -> Var:
    wanted = [int(length) for length in node.need_constant(1, "the shape").reshape(-1)]
    return broadcast_to(node.var(), np.broadcast_shapes(node.shape(), tuple(wanted)))


@lowering("Tile")
def tile(node: Node) -> Var:
    repeats = [int(count) for count in node.need_constant(1, "the repetition").reshape(-1)]
    shape = node.shape()
    if all(length == 1 or count == 1 for length, count in zip(shape, repeats, strict=True)):
        return broadcast_to(node.var(), [n * count for n, count in zip(shape, repeats, strict=True)])
    if node.is_bool():
        return mb.cast(x=mb.tile(x=mb.cast(x=node.var(), dtype="int32"), reps=repeats), dtype="bool")
    return mb.tile(x=node.var(), reps=repeats)


@lowering("ConstantOfShape")
def constant_of_shape(node: Node) -> Var | np.ndarray:
    tensor = node.attr("value")
    value = np.zeros(1, dtype=np.float32) if tensor is None else numpy_helper.to_array(tensor)
    if node.constant(0) is None:
        if value.dtype not in (np.float32, np.int32, np.int64):
            raise node.refuse(f"a shape that is only known at run time, filled with {value.dtype}")
        return mb.fill(shape=node.var(0), value=narrow(value.reshape(-1), "the value")[0])
    shape = [int(length) for length in node.need_constant(0, "the shape").reshape(-1)]
    return np.full(shape, value.reshape(-1)[0], dtype=value.dtype)


@lowering("Range")
def number_range(node: Node) -> Var | np.ndarray:
    if any(node.constant(index) is None for index in range(3)):
        # As many as are only known at run time.
        start, limit, step = (_scalar(node.var(index)) for index in range(3))
        return mb.range_1d(start=start, end=limit, step=step)
    start, limit, step = (
        node.need_constant(index, name).reshape(-1)[0]
        for index, name in enumerate(("start", "limit", "step"))
    )
    return np.arange(start, limit, step, dtype=start.dtype)


def _scalar(value: Var) -> Var:
    return mb.squeeze(x=value, axes=list(range(value.rank))) if value.rank else value


@lowering("EyeLike")
def identity_matrix(node: Node) -> np.ndarray:
    wanted = node.attr("dtype")
    dtype = numpy_type(node.var()) if wanted is None else helper.tensor_dtype_to_np_dtype(wanted)
    rows, columns = node.shape()
    return np.eye(rows, columns, k=int(node.attr("k", 0))).astype(dtype)


@lowering("ReverseSequence")
def reverse_sequence(node: Node) -> Var:
    return mb.reverse_sequence(
        x=node.var(0),
        lengths=node.var(1),
        seq_axis=node.axis(0, name="time_axis"),
        batch_axis=node.axis(1, name="batch_axis"),
    )


@lowering("DepthToSpace")
def depth_to_space(node: Node) -> Var:
    block, mode = int(node.attributes["blocksize"]), node.attr("mode", "DCR")
    batch, channels, height, width = node.shape()
    if node.is_float():
        if mode == "DCR":
            return mb.depth_to_space(x=node.var(), block_size=block)
        return mb.pixel_shuffle(x=node.var(), upscale_factor=block)
    depth = channels // block**2
    if mode == "DCR":
        return _interleave(node.var(), (block, block, batch * depth), batch, depth, height, width, block)
    return _interleave(node.var(), None, batch, depth, height, width, block)


def _interleave(
    x: Var, order: tuple[int, ...] | None, batch: int, depth: int, height: int, width: int, block: int
) -> Var:
    """Integers, which MIL's operators do not take: channels become pixels by reshaping at rank 5."""
    if order is not None:
        # Block-major channels: bring them behind the depth, as CRD has them.
        x = reshape(x, (batch, block * block, depth, height, width))
        x = transpose(x, (0, 2, 1, 3, 4))
    x = reshape(x, (batch * depth, block, block, height, width))
    x = transpose(x, (0, 3, 1, 4, 2))
    return reshape(x, (batch, depth, height * block, width * block))


@lowering("SpaceToDepth")
def space_to_depth(node: Node) -> Var:
    block, mode = int(node.attributes["blocksize"]), node.attr("mode", "DCR")
    x = node.var()
    if mode == "DCR" and is_float(x):
        return mb.space_to_depth(x=x, block_size=block)
    batch, channels, height, width = node.shape()
    x = reshape(x, (batch * channels, height // block, block, width // block, block))
    x = transpose(x, (0, 2, 4, 1, 3))
    x = reshape(x, (batch, channels, block * block, height // block, width // block))
    if mode == "DCR":
        x = transpose(x, (0, 2, 1, 3, 4))
    return reshape(x, (batch, channels * block * block, height // block, width // block))


@lowering("Trilu")
def triangle(node: Node) -> Var:
    shift = node.constant(1)
    if node.has(1) and shift is None:
        raise node.refuse("the diagonal is only known at run time")
    offset = 0 if shift is None else int(shift.reshape(-1)[0])
    rows, columns = node.shape()[-2:]
    upper = bool(node.attr("upper", 1))
    kept = np.triu(np.ones((rows, columns)), offset) if upper else np.tril(np.ones((rows, columns)), offset)
    x = node.var()
    condition = np.broadcast_to(kept.astype(np.bool_), node.shape())
    if node.is_bool():
        return mb.logical_and(x=x, y=condition)
    zero = np.float32(0) if is_float(x) else np.int32(0)
    return mb.select(cond=condition, a=x, b=zero)

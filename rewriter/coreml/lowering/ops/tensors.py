"""Operators on tensors that MIL lacks, by way of those that it has."""

from __future__ import annotations

import itertools
import math

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import broadcast_to, cast, chain, reshape, scalar
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__: list[str] = []

_LONGEST = 256


@lowering("CumProd")
def cumulative_product(node: Node) -> Var:
    """One product after the other: logarithms would lose signs and zeros."""
    x, shape = node.var(0), node.shape(0)
    axis = int(node.need_constant(1, "the axis").reshape(-1)[0]) % len(shape)
    length = shape[axis]
    if length > _LONGEST:
        raise node.refuse(f"an axis of length {length}; up to {_LONGEST} the products are written out")
    parts = [_piece(x, axis, place) for place in range(length)]
    if node.attr("reverse", 0):
        parts = parts[::-1]
    if node.attr("exclusive", 0):
        first = mb.add(x=mb.mul(x=parts[0], y=scalar(0, x)), y=scalar(1, x))
        parts = [first, *parts[:-1]]
    totals = list(itertools.accumulate(parts, lambda a, b: mb.mul(x=a, y=b)))
    if node.attr("reverse", 0):
        totals = totals[::-1]
    return mb.concat(values=totals, axis=axis) if length > 1 else totals[0]


def _piece(x: Var, axis: int, place: int) -> Var:
    shape = list(static_shape(x))
    begin, end = [0] * len(shape), list(shape)
    begin[axis], end[axis] = place, place + 1
    return mb.slice_by_index(x=x, begin=begin, end=end)


@lowering("Det")
def determinant(node: Node) -> Var:
    """Expanded along the first row, for small matrices."""
    shape = node.shape(0)
    size = shape[-1]
    if size > 4:
        raise node.refuse(f"the determinant of {size}×{size} matrices; up to 4×4 it is written out")
    x, rank = node.var(0), len(shape)

    def entry(row: int, column: int) -> Var:
        begin, end = [0] * rank, list(shape)
        begin[-2:], end[-2:] = [row, column], [row + 1, column + 1]
        gone = [axis >= rank - 2 for axis in range(rank)]
        return mb.slice_by_index(x=x, begin=begin, end=end, squeeze_mask=gone)

    terms = []
    for order in itertools.permutations(range(size)):
        swaps = sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
        term = chain(mb.mul, [entry(row, column) for row, column in enumerate(order)])
        terms.append(mb.mul(x=term, y=np.float32(-1)) if swaps % 2 else term)
    return chain(mb.add, terms)


@lowering("BitwiseNot")
def bitwise_not(node: Node) -> Var:
    """-1 - x, in two's complement."""
    return mb.sub(x=np.int32(-1), y=node.var())


@lowering("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(node: Node) -> Var:
    """Bit by bit: a 32-bit integer is the sum of its lower 31 bits, less 2³¹ where it is negative."""
    combine = {
        "BitwiseAnd": lambda a, b: mb.mul(x=a, y=b),
        "BitwiseOr": lambda a, b: mb.maximum(x=a, y=b),
        "BitwiseXor": lambda a, b: mb.mod(x=mb.add(x=a, y=b), y=np.int32(2)),
    }[node.op]
    rest = [node.var(0), node.var(1)]
    total: Var | None = None
    for bit in range(32):
        # Rounding down, a negative number becomes -1 and stays it: its bits are ones from there on.
        bits = [mb.mod(x=value, y=np.int32(2)) for value in rest]
        rest = [mb.floor_div(x=value, y=np.int32(2)) for value in rest]
        weight = np.int32(-(2**31) if bit == 31 else 2**bit)
        share = mb.mul(x=combine(*bits), y=weight)
        total = share if total is None else mb.add(x=total, y=share)
    return total


@lowering("OptionalGetElement")
def optional_element(node: Node) -> Var:
    return mb.identity(x=node.var())


@lowering("TensorScatter")
def tensor_scatter(node: Node) -> Var:
    """The update goes to places w, w + 1, … of an axis, w of each batch entry its own: a choice, place by place."""
    shape = node.shape(0)
    axis = int(node.attr("axis", -2)) % len(shape)
    length, count = shape[axis], node.shape(1)[axis]
    starts = node.constant(2) if node.has(2) else np.zeros(shape[0], np.int64)
    if starts is None:
        raise node.refuse("the places to write to are only known at run time")
    circular = node.attr("mode", "linear") == "circular"
    source = np.zeros((shape[0], length), np.int32)
    written = np.zeros((shape[0], length), np.bool_)
    for entry, start in enumerate(starts.reshape(-1)):
        for step in range(count):
            place = int(start) + step
            place = place % length if circular else place
            if not 0 <= place < length:
                raise node.refuse("it writes outside of the tensor")
            source[entry, place], written[entry, place] = step, True
    parts = [
        mb.gather(x=_piece(node.var(1), 0, entry), indices=source[entry], axis=axis)
        for entry in range(shape[0])
    ]
    moved = mb.concat(values=parts, axis=0) if len(parts) > 1 else parts[0]
    mask = written.reshape([n if a in (0, axis) else 1 for a, n in enumerate(shape)])
    return mb.select(cond=np.ascontiguousarray(np.broadcast_to(mask, shape)), a=moved, b=node.var(0))


@lowering("MaxUnpool")
def max_unpool(node: Node) -> Var:
    """Values written to where their maxima were; everything else is 0."""
    shape = node.shape(0)
    axes = len(shape) - 2
    kernel = node.attributes["kernel_shape"]
    strides, pads = node.attr("strides", [1] * axes), node.attr("pads", [0] * 2 * axes)
    inferred = [(shape[2 + a] - 1) * strides[a] - pads[a] - pads[axes + a] + kernel[a] for a in range(axes)]
    target = [*shape[:2], *inferred]
    wanted = target
    if node.has(2):
        wanted = [int(n) for n in node.need_constant(2, "the output's shape").reshape(-1)]
    size = math.prod(shape)
    flat = mb.scatter_along_axis(
        data=np.zeros(math.prod(target), np.float32),
        indices=reshape(node.var(1), (size,)),
        updates=reshape(node.var(0), (size,)),
        axis=0,
        mode="update",
    )
    image = reshape(flat, target)
    if list(wanted) == list(target):
        return image
    pad = [amount for have, want in zip(target, wanted, strict=True) for amount in (0, want - have)]
    if min(pad) < 0:
        raise node.refuse("an output smaller than what it writes")
    return _padded(image, pad)


def _padded(x: Var, pad: list[int]) -> Var:
    shape = static_shape(x)
    for axis in range(len(shape)):
        before, after = pad[2 * axis : 2 * axis + 2]
        current = list(static_shape(x))
        for amount, at_end in ((before, False), (after, True)):
            if amount:
                zeros = np.zeros([amount if a == axis else n for a, n in enumerate(current)], np.float32)
                x = mb.concat(values=[x, zeros] if at_end else [zeros, x], axis=axis)
                current = list(static_shape(x))
    return x


@lowering("BitShift")
def bit_shift(node: Node) -> Var:
    """Shifts of 32-bit integers by a constant, in steps that never overflow."""
    amounts = node.constant(1)
    if amounts is None:
        raise node.refuse("by how much is only known at run time")
    shape = np.broadcast_shapes(node.shape(0), amounts.shape)
    x, wide = broadcast_to(node.var(0), shape), np.broadcast_to(amounts, shape).astype(np.int64)
    if node.attributes["direction"] == "RIGHT":
        return _shifted_right(x, wide)
    if amounts.dtype == np.int64 and np.any(wide):
        raise node.refuse("64-bit integers, whose upper half Core ML does not have")
    return _shifted_left(x, wide)


def _shifted_right(x: Var, amounts: np.ndarray) -> Var:
    """A division that rounds down; from 31 bits on only the sign is left."""
    is_short = (amounts >= 0) & (amounts < 31)
    divided = mb.floor_div(x=x, y=_powers(np.where(is_short, amounts, 0)))
    is_negative = mb.cast(x=mb.less(x=x, y=np.int32(0)), dtype="int32")
    return mb.select(cond=is_short, a=divided, b=mb.sub(x=np.int32(0), y=is_negative))


def _shifted_left(x: Var, amounts: np.ndarray) -> Var:
    """The lower bits times a power of two, and the bit that becomes the sign."""
    is_moved = (amounts > 0) & (amounts < 32)
    by = np.where(is_moved, amounts, 1)
    low = mb.mul(x=mb.mod(x=x, y=_powers(31 - by)), y=_powers(np.where(by < 31, by, 0)))
    top = mb.mod(x=mb.floor_div(x=x, y=_powers(31 - by)), y=np.int32(2))
    moved = mb.add(x=low, y=mb.mul(x=top, y=np.int32(-(2**31))))
    return mb.select(cond=is_moved, a=moved, b=mb.mul(x=x, y=(amounts == 0).astype(np.int32)))


def _powers(exponents: np.ndarray) -> np.ndarray:
    return np.atleast_1d((1 << exponents.astype(np.int64)).astype(np.int32))


@lowering("NonZero")
def non_zero(node: Node) -> Var:
    """The places of what is not 0, one row per axis; how many there are is only known at run time."""
    x = node.var()
    found = mb.non_zero(x=cast(x, "int32") if node.is_bool() else x)
    return mb.transpose(x=found, perm=[1, 0])

"""Taking tensors apart and putting them together."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import cast, numpy_type
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("Slice")
def take_slice(node: Node) -> Var | np.ndarray:
    shape = node.shape()
    starts = node.integers(1, "starts")
    ends = node.integers(2, "ends")
    if starts is None or ends is None:
        raise node.refuse("no starts or ends")
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.integers(4, "steps") or [1] * len(starts)
    begin, end, stride = [0] * len(shape), list(shape), [1] * len(shape)
    end_mask = [False] * len(shape)
    for start, stop, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Python's own rules are numpy's, which are ONNX's: negative values count from the end, all are clamped.
        first, last, stride[axis] = slice(start, stop, step).indices(shape[axis])
        if not len(range(first, last, step)):
            # Exists as a constant only; what reads it drops it, or says that Core ML has no such tensors.
            return np.zeros([0 if a == axis else n for a, n in enumerate(shape)], numpy_type(node.var()))
        # Backwards down to index 0 there is no number for the end: -1 would mean the last element.
        begin[axis], end[axis], end_mask[axis] = first, max(last, 0), last < 0
    if begin == [0] * len(shape) and end == list(shape) and stride == [1] * len(shape):
        return node.var()
    return mb.slice_by_index(x=node.var(), begin=begin, end=end, stride=stride, end_mask=end_mask)


@lowering("Split")
def split(node: Node) -> list[Var | np.ndarray]:
    axis = node.axis(0)
    length, count = node.shape()[axis], node.output_count
    sizes = node.integers(1, "split")
    if sizes is None:
        pieces = int(node.attr("num_outputs", count))
        whole = -(-length // pieces)
        sizes = [min(whole, length - whole * index) for index in range(pieces)]
    if count == 1:
        return [node.var()]
    # Truth values are not split by MIL, and empty pieces exist as constants only.
    boolean = node.is_bool()
    x = cast(node.var(), "int32") if boolean else node.var()
    filled = [size for size in sizes if size]
    parts = iter(mb.split(x=x, split_sizes=filled, axis=axis) if len(filled) > 1 else [x])
    shape = list(node.shape())
    empty = np.zeros([0 if a == axis else n for a, n in enumerate(shape)], numpy_type(node.var()))
    return [(cast(next(parts), "bool") if boolean else next(parts)) if size else empty for size in sizes]


@lowering("Concat")
def concatenate(node: Node) -> Var:
    # Empty pieces add nothing, and Core ML has none.
    kept = [index for index in range(node.input_count) if 0 not in node.shape(index)]
    if not kept:
        raise node.refuse("all pieces are empty, Core ML has no empty tensors")
    if len(kept) == 1:
        return node.var(kept[0])
    axis = node.axis(index=kept[0])
    values = [node.var(index) for index in kept]
    if node.is_bool(kept[0]):
        return cast(mb.concat(values=[cast(value, "int32") for value in values], axis=axis), "bool")
    return mb.concat(values=values, axis=axis)

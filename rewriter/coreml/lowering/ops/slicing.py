"""Taking tensors apart and putting them together."""

from __future__ import annotations

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import cast
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("Slice")
def take_slice(node: Node) -> Var:
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
            raise node.refuse(
                f"slice {start}:{stop}:{step} of length {shape[axis]} is empty, Core ML has no such tensors"
            )
        # Backwards down to index 0 there is no number for the end: -1 would mean the last element.
        begin[axis], end[axis], end_mask[axis] = first, max(last, 0), last < 0
    if begin == [0] * len(shape) and end == list(shape) and stride == [1] * len(shape):
        return node.var()
    return mb.slice_by_index(x=node.var(), begin=begin, end=end, stride=stride, end_mask=end_mask)


@lowering("Split")
def split(node: Node) -> list[Var]:
    axis = node.axis(0)
    length, count = node.shape()[axis], node.output_count
    sizes = node.integers(1, "split")
    if sizes is None:
        pieces = int(node.attr("num_outputs", count))
        whole = -(-length // pieces)
        sizes = [min(whole, length - whole * index) for index in range(pieces)]
    if count == 1:
        return [node.var()]
    if min(sizes) < 1:
        raise node.refuse(f"pieces of {sizes}, Core ML has no empty tensors")
    # Truth values are not split by MIL.
    boolean = node.is_bool()
    x = cast(node.var(), "int32") if boolean else node.var()
    parts = mb.split(x=x, split_sizes=sizes, axis=axis)
    return [cast(part, "bool") if boolean else part for part in parts]


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

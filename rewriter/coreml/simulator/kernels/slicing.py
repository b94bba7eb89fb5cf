"""Parts of tensors: slices, crops, reversals, windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("slice_by_index")
def slice_by_index(call: Call) -> Array:
    """numpy's x[begin:end:stride], with masks that ignore an end of a range or drop the axis."""
    return call.stored("x")[_index(call, call.stored("x").ndim)]


@kernel("slice_update")
def slice_update(call: Call) -> Array:
    """A copy of x in which a slice is replaced by `update`."""
    result = call.stored("x").copy()
    result[_index(call, result.ndim)] = call.stored("update")
    return result


@kernel("slice_by_size")
def slice_by_size(call: Call) -> Array:
    """`size` elements from `begin` on; -1 for all that remain."""
    x = call.stored("x")
    pairs = zip(call.integers("begin"), call.integers("size"), x.shape, strict=True)
    return x[tuple(slice(begin, length if size == -1 else begin + size) for begin, size, length in pairs)]


@kernel("crop")
def crop(call: Call) -> Array:
    """Cut the last two axes on both sides."""
    x = call.stored("x")
    (top, bottom), (left, right) = call.integers("crop_height"), call.integers("crop_width")
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


@kernel("reverse")
def reverse(call: Call) -> Array:
    """Turn the given axes round, or all."""
    return np.flip(call.stored("x"), call.integers("axes") if call.has("axes") else None)


@kernel("reverse_sequence")
def reverse_sequence(call: Call) -> Array:
    """Turn round the first lengths[i] elements of `seq_axis` for each i along `batch_axis`."""
    x = call.stored("x")
    sequence, batch = call.integer("seq_axis") % x.ndim, call.integer("batch_axis") % x.ndim
    result = x.copy()
    for index, length in enumerate(call.integers("lengths")):
        place: list[slice | int] = [slice(None)] * x.ndim
        place[batch] = slice(index, index + 1)
        place[sequence] = slice(0, length)
        result[tuple(place)] = np.flip(x[tuple(place)], sequence)
    return result


@kernel("sliding_windows")
def sliding_windows(call: Call) -> Array:
    """Windows along an axis: that axis becomes their number, and the next one their contents."""
    x, size, stride = call.stored("x"), call.integer("size"), call.integer("stride")
    axis = call.integer("axis") % x.ndim
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    windows = windows[(slice(None),) * axis + (slice(None, None, stride),)]
    return np.moveaxis(windows, -1, axis + 1)


def _index(call: Call, rank: int) -> tuple[slice | int, ...]:
    begins, ends = call.integers("begin"), call.integers("end")
    strides = call.integers("stride") if call.has("stride") else (1,) * rank
    begin_mask, end_mask = _mask(call, "begin_mask", rank), _mask(call, "end_mask", rank)
    squeeze_mask = _mask(call, "squeeze_mask", rank)
    index: list[slice | int] = []
    for axis in range(rank):
        if squeeze_mask[axis]:
            index.append(begins[axis])
            continue
        begin = None if begin_mask[axis] else begins[axis]
        end = None if end_mask[axis] else ends[axis]
        index.append(slice(begin, end, strides[axis]))
    return tuple(index)


def _mask(call: Call, name: str, rank: int) -> Sequence[bool]:
    return [bool(value) for value in call.integers(name)] if call.has(name) else [False] * rank

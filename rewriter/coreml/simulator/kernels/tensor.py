"""Operators that make, join, extend, sort or count."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__: list[str] = []

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@kernel("concat")
def concat(call: Call) -> Array:
    """Joined along an axis; interleaved, element i of every input comes before element i + 1 of any."""
    values, axis = call.tensors("values"), call.integer("axis")
    if values[0].ndim == 0:
        return np.stack(values)
    if not call.flag("interleave"):
        return np.concatenate(values, axis)
    axis %= values[0].ndim
    shape = list(values[0].shape)
    shape[axis] *= len(values)
    return np.stack(values, axis + 1).reshape(shape)


@kernel("stack")
def stack(call: Call) -> Array:
    return np.stack(call.tensors("values"), call.integer("axis"))


@kernel("split")
def split(call: Call) -> tuple[Array, ...]:
    """Parts of the given sizes, or equal ones."""
    x, axis = call.stored("x"), call.integer("axis")
    if call.has("split_sizes"):
        return tuple(np.split(x, np.cumsum(call.integers("split_sizes"))[:-1], axis))
    return tuple(np.split(x, call.integer("num_splits"), axis))


@kernel("pad")
def pad(call: Call) -> Array:
    """Extends the last axes; `pad` holds (before, after) for each of them."""
    x, mode = call.stored("x"), call.text("mode")
    if mode not in _PAD_MODES:
        raise UnsupportedError(f"pad mode {mode} is not known")
    amounts = call.integers("pad")
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode == "constant":
        return np.pad(x, widths, constant_values=call.number("constant_val"))
    return np.pad(x, widths, _PAD_MODES[mode])  # type: ignore[call-overload]


@kernel("tile")
def tile(call: Call) -> Array:
    return np.tile(call.stored("x"), call.integers("reps"))


@kernel("fill")
def fill(call: Call) -> Array:
    return np.full(call.integers("shape"), call.value("value"), call.dtype)


@kernel("fill_like")
def fill_like(call: Call) -> Array:
    return np.full(call.stored("ref_tensor").shape, call.value("value"), call.dtype)


@kernel("range_1d")
def range_1d(call: Call) -> Array:
    """start, start + step, ... below end."""
    start, end, step = (call.tensor(name).item() for name in ("start", "end", "step"))
    return np.arange(start, end, step, dtype=call.dtype)


@kernel("one_hot")
def one_hot(call: Call) -> Array:
    """on_value at each index along a new axis, off_value elsewhere; an index out of range marks nothing."""
    indices, axis = call.stored("indices"), call.integer("axis")
    size = call.integer("one_hot_vector_size")
    axis %= indices.ndim + 1
    positions = np.arange(size).reshape(-1, *[1] * (indices.ndim - axis))
    hot = np.expand_dims(indices, axis) == positions
    return np.where(hot, call.stored("on_value"), call.stored("off_value")).astype(call.dtype)


@kernel("non_zero")
def non_zero(call: Call) -> Array:
    """Indices of the non-zero elements, one row each."""
    return np.argwhere(call.stored("x"))


@kernel("band_part")
def band_part(call: Call) -> Array:
    """Keeps `lower` diagonals below and `upper` above the main one; -1 for all."""
    x, lower, upper = call.stored("x"), call.integer("lower"), call.integer("upper")
    rows, columns = np.indices(x.shape[-2:])
    keep = np.ones(x.shape[-2:], bool)
    if lower >= 0:
        keep &= rows - columns <= lower
    if upper >= 0:
        keep &= columns - rows <= upper
    return np.where(keep, x, np.zeros_like(x))


@kernel("cumsum")
def cumsum(call: Call) -> Array:
    """Running sums along an axis; exclusive leaves out the element itself, reverse starts at the end."""
    x, axis = call.tensor("x"), call.integer("axis")
    if call.flag("reverse"):
        x = np.flip(x, axis)
    total = np.cumsum(x, axis, dtype=x.dtype)
    if call.flag("exclusive"):
        total = total - x
    return np.flip(total, axis) if call.flag("reverse") else total


@kernel("argsort")
def argsort(call: Call) -> Array:
    return _order(call.tensor("x"), call.integer("axis"), ascending=call.flag("ascending"))


def _suspect_unsorted(operation: Any) -> str | None:
    if "sort" not in operation.inputs or operation.sort.val:
        return None
    return "the order of the elements is not documented where sort is false; sorted order is assumed"


@kernel("topk", suspicion=_suspect_unsorted)
def topk(call: Call) -> tuple[Array, ...]:
    """The k largest (or smallest) elements along an axis in order, and their indices if asked for."""
    x, axis = call.tensor("x"), call.integer("axis")
    order = _order(x, axis, ascending=call.flag("ascending"))
    order = np.take(order, np.arange(call.integer("k")), axis)
    values = np.take_along_axis(x, order, axis)
    if call.has("return_indices") and not call.flag("return_indices"):
        return (values,)
    return values, order


def _order(x: Array, axis: int, *, ascending: bool) -> Array:
    """Indices that sort x; equal elements keep their order either way."""
    if ascending:
        return np.argsort(x, axis, kind="stable")
    # The reverse of a stable sort of the reversed axis is descending and still stable.
    backwards = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)

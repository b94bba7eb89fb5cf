"""Reading and writing at indices."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__ = ["combine_at"]


@kernel("gather")
def gather(call: Call) -> Array:
    """Slices of x along `axis` at `indices`; the first `batch_dims` axes are matched, not crossed."""
    x, indices = call.stored("x"), call.stored("indices").astype(np.int64)
    axis = call.integer("axis") % x.ndim
    batch = call.integer("batch_dims") if call.has("batch_dims") else 0
    indices = _checked(call, indices, x.shape[axis])
    if batch == 0:
        return np.take(x, indices, axis)
    grids = np.ogrid[tuple(slice(0, n) for n in x.shape[:batch])]
    spread = [grid.reshape(grid.shape + (1,) * (indices.ndim - batch)) for grid in grids]
    moved = np.moveaxis(x, axis, batch)
    # Result axes: batch, indices, then the rest of x; the axes of x in front of `axis` go back there.
    place: tuple[Array, ...] = (*spread, indices)
    result = moved[place]
    inner = list(range(batch, indices.ndim))
    before = list(range(indices.ndim, indices.ndim + axis - batch))
    after = list(range(indices.ndim + axis - batch, result.ndim))
    return result.transpose(list(range(batch)) + before + inner + after)


@kernel("gather_along_axis")
def gather_along_axis(call: Call) -> Array:
    """x at `indices` along one axis; all other axes are matched."""
    x, indices, axis = call.stored("x"), call.stored("indices").astype(np.int64), call.integer("axis")
    indices = _checked(call, indices, x.shape[axis])
    return np.take_along_axis(x, indices, axis)


@kernel("gather_nd")
def gather_nd(call: Call) -> Array:
    """x at the index vectors in the last axis of `indices`, after `batch_dims` matched axes."""
    x, indices = call.stored("x"), call.stored("indices").astype(np.int64)
    batch = call.integer("batch_dims") if call.has("batch_dims") else 0
    depth = indices.shape[-1]
    lengths = np.array(x.shape[batch : batch + depth])
    indices = _checked(call, indices, lengths)
    grids = np.ogrid[tuple(slice(0, n) for n in x.shape[:batch])] if batch else []
    spread = [grid.reshape(grid.shape + (1,) * (indices.ndim - 1 - batch)) for grid in grids]
    place: tuple[Array, ...] = (*spread, *np.moveaxis(indices, -1, 0))
    return x[place]


@kernel("scatter")
def scatter(call: Call) -> Array:
    """`data` with slices along `axis` at `indices` combined with `updates`."""
    data, indices = call.tensor("data").copy(), call.stored("indices").astype(np.int64)
    axis = call.integer("axis") % data.ndim
    indices = _checked(call, indices, data.shape[axis])
    updates = call.tensor("updates")
    moved = np.moveaxis(data, axis, 0)
    # updates: axes of data in front of `axis`, then those of indices, then the rest of data.
    order = [*range(axis, axis + indices.ndim), *range(axis), *range(axis + indices.ndim, updates.ndim)]
    combine_at(moved, (indices,), updates.transpose(order), call.text("mode"))
    return data


@kernel("scatter_along_axis")
def scatter_along_axis(call: Call) -> Array:
    """`data` with elements at `indices` along one axis combined with `updates`; all other axes are matched."""
    data, indices = call.tensor("data").copy(), call.stored("indices").astype(np.int64)
    axis = call.integer("axis") % data.ndim
    indices = _checked(call, indices, data.shape[axis])
    place: list[Array] = list(np.indices(indices.shape, sparse=True))
    place[axis] = indices
    combine_at(data, tuple(place), call.tensor("updates"), call.text("mode"))
    return data


@kernel("scatter_nd")
def scatter_nd(call: Call) -> Array:
    """`data` with elements at the index vectors in the last axis of `indices` combined with `updates`."""
    data, indices = call.tensor("data").copy(), call.stored("indices").astype(np.int64)
    lengths = np.array(data.shape[: indices.shape[-1]])
    indices = _checked(call, indices, lengths)
    combine_at(data, tuple(np.moveaxis(indices, -1, 0)), call.tensor("updates"), call.text("mode"))
    return data


def _checked(call: Call, indices: Array, lengths: Array | int) -> Array:
    """Indices without negative ones, which count from the end unless the operator validates them.

    Raises:
        IndexError: the operator validates its indices (iOS 17), and one is negative or too large.
    """
    validates = call.has("validate_indices") and call.flag("validate_indices")
    if validates and ((indices < 0) | (indices >= lengths)).any():
        raise IndexError("an index is out of bounds")
    return np.where(indices < 0, indices + lengths, indices)


_COMBINE: dict[str, np.ufunc] = {
    "add": np.add,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "sub": np.subtract,
}


def combine_at(data: Array, place: tuple[Array, ...], updates: Array, mode: str) -> None:
    """Write `updates` into `data` in place; where indices repeat, every one of them takes effect in turn.

    Raises:
        UnsupportedError: unknown mode.
    """
    if mode == "update":
        data[place] = updates
        return
    if mode not in _COMBINE:
        raise UnsupportedError(f"scatter mode {mode} is not known")
    if mode == "div" and data.dtype.kind in "iu":
        quotient = data.astype(np.float64)
        np.divide.at(quotient, place, updates)
        data[...] = quotient
        return
    _COMBINE[mode].at(data, place, updates)

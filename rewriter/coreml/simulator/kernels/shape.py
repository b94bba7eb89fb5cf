"""Operators that rearrange a tensor's axes and keep its elements."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []

# Indexes the batch and channel axes, in front of the spatial ones.
_ALL = (slice(None), slice(None))


@kernel("reshape")
def reshape(call: Call) -> Array:
    """Lengths of `shape`; -1 takes what remains, 0 the input's length, axes counted from the last one.

    A 0 in front of all axes of the input is 1 (iOS 17; before, `shape` and the input have equally many).
    """
    x = call.stored("x")
    wanted = call.integers("shape")
    kept = (1,) * max(0, len(wanted) - x.ndim) + x.shape[max(0, x.ndim - len(wanted)) :]
    return x.reshape([own if n == 0 else n for n, own in zip(wanted, kept, strict=True)])


@kernel("reshape_like")
def reshape_like(call: Call) -> Array:
    """Lengths taken from ranges of axes of reference tensors."""
    lengths: list[int] = []
    ranges = zip(
        call.tensors("ref_tensors"),
        np.ravel(call.value("begins")).tolist(),
        np.ravel(call.value("ends")).tolist(),
        np.ravel(call.value("end_masks")).tolist(),
        strict=True,
    )
    for reference, begin, end, to_the_end in ranges:
        stop = reference.ndim if to_the_end else end
        lengths.extend(reference.shape[begin:stop])
    return call.stored("x").reshape(lengths)


@kernel("transpose")
def transpose(call: Call) -> Array:
    return call.stored("x").transpose(call.integers("perm"))


@kernel("expand_dims")
def expand_dims(call: Call) -> Array:
    return np.expand_dims(call.stored("x"), call.integers("axes"))


@kernel("squeeze")
def squeeze(call: Call) -> Array:
    """Drop the given axes, or all, where their length is 1; a longer one stays."""
    x = call.stored("x")
    axes = [axis % x.ndim for axis in call.integers("axes")] if call.has("axes") else range(x.ndim)
    return np.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


@kernel("flatten2d")
def flatten2d(call: Call) -> Array:
    x, axis = call.stored("x"), call.integer("axis")
    return x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:])))


@kernel("shape")
def shape(call: Call) -> Array:
    return np.array(call.stored("x").shape, np.int32)


@kernel("depth_to_space")
def depth_to_space(call: Call) -> Array:
    """[N, C, H, W] -> [N, C / b^2, H b, W b]; block position is the slower part of the channel index."""
    x, block = call.stored("x"), call.integer("block_size")
    n, c, h, w = x.shape
    split = x.reshape(n, block, block, c // block**2, h, w)
    return split.transpose(0, 3, 4, 1, 5, 2).reshape(n, c // block**2, h * block, w * block)


@kernel("space_to_depth")
def space_to_depth(call: Call) -> Array:
    """[N, C, H, W] -> [N, C b^2, H / b, W / b]; block position becomes the slower part of the channel index."""
    x, block = call.stored("x"), call.integer("block_size")
    n, c, h, w = x.shape
    split = x.reshape(n, c, h // block, block, w // block, block)
    return split.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * block**2, h // block, w // block)


@kernel("pixel_shuffle")
def pixel_shuffle(call: Call) -> Array:
    """[N, C, H, W] -> [N, C / f^2, H f, W f]; block position is the faster part of the channel index."""
    x, factor = call.stored("x"), call.integer("upscale_factor")
    n, c, h, w = x.shape
    split = x.reshape(n, c // factor**2, factor, factor, h, w)
    return split.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // factor**2, h * factor, w * factor)


@kernel("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Array:
    """[N, C, H, W] -> [N, C f^2, H / f, W / f]; the reverse of pixel_shuffle."""
    x, factor = call.stored("x"), call.integer("downscale_factor")
    n, c, h, w = x.shape
    split = x.reshape(n, c, h // factor, factor, w // factor, factor)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * factor**2, h // factor, w // factor)


@kernel("space_to_batch")
def space_to_batch(call: Call) -> Array:
    """[N, C, *D] padded, cut into blocks, block position in front of the batch: [N prod(b), C, *D/b]."""
    x, blocks = call.stored("x"), call.integers("block_shape")
    pads = call.stored("paddings").reshape(-1, 2).tolist()
    x = np.pad(x, [(0, 0), (0, 0), *[tuple(pad) for pad in pads]])
    n, c, *lengths = x.shape
    rank = len(blocks)
    parts = [part for length, block in zip(lengths, blocks, strict=True) for part in (length // block, block)]
    split = x.reshape(n, c, *parts)
    order = [3 + 2 * axis for axis in range(rank)] + [0, 1] + [2 + 2 * axis for axis in range(rank)]
    return split.transpose(order).reshape(n * int(np.prod(blocks)), c, *parts[::2])


@kernel("batch_to_space")
def batch_to_space(call: Call) -> Array:
    """The reverse of space_to_batch, then cropped."""
    x, blocks = call.stored("x"), call.integers("block_shape")
    crops = call.stored("crops").reshape(-1, 2).tolist()
    rank = len(blocks)
    n, c, *lengths = x.shape
    split = x.reshape(*blocks, n // int(np.prod(blocks)), c, *lengths)
    order = [rank, rank + 1]
    for axis in range(rank):
        order += [rank + 2 + axis, axis]
    full = [length * block for length, block in zip(lengths, blocks, strict=True)]
    joined = split.transpose(order).reshape(n // int(np.prod(blocks)), c, *full)
    keep: tuple[slice, ...] = tuple(
        slice(low, length - high) for (low, high), length in zip(crops, full, strict=True)
    )
    return joined[_ALL + keep]

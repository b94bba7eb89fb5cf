"""Resizing: where each output pixel samples the input, and linear or nearest sampling there.

Grids are those of the documentation of `resize_bilinear`, `upsample_bilinear`, `upsample_nearest_neighbor` and
`resize` in coremltools. Coordinates are float64; every axis is resized on its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__ = ["bilinear_grid"]


@kernel("resize_bilinear")
def resize_bilinear(call: Call) -> Array:
    """The last two axes to a target size."""
    x, mode = call.tensor("x"), call.text("sampling_mode")
    targets = call.integer("target_size_height"), call.integer("target_size_width")
    for axis, target in zip((-2, -1), targets, strict=True):
        x = _sample_linear(x, axis, bilinear_grid(mode, x.shape[axis], target))
    return x


@kernel("upsample_bilinear")
def upsample_bilinear(call: Call) -> Array:
    """The last two axes by scale factors; the spacing is that of the output's length, not of the factor."""
    x, align_corners = call.tensor("x"), call.flag("align_corners")
    half_pixel = call.flag("half_pixel_centers") if call.has("half_pixel_centers") else not align_corners
    for axis, target in _scaled_lengths(call, x):
        x = _sample_linear(x, axis, _upsample_grid(x.shape[axis], target, align_corners, half_pixel))
    return x


@kernel("upsample_nearest_neighbor")
def upsample_nearest_neighbor(call: Call) -> Array:
    """The last two axes by scale factors; output i takes input floor(i * in / out)."""
    x = call.stored("x")
    for axis, target in _scaled_lengths(call, x):
        x = np.take(x, np.arange(target) * x.shape[axis] // target, axis)
    return x


def _suspect_nearest(operation: Any) -> str | None:
    targets = operation.target_size_height.val, operation.target_size_width.val
    pairs = zip(operation.x.shape[-2:], targets, strict=True)
    if all(_is_whole_number(length) and int(target) % int(length) == 0 for length, target in pairs):
        return None
    return (
        "which pixel is nearest at this ratio is not documented; half-pixel centres are assumed, "
        "floor((i + 0.5) * in / out)"
    )


@kernel("resize_nearest_neighbor", suspicion=_suspect_nearest)
def resize_nearest_neighbor(call: Call) -> Array:
    """The last two axes to a target size, half-pixel centres (proven for whole factors only)."""
    x = call.stored("x")
    targets = call.integer("target_size_height"), call.integer("target_size_width")
    for axis, target in zip((-2, -1), targets, strict=True):
        x = np.take(x, _half_pixel_floor(x.shape[axis], target), axis)
    return x


def _suspect_resize(operation: Any) -> str | None:
    if operation.interpolation_mode.val != "NEAREST_NEIGHBOR":
        return None
    count = int(operation.resized_dims.val)
    shapes = operation.x.shape[-count:], operation.outputs[0].shape[-count:]
    whole = all(
        _is_whole_number(length) and _is_whole_number(target) and int(target) % int(length) == 0
        for length, target in zip(*shapes, strict=True)
    )
    mode = operation.sampling_mode.val
    if mode == "DEFAULT" or (mode == "UNALIGN_CORNERS" and whole):
        return None
    return f"which pixel is nearest with sampling mode {mode} is not documented"


@kernel("resize", suspicion=_suspect_resize)
def resize(call: Call) -> Array:
    """The last `resized_dims` axes to the lengths in `shape`; 0 keeps a length."""
    x, mode = call.tensor("x"), call.text("sampling_mode")
    count = call.integer("resized_dims")
    linear = call.text("interpolation_mode") == "LINEAR"
    for axis, wanted in zip(range(x.ndim - count, x.ndim), call.integers("shape")[-count:], strict=True):
        length = x.shape[axis]
        target = length if wanted == 0 else wanted
        if linear:
            x = _sample_linear(x, axis, bilinear_grid(mode, length, target))
        else:
            x = np.take(x, _nearest_indices(mode, length, target), axis)
    return x


def bilinear_grid(mode: str, length: float, target: int) -> Array:
    """Source coordinate of each output pixel, clamped into the input [target], float64.

    Args:
        mode: sampling mode of `resize_bilinear`.
        length: input length.
        target: output length.

    Raises:
        UnsupportedError: unknown mode.
    """
    index = np.arange(target, dtype=np.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if target == 1:
            grid = np.full(1, 0.0 if mode == "STRICT_ALIGN_CORNERS" else (length - 1) / 2)
        else:
            grid = index * (length - 1) / (target - 1)
    elif mode == "DEFAULT":
        grid = index * length / target
    elif mode == "OFFSET_CORNERS":
        grid = (index + 0.5) * max(1, length - 1) / target
    elif mode == "UNALIGN_CORNERS":
        grid = (index + 0.5) * length / target - 0.5
    else:
        raise UnsupportedError(f"sampling mode {mode} is not known")
    return np.clip(grid, 0, length - 1)


def _upsample_grid(length: int, target: int, align_corners: bool, half_pixel: bool) -> Array:
    if align_corners:
        return bilinear_grid("STRICT_ALIGN_CORNERS", length, target)
    return bilinear_grid("UNALIGN_CORNERS" if half_pixel else "DEFAULT", length, target)


def _scaled_lengths(call: Call, x: Array) -> list[tuple[int, int]]:
    """(axis, floor(length * factor)) of the last two axes; the product is float32, as the factor is."""
    pairs = []
    for axis, name in ((-2, "scale_factor_height"), (-1, "scale_factor_width")):
        factor = np.asarray(call.value(name))
        declared = call.operation.outputs[0].shape[axis]
        target = int(declared) if _is_whole_number(declared) else int(np.floor(factor * x.shape[axis]))
        pairs.append((axis, target))
    return pairs


def _nearest_indices(mode: str, length: int, target: int) -> Array:
    """Input index of each output pixel: with DEFAULT, half-pixel centres (coremltools' own expected values)."""
    if mode == "DEFAULT" or mode == "UNALIGN_CORNERS":
        return _half_pixel_floor(length, target)
    return np.floor(bilinear_grid(mode, length, target) + 0.5).astype(np.int64).clip(0, length - 1)


def _half_pixel_floor(length: int, target: int) -> Array:
    """floor((i + 0.5) * length / target), in whole numbers."""
    return (2 * np.arange(target) + 1) * length // (2 * target)


def _sample_linear(x: Array, axis: int, grid: Array) -> Array:
    """Linear interpolation of x along an axis at the coordinates `grid`, which lie inside."""
    length = x.shape[axis]
    if np.array_equal(grid, np.arange(length)):
        return x
    low = np.floor(grid).astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    shape = [1] * x.ndim
    shape[axis] = -1
    part = (grid - low).astype(np.float32).reshape(shape)
    start, stop = np.take(x, low, axis), np.take(x, high, axis)
    return start * (1 - part) + stop * part


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int | np.integer)

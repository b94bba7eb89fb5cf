"""Sampling at computed coordinates: crops, resampling grids, affine maps. Coordinates are float64 here."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.kernels.resizing import bilinear_grid
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__: list[str] = []

_ALIGNED = ("ALIGN_CORNERS", "STRICT_ALIGN_CORNERS")


def _suspect_crop(operation: Any) -> str | None:
    mode, boxes = operation.sampling_mode.val, operation.box_coordinate_mode.val
    if mode not in _ALIGNED:
        return f"where sampling mode {mode} puts its grid in a box is not documented"
    if boxes.startswith("CENTER_SIZE"):
        return "whether a box reaches (size - 1) / 2 or size / 2 from its centre is not documented"
    return None


@kernel("crop_resize", suspicion=_suspect_crop)
def crop_resize(call: Call) -> Array:
    """Each box of the image resized bilinearly; a point outside the image gives the padding value."""
    x = call.tensor("x")
    if call.has("boxes"):
        boxes = call.tensor("boxes").astype(np.float64)
        images: list[Any] = list(call.integers("box_indices"))
        return np.stack([_crop(call, x[image], box) for image, box in zip(images, boxes, strict=True)])
    regions = call.tensor("roi").astype(np.float64)[:, 0, :, 0, 0]
    if regions.shape[1] == 5:
        return np.stack([_crop(call, x[int(region[0])], region[1:])[None] for region in regions])
    return np.stack([np.stack([_crop(call, image, region) for image in x]) for region in regions])


@kernel("resample")
def resample(call: Call) -> Array:
    """x [B, C, H, W] at coordinates [B, h, w, (x, y)] -> [B, C, h, w]."""
    x, mode = call.tensor("x"), call.text("coordinates_mode")
    align_corners = call.flag("align_corners")
    points = call.tensor("coordinates").astype(np.float64)
    columns = _pixels(points[..., 0], x.shape[3], mode, align_corners)
    rows = _pixels(points[..., 1], x.shape[2], mode, align_corners)
    return _sampled(call, x, rows, columns, call.text("sampling_mode"))


@kernel("affine")
def affine(call: Call) -> Array:
    """Output pixel (x, y) samples the input at (a0 x + a1 y + a2, b0 x + b1 y + b2), all in [-1, 1]."""
    x = call.tensor("x")
    height, width = call.integer("output_height"), call.integer("output_width")
    grid_y, grid_x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    homogeneous = np.stack([grid_x, grid_y, np.ones_like(grid_x)])
    matrices = call.tensor("transform_matrix").astype(np.float64).reshape(-1, 2, 3)
    matrices = np.broadcast_to(matrices, (x.shape[0], 2, 3))
    points = np.einsum("bij,jhw->bihw", matrices, homogeneous)
    columns = _pixels(points[:, 0], x.shape[3], "normalized_minus_one_to_one", True)
    rows = _pixels(points[:, 1], x.shape[2], "normalized_minus_one_to_one", True)
    return _sampled(call, x, rows, columns, "bilinear")


def _crop(call: Call, image: Array, box: Array) -> Array:
    """image [C, H, W] -> [C, target height, target width]."""
    lengths = image.shape[1:]
    box = box * call.number("spatial_scale")
    order = call.text("box_coordinate_mode")
    if order.endswith("WIDTH_FIRST"):
        box = box[[1, 0, 3, 2]]
    start, end = box[:2], box[2:]
    if call.flag("normalized_coordinates"):
        start, end = start * (np.array(lengths) - 1), end * (np.array(lengths) - 1)
    if order.startswith("CENTER_SIZE"):
        start, end = start - end / 2, start + end / 2
    targets = call.integer("target_height"), call.integer("target_width")
    mode = call.text("sampling_mode")
    rows, columns = (_box_grid(mode, start[axis], end[axis], targets[axis]) for axis in range(2))
    outside = _is_outside(rows, lengths[0])[:, None] | _is_outside(columns, lengths[1])[None]
    rows, columns = np.clip(rows, 0, lengths[0] - 1), np.clip(columns, 0, lengths[1] - 1)
    result = _interpolated(_interpolated(image, 1, rows), 2, columns)
    padding = call.number("pad_value") if call.has("pad_value") else 0.0
    return np.where(outside, np.float32(padding), result)


def _box_grid(mode: str, start: float, end: float, target: int) -> Array:
    """Source coordinates of a box's output pixels; an end in front of the start samples backwards."""
    if mode in _ALIGNED:
        if target == 1:
            return np.array([start if mode == "STRICT_ALIGN_CORNERS" else (start + end) / 2])
        return start + np.arange(target) * (end - start) / (target - 1)
    return start + bilinear_grid(mode, end - start + 1, target)


def _is_outside(grid: Array, length: int) -> Array:
    # Normalised boxes that touch the border come out a rounding error beyond it.
    slack = 1e-5 * max(1, length)
    return (grid < -slack) | (grid > length - 1 + slack)


def _interpolated(x: Array, axis: int, grid: Array) -> Array:
    low = np.floor(grid).astype(np.int64)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    shape = [1] * x.ndim
    shape[axis] = -1
    part = (grid - low).astype(np.float32).reshape(shape)
    return np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part


def _pixels(values: Array, length: int, mode: str, align_corners: bool) -> Array:
    """Coordinates in pixels."""
    if mode == "unnormalized":
        return values
    if mode not in ("normalized_minus_one_to_one", "normalized_zero_to_one"):
        raise UnsupportedError(f"coordinates_mode {mode} is not known")
    part = (values + 1) / 2 if mode == "normalized_minus_one_to_one" else values
    return part * (length - 1) if align_corners else part * length - 0.5


def _sampled(call: Call, x: Array, rows: Array, columns: Array, sampling_mode: str) -> Array:
    """x [B, C, H, W] at rows and columns [B, h, w] -> [B, C, h, w]."""
    padding_mode = call.text("padding_mode")
    padding = np.float32(call.number("padding_value"))
    rows, columns = (
        _folded(values, length, padding_mode)
        for values, length in ((rows, x.shape[2]), (columns, x.shape[3]))
    )
    if sampling_mode == "nearest":
        return _taps(x, np.rint(rows), np.rint(columns), padding_mode, padding)
    if sampling_mode != "bilinear":
        raise UnsupportedError(f"sampling_mode {sampling_mode} is not known")
    top, left = np.floor(rows), np.floor(columns)
    down, right = ((rows - top)[:, None]).astype(np.float32), ((columns - left)[:, None]).astype(np.float32)
    result = np.zeros((*x.shape[:2], *rows.shape[1:]), np.float32)
    for step_y, weight_y in ((0, 1 - down), (1, down)):
        for step_x, weight_x in ((0, 1 - right), (1, right)):
            result += weight_y * weight_x * _taps(x, top + step_y, left + step_x, padding_mode, padding)
    return result


def _taps(x: Array, rows: Array, columns: Array, padding_mode: str, padding: np.float32) -> Array:
    """Pixels at whole coordinates; outside, the border or the padding value."""
    height, width = x.shape[2:]
    row_index = np.clip(rows, 0, height - 1).astype(np.int64)
    column_index = np.clip(columns, 0, width - 1).astype(np.int64)
    batch = np.arange(x.shape[0])[:, None, None]
    taken = np.moveaxis(x[batch, :, row_index, column_index], -1, 1)
    if padding_mode != "constant":
        return taken
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return np.where(inside[:, None], taken, padding)


def _folded(values: Array, length: int, padding_mode: str) -> Array:
    """Bring coordinates into the image as the padding mode says; constant leaves them outside."""
    if padding_mode == "constant":
        return values
    if padding_mode == "border" or length == 1:
        return np.clip(values, 0, length - 1)
    if padding_mode == "reflection":
        period = 2 * (length - 1)
        folded = np.mod(values, period)
        return np.minimum(folded, period - folded)
    if padding_mode == "symmetric":
        folded = np.mod(values + 0.5, 2 * length)
        return np.clip(np.minimum(folded, 2 * length - folded) - 0.5, 0, length - 1)
    raise UnsupportedError(f"padding_mode {padding_mode} is not known")

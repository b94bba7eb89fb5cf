"""Convolutions, pooling and resizes: operators that look at a window around a pixel."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from passes.resize.proof import spelled_out
from rewriter.alignment.states import AxisState, Lost, Place, State, moved
from rewriter.errors import UnsupportedError
from rewriter.model import ResizeNode
from rewriter.resampling import AxisResize
from rewriter.resampling.alignment import Grid
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.onnx import OnnxResize

__all__ = ["WINDOWS"]

Rows = list[State]
_NOMINAL = 48
"""Stands for an open length where a resize's formula does not depend on it; divisible by the usual denominators."""
_OPEN = "padding depends on a length that is not known"
_POOLS = ("MaxPool", "AveragePool", "LpPool")
_FREE_FORMULAS = ("half_pixel", "asymmetric", "tf_half_pixel_for_nn", "pytorch_half_pixel")


def convolution(place: Place, states: Rows) -> Rows:
    """Conv and its relatives: the window's centre; channels are mixed."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    kernel = place.attribute("kernel_shape")
    if kernel is None:
        weights = place.input_shape(_WEIGHTS.get(str(place.node.op), 1))
        kernel = None if weights is None else list(weights[2:])
    if kernel is None or not all(isinstance(length, int) for length in kernel):
        return [Lost("the kernel's size is not known")]
    return [(state[0], None, *_windows(place, state, list(kernel)))]


def pooling(place: Place, states: Rows) -> Rows:
    """MaxPool, AveragePool, LpPool: the window's centre; indices of MaxPool are no image."""
    state = states[0]
    if isinstance(state, Lost):
        return [state, state]
    kernel = list(place.attribute("kernel_shape"))
    return [(state[0], state[1], *_windows(place, state, kernel)), Lost("indices, not values")]


def _windows(place: Place, state: tuple[AxisState, ...], kernel: list[int]) -> list[AxisState]:
    strides = place.attribute("strides") or [1] * len(kernel)
    dilations = place.attribute("dilations") or [1] * len(kernel)
    result = []
    for k, size in enumerate(kernel):
        extent = (size - 1) * dilations[k]
        begin = _padding(place, k, len(kernel), extent, strides[k])
        if isinstance(begin, str):
            result.append(_where_grid(state[k + 2], begin))
        else:
            result.append(moved(state[k + 2], strides[k], Fraction(extent, 2) - begin))
    return result


def _padding(place: Place, k: int, count: int, extent: int, stride: int) -> int | str:
    """Padding before the first pixel; a reason where it is not known."""
    auto = place.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return 0
    if auto == "NOTSET":
        return int((place.attribute("pads") or [0] * (2 * count))[k])
    length = place.length(k + 2)
    pools = place.node.op in _POOLS
    if pools and extent and (place.attribute("dilations") or [1] * count)[k] != 1:
        return "auto_pad of a dilated pool: onnxruntime ignores the dilation, the specification does not"
    if stride == 1:
        total = extent
    elif length is None:
        return _OPEN
    else:
        total = (-(-length // stride) - 1) * stride + extent + 1 - length
    if total < 0 and pools:
        return "auto_pad of a pool whose stride skips pixels: onnxruntime crops, TensorFlow does not"
    total = max(total, 0)
    return total // 2 if auto == "SAME_UPPER" else total - total // 2


def transposed_convolution(place: Place, states: Rows) -> Rows:
    """ConvTranspose: the inverse of a convolution's indices."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    kernel = place.attribute("kernel_shape")
    if kernel is None:
        weights = place.input_shape(1)
        kernel = None if weights is None else list(weights[2:])
    if kernel is None or not all(isinstance(length, int) for length in kernel):
        return [Lost("the kernel's size is not known")]
    strides = place.attribute("strides") or [1] * len(kernel)
    dilations = place.attribute("dilations") or [1] * len(kernel)
    axes: list[AxisState] = [state[0], None]
    for k, size in enumerate(kernel):
        extent = (size - 1) * dilations[k]
        begin = _transposed_padding(place, k, len(kernel), extent, strides[k])
        if begin is None:
            axes.append(_where_grid(state[k + 2], _OPEN))
        else:
            axes.append(
                moved(state[k + 2], Fraction(1, strides[k]), Fraction(2 * begin - extent, 2) / strides[k])
            )
    return [tuple(axes)]


def _transposed_padding(place: Place, k: int, count: int, extent: int, stride: int) -> int | None:
    """By the equations of the ONNX operator specification."""
    auto = place.attribute("auto_pad", "NOTSET")
    shape = place.attribute("output_shape")
    if auto == "VALID" and shape is None:
        return 0
    if auto == "NOTSET" and shape is None:
        return int((place.attribute("pads") or [0] * (2 * count))[k])
    extra = int((place.attribute("output_padding") or [0] * count)[k])
    if shape is None:  # same: output length = input length * stride
        total = extra + extent + 1 - stride
    else:
        length = place.length(k + 2)
        if length is None:
            return None
        total = stride * (length - 1) + extra + extent + 1 - int(shape[-count:][k])
    total = max(total, 0)
    return total // 2 if auto == "SAME_UPPER" else total - total // 2


def resize(place: Place, states: Rows) -> Rows:
    """Resize and Upsample: the coordinate formula of every axis."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    node = place.model.resize(place.node, place.scope)
    try:
        maps = _axis_maps(node, len(state))
    except UnsupportedError as error:
        return [tuple(_where_grid(entry, error.message) for entry in state)]
    result: list[AxisState] = []
    for entry, axis_map in zip(state, maps, strict=True):
        if not isinstance(entry, Grid) or (isinstance(axis_map, AxisMap) and axis_map.is_identity):
            result.append(entry)
        elif axis_map is None:
            result.append(Lost(f"resize '{node.name}' between lengths that are not known"))
        else:
            result.append(entry.resized(node.name, axis_map))
    return [tuple(result)]


def _axis_maps(node: ResizeNode, rank: int) -> list[AxisMap | None]:
    """The map of every axis; None where it depends on an open length."""
    # Sizes that are computed in the graph (a batch of any length in front) count as the lengths that they give.
    known_sizes = spelled_out(node)
    semantics = None if known_sizes is None else node.semantics_of(known_sizes)
    if semantics is not None:
        return list(semantics.axes)
    spelling = node.spelling()
    known: list[AxisMap | None] = [None] * rank
    before, after = node.input_shape, node.output_shape
    copy = AxisResize(1, 1, "nearest", "asymmetric", "floor")
    if spelling is None:
        for axis in range(rank):
            if before is not None and after is not None and before[axis] is not None:
                known[axis] = copy if before[axis] == after[axis] else None
        return known
    axes = spelling.named_axes(rank)
    for axis in range(rank):
        known[axis] = copy if axis not in axes else _of_open_length(spelling, axes.index(axis), before, axis)
    return known


def _of_open_length(
    spelling: OnnxResize, position: int, shape: tuple[int | str | None, ...] | None, axis: int
) -> AxisMap | None:
    """The map of an axis whose scale is given, at a length that stands for all."""
    if spelling.scales is None:
        return None
    scale = Fraction(float(np.float32(spelling.scales[position])))
    if scale == 1:
        return AxisResize(1, 1, "nearest", "asymmetric", "floor")
    if spelling.coordinate_transformation_mode not in _FREE_FORMULAS:
        return None
    rounding = (
        spelling.nearest_mode if spelling.nearest_mode != "simple" else "floor" if scale >= 1 else "ceil"
    )
    return AxisResize(
        _NOMINAL,
        max(2, int(_NOMINAL * scale)),
        spelling.mode,
        spelling.coordinate_transformation_mode,
        rounding,
        scale=scale,
        antialias=spelling.antialias,
    )


def space_to_depth(place: Place, states: Rows) -> Rows:
    """Every output pixel holds a block of input pixels in its channels: their centre."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    size = int(place.attribute("blocksize"))
    return [(state[0], None, *(moved(entry, size, Fraction(size - 1, 2)) for entry in state[2:]))]


def depth_to_space(place: Place, states: Rows) -> Rows:
    """Every input pixel becomes a block of output pixels."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    size = int(place.attribute("blocksize"))
    return [
        (
            state[0],
            None,
            *(moved(entry, Fraction(1, size), -Fraction(size - 1, 2 * size)) for entry in state[2:]),
        )
    ]


def over_everything(place: Place, states: Rows) -> Rows:
    """Global pooling: one value for all pixels."""
    state = states[0]
    return [state] if isinstance(state, Lost) else [(state[0], state[1], *(None for _ in state[2:]))]


def _where_grid(state: AxisState, reason: str) -> AxisState:
    return Lost(reason) if isinstance(state, Grid) else state


_WEIGHTS = {"QLinearConv": 3}
WINDOWS = {
    "Conv": convolution,
    "ConvInteger": convolution,
    "QLinearConv": convolution,
    "ConvTranspose": transposed_convolution,
    "MaxPool": pooling,
    "AveragePool": pooling,
    "LpPool": pooling,
    "GlobalAveragePool": over_everything,
    "GlobalMaxPool": over_everything,
    "GlobalLpPool": over_everything,
    "Resize": resize,
    "Upsample": resize,
    "SpaceToDepth": space_to_depth,
    "DepthToSpace": depth_to_space,
}

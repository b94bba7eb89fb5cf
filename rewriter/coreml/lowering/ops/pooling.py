"""Pooling, over windows and over whole images."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import chain
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.padding import crop_or_pad
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape
from rewriter.coreml.lowering.windows import Window

__all__: list[str] = []


@lowering("GlobalAveragePool", "GlobalMaxPool")
def pool_globally(node: Node) -> Var:
    reduce = mb.reduce_mean if node.op == "GlobalAveragePool" else mb.reduce_max
    return reduce(x=node.var(), axes=list(range(2, node.rank())), keep_dims=True)


@lowering("MaxPool")
def max_pool(node: Node) -> Var | list[Var]:
    window = _window(node)
    overhang = _overhang(node, window)
    if node.wants(1):
        return _max_with_places(node, window, overhang)
    if window.is_dilated or any(
        max(begin, end + more) >= k
        for begin, end, more, k in zip(window.begins, window.ends, overhang, window.kernel, strict=True)
    ):
        return _dilated_max(node.var(), window, overhang)
    return mb.max_pool(
        x=node.var(),
        kernel_sizes=list(window.kernel),
        strides=list(window.strides),
        pad_type="custom",
        pad=_with_overhang(window, overhang),
    )


@lowering("AveragePool")
def average_pool(node: Node) -> Var:
    window, x = _window(node), node.var()
    overhang = _overhang(node, window)
    count_padding = bool(node.attr("count_include_pad", 0))
    if window.is_dilated:
        return _dilated_average(node, window, overhang, count_padding)
    pads = _with_overhang(window, overhang)
    if count_padding and any(overhang):
        # The declared padding counts, what ceil_mode adds to it does not.
        x = crop_or_pad(x, [(0, 0), (0, 0), *zip(window.begins, window.ends, strict=True)])
        pads = [value for more in overhang for value in (0, more)]
        count_padding = False
    return mb.avg_pool(
        x=x,
        kernel_sizes=list(window.kernel),
        strides=list(window.strides),
        pad_type="custom",
        pad=pads,
        exclude_padding_from_average=not count_padding,
    )


@lowering("LpPool")
def lp_pool(node: Node) -> Var:
    order = int(node.attr("p", 2))
    if order < 1:
        raise node.refuse(f"norm of order {order}")
    window, x = _window(node), mb.abs(x=node.var())
    powers = x if order == 1 else mb.pow(x=x, y=np.float32(order))
    total = _window_sum(powers, window, _overhang(node, window))
    return total if order == 1 else mb.pow(x=total, y=np.float32(1 / order))


def _window(node: Node) -> Window:
    spatial = node.shape()[2:]
    if not 1 <= len(spatial) <= 3:
        raise node.refuse(f"{len(spatial)} spatial axes, Core ML pools one to three")
    if not node.is_float():
        raise node.refuse("integers are not pooled by Core ML")
    window = Window.of(node, spatial, node.attributes["kernel_shape"])
    if min(*window.begins, *window.ends) < 0:
        raise node.refuse("negative padding")
    return window


def _overhang(node: Node, window: Window) -> list[int]:
    """How far the last window of each axis reaches beyond the padded input (ceil_mode).

    A last window that would start beyond the input and its leading padding is left out, as the specification says
    since opset 22 and every implementation did before.
    """
    spatial = node.shape()[2:]
    result = []
    for axis, length in enumerate(spatial):
        extent, stride = window.extents[axis], window.strides[axis]
        padded = length + window.begins[axis] + window.ends[axis]
        count = (padded - extent) // stride + 1
        if node.attr("ceil_mode", 0):
            count = math.ceil((padded - extent) / stride) + 1
            if (count - 1) * stride >= length + window.begins[axis]:
                count -= 1
        if count < 1:
            raise node.refuse(f"the window of {extent} is larger than the padded axis of {padded}")
        result.append(max((count - 1) * stride + extent - padded, 0))
    return result


def _with_overhang(window: Window, overhang: Sequence[int]) -> list[int]:
    return [
        value
        for begin, end, more in zip(window.begins, window.ends, overhang, strict=True)
        for value in (begin, end + more)
    ]


def _padded(x: Var, window: Window, overhang: Sequence[int], value: float) -> Var:
    grown = [(b, e + more) for b, e, more in zip(window.begins, window.ends, overhang, strict=True)]
    return crop_or_pad(x, [(0, 0), (0, 0), *grown], value)


def _dilated_max(x: Var, window: Window, overhang: Sequence[int]) -> Var:
    """The maximum of shifted strided slices, one axis after the other."""
    x = _padded(x, window, overhang, -math.inf)
    for index, (kernel, stride, dilation) in enumerate(
        zip(window.kernel, window.strides, window.dilations, strict=True)
    ):
        axis, length = index + 2, static_shape(x)[index + 2]
        count = (length - (kernel - 1) * dilation - 1) // stride + 1
        slices = [
            _strided(x, axis, tap * dilation, tap * dilation + (count - 1) * stride + 1, stride)
            for tap in range(kernel)
        ]
        x = chain(mb.maximum, slices)
    return x


def _max_with_places(node: Node, window: Window, overhang: Sequence[int]) -> list[Var]:
    """The maxima, and where in the whole tensor each was found first; MIL's operator does not say."""
    shape = node.shape()
    spatial = shape[2:]
    x = _padded(node.var(), window, overhang, -math.inf)
    counts = [
        (n - extent) // stride + 1
        for n, extent, stride in zip(static_shape(x)[2:], window.extents, window.strides, strict=True)
    ]
    # Which axis counts fastest: the last one, or with storage_order 1 the first.
    order = range(len(spatial)) if node.attr("storage_order", 0) else range(len(spatial))[::-1]
    weights, weight = [0] * len(spatial), 1
    for axis in order:
        weights[axis], weight = weight, weight * spatial[axis]
    starts = np.arange(shape[0] * shape[1]).reshape(shape[0], shape[1], *[1] * len(spatial)) * weight
    best: Var | None = None
    for taps in itertools.product(*map(range, window.kernel)):
        part, place = x, starts
        for axis, tap in enumerate(taps):
            first = tap * window.dilations[axis]
            stride, count = window.strides[axis], counts[axis]
            part = _strided(part, axis + 2, first, first + (count - 1) * stride + 1, stride)
            own = (np.arange(count) * stride + first - window.begins[axis]) * weights[axis]
            place = place + own.reshape([-1 if a == axis + 2 else 1 for a in range(len(shape))])
        here = np.ascontiguousarray(place, dtype=np.int32)
        if best is None:
            best, where = part, here
            continue
        is_larger = mb.greater(x=part, y=best)
        where = mb.select(cond=is_larger, a=here, b=where)
        best = mb.maximum(x=best, y=part)
    assert best is not None
    return [best, where]


def _strided(x: Var, axis: int, begin: int, end: int, stride: int) -> Var:
    shape = static_shape(x)
    begins, ends, strides = [0] * len(shape), list(shape), [1] * len(shape)
    begins[axis], ends[axis], strides[axis] = begin, end, stride
    return mb.slice_by_index(x=x, begin=begins, end=ends, stride=strides)


def _dilated_average(node: Node, window: Window, overhang: Sequence[int], count_padding: bool) -> Var:
    """The sum over each window, divided by how many pixels it holds."""
    shape = node.shape()
    total = _window_sum(node.var(), window, overhang)
    counts = _pixel_counts(shape[2:], static_shape(total)[2:], window, count_padding)
    return mb.mul(x=total, y=(1 / counts).astype(np.float32)[None, None])


def _window_sum(x: Var, window: Window, overhang: Sequence[int]) -> Var:
    """The sum over each window, padding being zero: a depthwise convolution with ones."""
    channels = static_shape(x)[1]
    return mb.conv(
        x=x,
        weight=np.ones((channels, 1, *window.kernel), dtype=np.float32),
        strides=list(window.strides),
        pad_type="custom",
        pad=_with_overhang(window, overhang),
        dilations=list(window.dilations),
        groups=channels,
    )


def _pixel_counts(
    lengths: Sequence[int], windows: Sequence[int], window: Window, count_padding: bool
) -> np.ndarray:
    """How many pixels each window averages; shape `windows`."""
    per_axis = []
    for axis, (length, count) in enumerate(zip(lengths, windows, strict=True)):
        first = 0 if count_padding else window.begins[axis]
        last = length + window.begins[axis] + (window.ends[axis] if count_padding else 0)
        taps = np.arange(window.kernel[axis]) * window.dilations[axis]
        positions = np.arange(count)[:, None] * window.strides[axis] + taps
        per_axis.append(((positions >= first) & (positions < last)).sum(axis=1))
    return functools.reduce(np.multiply, np.ix_(*per_axis))

"""Convolution, transposed convolution and pooling over the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, enum_name, layer, mil_kernel

__all__: list[str] = []


@layer("convolution")
def convolution(layer: Layer) -> Array:
    """x [..., C, H, W]; weights [C_out, C / groups, h, w], or [C, C_out / groups, h, w] when transposed."""
    p = layer.parameters
    if len(layer.inputs) != 1:
        raise layer.refuse("weights that are an input")
    x, groups = layer.x, max(1, p.nGroups)
    if x.ndim != 4:
        raise layer.refuse(f"a tensor of rank {x.ndim}")
    kernel = tuple(p.kernelSize) or (3, 3)
    pad_type, pads = _padding(layer)
    outer = (p.kernelChannels, p.outputChannels // groups)
    shape = (*outer, *kernel) if p.isDeconvolution else (p.outputChannels, p.kernelChannels, *kernel)
    wanted = tuple(p.outputShape)
    return mil_kernel(
        "conv_transpose" if p.isDeconvolution else "conv",
        x=x,
        weight=layer.weights("weights", shape),
        bias=layer.weights("bias", (p.outputChannels,)) if p.hasBias else None,
        groups=groups,
        strides=tuple(p.stride) or (1, 1),
        dilations=tuple(p.dilationFactor) or (1, 1),
        pad_type=pad_type,
        pad=pads,
        output_shape=np.array(wanted) if p.isDeconvolution and wanted else None,
    )


@layer("pooling")
def pooling(layer: Layer) -> Array:
    p, x = layer.parameters, layer.x
    kind = enum_name(p, "type")
    if p.globalPooling:
        return _global(x, kind)
    if x.ndim != 4:
        raise layer.refuse(f"a tensor of rank {x.ndim}")
    pad_type, pads = _padding(layer)
    ceil_mode = p.WhichOneof("PoolingPaddingType") == "includeLastPixel"
    if ceil_mode and kind == "AVERAGE":
        raise layer.refuse("how many pixels an average counts beyond the last one is not documented")
    return mil_kernel(
        {"MAX": "max_pool", "AVERAGE": "avg_pool", "L2": "l2_pool"}[kind],
        x=x,
        kernel_sizes=tuple(p.kernelSize) or (3, 3),
        strides=tuple(p.stride) or (1, 1),
        pad_type=pad_type,
        pad=pads,
        ceil_mode=ceil_mode,
        exclude_padding_from_average=p.avgPoolExcludePadding,
    )


def _global(x: Array, kind: str) -> Array:
    if kind == "MAX":
        return x.max(axis=(-2, -1), keepdims=True)
    if kind == "AVERAGE":
        return x.mean(axis=(-2, -1), keepdims=True)
    return np.sqrt(np.square(x).sum(axis=(-2, -1), keepdims=True))


def _padding(layer: Layer) -> tuple[str, tuple[int, ...]]:
    """The padding in MIL's words: type, and amounts before and after each axis."""
    p = layer.parameters
    if p.HasField("same"):
        lower = enum_name(p.same, "asymmetryMode") == "TOP_LEFT_HEAVY"
        return ("same_lower" if lower else "same"), (0, 0, 0, 0)
    if layer.kind == "pooling" and p.HasField("includeLastPixel"):
        height, width = tuple(p.includeLastPixel.paddingAmounts) or (0, 0)
        return "custom", (height, height, width, width)
    return "custom", border_amounts(p.valid.paddingAmounts)


def border_amounts(message: Any) -> tuple[int, ...]:
    """Top, bottom, left, right of a `BorderAmounts` message; zeros where it is empty."""
    if not message.borderAmounts:
        return (0, 0, 0, 0)
    return tuple(n for edge in message.borderAmounts for n in (edge.startEdgeSize, edge.endEdgeSize))

"""Layers that make, join, take apart or extend tensors."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.convolution import border_amounts
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, layer

__all__: list[str] = []


@layer("loadConstantND")
def load_constant_nd(layer: Layer) -> Array:
    return layer.weights("data", tuple(layer.parameters.shape))


@layer("concatND")
def concat_nd(layer: Layer) -> Array:
    if layer.parameters.interleave:
        raise layer.refuse("interleaving")
    return np.concatenate(layer.inputs, layer.parameters.axis)


@layer("concat")
def concat(layer: Layer) -> Array:
    """Over the channels, axis -3."""
    if layer.parameters.sequenceConcat:
        raise layer.refuse("concatenation of sequences")
    return np.concatenate(layer.inputs, -3)


@layer("stack")
def stack(layer: Layer) -> Array:
    return np.stack(layer.inputs, layer.parameters.axis)


@layer("splitND")
def split_nd(layer: Layer) -> list[Array]:
    p = layer.parameters
    sizes = list(p.splitSizes) or [layer.x.shape[p.axis] // p.numSplits] * p.numSplits
    return np.split(layer.x, np.cumsum(sizes)[:-1], p.axis)


@layer("tile")
def tile(layer: Layer) -> Array:
    if len(layer.inputs) != 1:
        raise layer.refuse("repetitions that are an input")
    return np.tile(layer.x, tuple(layer.parameters.reps))


@layer("constantPad")
def constant_pad(layer: Layer) -> Array:
    p, x = layer.parameters, layer.x
    if p.padToGivenOutputSizeMode or len(layer.inputs) != 1:
        raise layer.refuse("padding to a given size")
    amounts = list(p.padAmounts)
    widths = list(zip(amounts[::2], amounts[1::2], strict=True))
    widths = [(0, 0)] * (x.ndim - len(widths)) + widths
    return np.pad(x, widths, constant_values=np.float32(p.value))


@layer("padding")
def padding(layer: Layer) -> Array:
    """The last two axes."""
    p, x = layer.parameters, layer.x
    top, bottom, left, right = border_amounts(p.paddingAmounts)
    widths = [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)]
    kind = p.WhichOneof("PaddingType")
    if kind == "constant":
        return np.pad(x, widths, constant_values=np.float32(p.constant.value))
    return np.pad(x, widths, mode="reflect" if kind == "reflection" else "edge")


@layer("crop")
def crop(layer: Layer) -> Array:
    """The last two axes, by amounts."""
    if len(layer.inputs) != 1:
        raise layer.refuse("the size of another input")
    top, bottom, left, right = border_amounts(layer.parameters.cropAmounts)
    height, width = layer.x.shape[-2:]
    return layer.x[..., top : height - bottom, left : width - right]


@layer("gather")
def gather(layer: Layer) -> Array:
    return np.take(layer.x, layer.inputs[1].astype(np.int64), axis=layer.parameters.axis)


@layer("gatherAlongAxis")
def gather_along_axis(layer: Layer) -> Array:
    return np.take_along_axis(layer.x, layer.inputs[1].astype(np.int64), axis=layer.parameters.axis)

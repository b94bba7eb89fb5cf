"""Layers that rearrange a tensor."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, enum_name, layer, mil_kernel

__all__: list[str] = []


@layer("transpose")
def transpose(layer: Layer) -> Array:
    return layer.x.transpose(tuple(layer.parameters.axes))


@layer("reshapeStatic")
def reshape_static(layer: Layer) -> Array:
    return layer.x.reshape(tuple(layer.parameters.targetShape))


@layer("rankPreservingReshape")
def rank_preserving_reshape(layer: Layer) -> Array:
    """0 keeps a length, -1 takes what remains."""
    pairs = zip(layer.parameters.targetShape, layer.x.shape, strict=True)
    return layer.x.reshape([own if length == 0 else length for length, own in pairs])


@layer("expandDims")
def expand_dims(layer: Layer) -> Array:
    return np.expand_dims(layer.x, tuple(layer.parameters.axes))


@layer("squeeze")
def squeeze(layer: Layer) -> Array:
    p = layer.parameters
    result = np.squeeze(layer.x) if p.squeezeAll else np.squeeze(layer.x, tuple(p.axes))
    return result if result.ndim else result.reshape(1)


@layer("flattenTo2D")
def flatten_to_2d(layer: Layer) -> Array:
    axis = layer.parameters.axis % (layer.x.ndim + 1)
    return layer.x.reshape(int(np.prod(layer.x.shape[:axis])), -1)


@layer("sliceStatic")
def slice_static(layer: Layer) -> Array:
    """Begin, end (exclusive) and stride of each axis; a mask lets a bound go, or drops an axis of length 1."""
    p = layer.parameters
    count = layer.x.ndim
    squeezed = list(p.squeezeMasks) or [False] * count
    index: list[slice | int] = []
    for axis in range(count):
        if squeezed[axis]:
            index.append(int(p.beginIds[axis]))
            continue
        begin = None if p.beginMasks[axis] else int(p.beginIds[axis])
        end = None if p.endMasks[axis] else int(p.endIds[axis])
        index.append(slice(begin, end, int(p.strides[axis])))
    result = layer.x[tuple(index)]
    return result if result.ndim else result.reshape(1)


@layer("slice")
def slice_one_axis(layer: Layer) -> Array:
    """Channels, rows or columns, from `startIndex` up to `endIndex`, which is exclusive."""
    p = layer.parameters
    if p.startIndex < 0 or p.endIndex < 0:
        raise layer.refuse("what an end that is counted from the end includes is not documented")
    axis = {"CHANNEL_AXIS": -3, "HEIGHT_AXIS": -2, "WIDTH_AXIS": -1}[enum_name(p, "axis")]
    index: list[slice] = [slice(None)] * layer.x.ndim
    index[axis] = slice(int(p.startIndex), int(p.endIndex), int(p.stride) or 1)
    return layer.x[tuple(index)]


@layer("reorganizeData")
def reorganize_data(layer: Layer) -> Array:
    """Between channels and pixels."""
    p = layer.parameters
    kind = enum_name(p, "mode")
    if kind == "PIXEL_SHUFFLE":
        return mil_kernel("pixel_shuffle", x=layer.x, upscale_factor=p.blockSize)
    return mil_kernel(kind.lower(), x=layer.x, block_size=p.blockSize)

"""Native resize layers, on the last two axes; grids as in the documentation of the format (NeuralNetwork.proto)."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, enum_name, layer, mil_kernel

__all__: list[str] = []

_SAMPLING_MODES = {
    "STRICT_ALIGN_ENDPOINTS_MODE": "STRICT_ALIGN_CORNERS",
    "ALIGN_ENDPOINTS_MODE": "ALIGN_CORNERS",
    "UPSAMPLE_MODE": "DEFAULT",
    "ROI_ALIGN_MODE": "OFFSET_CORNERS",
}
_UPSAMPLE_MODES = {
    "DEFAULT": "DEFAULT",
    "ALIGN_CORNERS_TRUE": "STRICT_ALIGN_CORNERS",
    "ALIGN_CORNERS_FALSE": "UNALIGN_CORNERS",
}


@layer("resizeBilinear")
def resize_bilinear(layer: Layer) -> Array:
    p = layer.parameters
    height, width = tuple(p.targetSize) or (1, 1)
    method = enum_name(p.mode, "samplingMethod")
    return _bilinear(layer.x, height, width, _SAMPLING_MODES[method])


@layer("upsample")
def upsample(layer: Layer) -> Array:
    """By whole factors, or by fractional ones with linear interpolation; the spacing is that of the output length."""
    p, x = layer.parameters, layer.x
    factors = tuple(p.fractionalScalingFactor) or tuple(p.scalingFactor) or (1, 1)
    lengths = [
        int(np.floor(np.float32(n) * np.float32(f))) for n, f in zip(x.shape[-2:], factors, strict=True)
    ]
    if enum_name(p, "mode") == "BILINEAR":
        mode = enum_name(p, "linearUpsampleMode")
        return _bilinear(x, lengths[0], lengths[1], _UPSAMPLE_MODES[mode])
    if any(factor != int(factor) for factor in factors):
        raise layer.refuse(f"nearest pixels at the factors {factors}")
    return x.repeat(int(factors[0]), axis=-2).repeat(int(factors[1]), axis=-1)


@layer("cropResize")
def crop_resize(layer: Layer) -> Array:
    """Each box of each image, on a grid that is documented only where it aligns the corners."""
    p = layer.parameters
    method = enum_name(p.mode, "samplingMethod")
    if not method.endswith("ALIGN_ENDPOINTS_MODE"):
        raise layer.refuse(f"where {method} puts its grid in a box is not documented")
    x, boxes = layer.inputs
    if x.ndim != 4 or boxes.ndim != 5:
        raise layer.refuse(f"tensors of ranks {x.ndim} and {boxes.ndim}")
    height, width = tuple(p.targetSize) or (1, 1)
    return mil_kernel(
        "crop_resize",
        x=x,
        roi=boxes,
        target_height=height,
        target_width=width,
        normalized_coordinates=p.normalizedCoordinates,
        spatial_scale=p.spatialScale or 1.0,
        box_coordinate_mode=enum_name(p.boxIndicesMode, "boxMode"),
        sampling_mode=_SAMPLING_MODES[method],
    )


def _bilinear(x: Array, height: int, width: int, mode: str) -> Array:
    return mil_kernel(
        "resize_bilinear", x=x, target_size_height=height, target_size_width=width, sampling_mode=mode
    )

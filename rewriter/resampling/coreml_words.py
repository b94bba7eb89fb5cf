"""Core ML's words for a resize: the MIL operators and the layers of the neuralnetwork format.

Grids are those of the operator documentation in coremltools 9.0, which its own tests confirm with literal values.
Where documentation is silent the map says so in `assumption`; `rewriter.resampling.coreml.express` relies on none of
those. Every function returns the map of one axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.coordinates import float32_fraction
from rewriter.resampling.sampled import SampledAxis

__all__ = [
    "SAMPLING_MODES",
    "box_of_axis",
    "crop_resize",
    "crop_resize_layer",
    "resample",
    "resize",
    "resize_bilinear",
    "resize_bilinear_layer",
    "resize_nearest_neighbor",
    "upsample_bilinear",
    "upsample_layer",
    "upsample_nearest_neighbor",
]

_GRIDS = {
    "STRICT_ALIGN_CORNERS": "align_corners",
    "DEFAULT": "asymmetric",
    "UNALIGN_CORNERS": "half_pixel",
    "ALIGN_CORNERS": "align_corners_centred",
    "OFFSET_CORNERS": "offset_corners",
}
SAMPLING_MODES = tuple(_GRIDS)
_LAYER_MODES = {
    "STRICT_ALIGN_ENDPOINTS_MODE": "STRICT_ALIGN_CORNERS",
    "ALIGN_ENDPOINTS_MODE": "ALIGN_CORNERS",
    "UPSAMPLE_MODE": "DEFAULT",
    "ROI_ALIGN_MODE": "OFFSET_CORNERS",
}
_LINEAR_UPSAMPLE_MODES = {
    "DEFAULT": "asymmetric",
    "ALIGN_CORNERS_TRUE": "align_corners",
    "ALIGN_CORNERS_FALSE": "half_pixel",
}
_PADDING = {"constant": "constant", "border": "border", "reflection": "reflection", "symmetric": "symmetric"}
_HALF = Fraction(1, 2)


def resize_bilinear(n_in: int, n_out: int, sampling_mode: str) -> AxisResize:
    """MIL `resize_bilinear`; the spacing is always n_in / n_out for DEFAULT and UNALIGN_CORNERS."""
    return AxisResize(n_in, n_out, "linear", _grid("resize_bilinear", sampling_mode))


def upsample_bilinear(
    n_in: int, scale: float, align_corners: bool, half_pixel_centers: bool | None = None
) -> AxisResize:
    """MIL `upsample_bilinear`: output floor(n_in × scale), spacing recomputed from it.

    `half_pixel_centers` defaults to the opposite of `align_corners`.
    """
    centred = (not align_corners) if half_pixel_centers is None else half_pixel_centers
    if align_corners and centred:
        raise UnsupportedError("upsample_bilinear rejects align_corners together with half_pixel_centers")
    grid = "align_corners" if align_corners else "half_pixel" if centred else "asymmetric"
    return AxisResize(n_in, math.floor(n_in * Fraction(scale)), "linear", grid)


def upsample_nearest_neighbor(n_in: int, scale: float) -> AxisResize:
    """MIL `upsample_nearest_neighbor`: each pixel repeated `scale` times.

    At fractional factors output i of floor(n_in × scale) takes input floor(i n_in / n_out): only coremltools' own
    expected values say so.
    """
    n_out = math.floor(n_in * Fraction(scale))
    assumption = "" if scale == int(scale) else "fractional factors take pixel floor(i n_in / n_out)"
    return AxisResize(n_in, n_out, "nearest", "asymmetric", "floor", assumption=assumption)


def resize_nearest_neighbor(n_in: int, n_out: int) -> AxisResize:
    """MIL `resize_nearest_neighbor`: half-pixel centres, floor((i + ½) n_in / n_out); documented for no ratio."""
    assumption = "" if n_out % n_in == 0 else "fractional factors take pixel floor((i + 1/2) n_in / n_out)"
    return AxisResize(n_in, n_out, "nearest", "tf_half_pixel_for_nn", "floor", assumption=assumption)


def resize(
    n_in: int, n_out: int, interpolation_mode: str = "LINEAR", sampling_mode: str = "DEFAULT"
) -> AxisResize:
    """MIL `resize` of iOS 17; with DEFAULT its nearest rule is half pixel (coremltools' expected values)."""
    grid = _grid("resize", sampling_mode)
    if interpolation_mode == "LINEAR":
        return AxisResize(n_in, n_out, "linear", grid)
    if interpolation_mode != "NEAREST_NEIGHBOR":
        raise UnsupportedError(f"resize has no interpolation_mode {interpolation_mode}")
    if sampling_mode == "DEFAULT":
        return AxisResize(n_in, n_out, "nearest", "tf_half_pixel_for_nn", "floor")
    assumption = f"which pixel is nearest with sampling mode {sampling_mode} is not documented: halves go up"
    return AxisResize(n_in, n_out, "nearest", grid, "round_prefer_ceil", assumption=assumption)


def box_of_axis(
    box: Sequence[float], axis: str, box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST"
) -> tuple[Fraction, Fraction]:
    """Start and end of a `crop_resize` box along ``height`` or ``width``.

    Raises:
        UnsupportedError: an unknown mode or axis.
    """
    orders = (
        "CORNERS_HEIGHT_FIRST",
        "CORNERS_WIDTH_FIRST",
        "CENTER_SIZE_HEIGHT_FIRST",
        "CENTER_SIZE_WIDTH_FIRST",
    )
    if box_coordinate_mode not in orders or axis not in ("height", "width"):
        raise UnsupportedError(f"crop_resize has no box_coordinate_mode {box_coordinate_mode} of {axis}")
    first = (axis == "height") == box_coordinate_mode.endswith("HEIGHT_FIRST")
    a, b = (float32_fraction(box[position]) for position in ((0, 2) if first else (1, 3)))
    return (a - b / 2, a + b / 2) if box_coordinate_mode.startswith("CENTER_SIZE") else (a, b)


def crop_resize(
    n_in: int,
    n_out: int,
    box: tuple[float | Fraction, float | Fraction],
    sampling_mode: str = "DEFAULT",
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
) -> SampledAxis:
    """MIL `crop_resize`, one axis of one box; rows are empty where it samples beyond the input (pad_value there).

    Args:
        n_in, n_out: length of the image and of the crop.
        box: start and end along this axis (`box_of_axis`).
        sampling_mode: a member of `SAMPLING_MODES`; documented for a box only where it aligns the corners.
        normalized_coordinates: whether the box is in fractions of n_in - 1 rather than in pixels.
        spatial_scale: factor of the box.
    """
    grid = _grid("crop_resize", sampling_mode)
    unit = float32_fraction(spatial_scale) * (n_in - 1 if normalized_coordinates else 1)
    start, end = (float32_fraction(value) * unit for value in box)
    aligned = sampling_mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS")
    return SampledAxis(
        n_in,
        _box_coordinates(grid, start, end, n_out),
        outside="extrapolate",
        words=f"crop_resize {sampling_mode} of [{float(start):g}, {float(end):g}]",
        assumption="" if aligned else f"where {sampling_mode} puts its grid in a box is not documented",
    )


def _box_coordinates(grid: str, start: Fraction, end: Fraction, n_out: int) -> tuple[Fraction, ...]:
    """The grid of `resize_bilinear` on an input that spans the box, end - start + 1 pixels."""
    span = end - start
    if grid in ("align_corners", "align_corners_centred"):
        if n_out == 1:
            return (start if grid == "align_corners" else (start + end) / 2,)
        return tuple(start + i * span / (n_out - 1) for i in range(n_out))
    n = span + 1
    if grid == "offset_corners":
        return tuple(start + (i + _HALF) * max(Fraction(1), span) / n_out for i in range(n_out))
    shift = _HALF if grid == "half_pixel" else Fraction(0)
    # Clamped into the box, as resize_bilinear clamps into its input.
    positions = (min(max((i + shift) * n / n_out - shift, Fraction(0)), span) for i in range(n_out))
    return tuple(start + x for x in positions)


def resample(
    n_in: int,
    coordinates: Sequence[float],
    sampling_mode: str = "bilinear",
    padding_mode: str = "border",
    coordinates_mode: str = "unnormalized",
    align_corners: bool = True,
) -> SampledAxis:
    """MIL `resample`, where its coordinates form a grid: the positions along one axis.

    With ``constant`` padding the tensor resize needs `background` and `extrapolation_value` = padding_value.

    Raises:
        UnsupportedError: an unknown mode.
    """
    if sampling_mode not in ("bilinear", "nearest"):
        raise UnsupportedError(f"resample has no sampling_mode {sampling_mode}")
    if padding_mode not in _PADDING:
        raise UnsupportedError(f"resample has no padding_mode {padding_mode}")
    positions = tuple(
        _pixels(float32_fraction(x), n_in, coordinates_mode, align_corners) for x in coordinates
    )
    nearest = sampling_mode == "nearest"
    return SampledAxis(
        n_in,
        positions,
        "nearest" if nearest else "linear",
        "half_even",
        _PADDING[padding_mode],
        words=f"resample {sampling_mode} {padding_mode}",
        assumption="which pixel is nearest at a tie is not documented: the even one" if nearest else "",
    )


def _pixels(x: Fraction, n: int, mode: str, align_corners: bool) -> Fraction:
    if mode == "unnormalized":
        return x
    if mode not in ("normalized_minus_one_to_one", "normalized_zero_to_one"):
        raise UnsupportedError(f"resample has no coordinates_mode {mode}")
    part = (x + 1) / 2 if mode == "normalized_minus_one_to_one" else x
    return part * (n - 1) if align_corners else part * n - _HALF


def upsample_layer(
    n_in: int, scale: float, mode: str = "NN", linear_upsample_mode: str = "DEFAULT"
) -> AxisResize:
    """The neuralnetwork layer `upsample`: NN, or BILINEAR with one of three grids.

    Fractional factors exist only with BILINEAR and ALIGN_CORNERS_TRUE or ALIGN_CORNERS_FALSE.
    """
    if mode not in ("NN", "BILINEAR") or linear_upsample_mode not in _LINEAR_UPSAMPLE_MODES:
        raise UnsupportedError(f"the upsample layer has no mode {mode} {linear_upsample_mode}")
    if scale != int(scale) and (mode == "NN" or linear_upsample_mode == "DEFAULT"):
        raise UnsupportedError(
            f"the upsample layer takes only whole factors with {mode} {linear_upsample_mode}"
        )
    n_out = math.floor(n_in * Fraction(scale))
    if mode == "NN":
        return AxisResize(n_in, n_out, "nearest", "asymmetric", "floor")
    return AxisResize(n_in, n_out, "linear", _LINEAR_UPSAMPLE_MODES[linear_upsample_mode])


def resize_bilinear_layer(n_in: int, n_out: int, mode: str = "ALIGN_ENDPOINTS_MODE") -> AxisResize:
    """The neuralnetwork layer `resizeBilinear`, with one of its four modes."""
    return resize_bilinear(n_in, n_out, _layer_mode(mode))


def crop_resize_layer(
    n_in: int,
    n_out: int,
    box: tuple[float, float],
    mode: str = "STRICT_ALIGN_ENDPOINTS_MODE",
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
) -> SampledAxis:
    """The neuralnetwork layer `cropResize`, one axis of one box; it pads with 0."""
    return crop_resize(n_in, n_out, box, _layer_mode(mode), normalized_coordinates, spatial_scale)


def _layer_mode(mode: str) -> str:
    if mode not in _LAYER_MODES:
        raise UnsupportedError(
            f"neuralnetwork layers have no mode {mode}", remedy=f"use one of {', '.join(_LAYER_MODES)}"
        )
    return _LAYER_MODES[mode]


def _grid(op: str, sampling_mode: str) -> str:
    if sampling_mode not in _GRIDS:
        raise UnsupportedError(f"{op} has no sampling_mode {sampling_mode}")
    return _GRIDS[sampling_mode]

"""Metal Performance Shaders' words for a resize, as their headers and documentation describe them.

Nothing here was run: there is no Metal off Apple's machines. Every map is marked `documented_only`. Where the
documentation does not give the grid, the caller has to say which one to assume.
"""

from __future__ import annotations

from dataclasses import replace

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.sampled import SampledAxis

__all__ = [
    "mps_cnn_upsampling_bilinear",
    "mps_cnn_upsampling_nearest",
    "mps_graph_resize",
    "mps_image_bilinear_scale",
    "mps_nn_resize_bilinear",
]

_GRAPH_ROUNDINGS = {
    "roundPreferCeil": "round_prefer_ceil",
    "roundPreferFloor": "round_prefer_floor",
    "ceil": "ceil",
    "floor": "floor",
    "roundToEven": "half_even",
}
_ASSUMABLE = ("asymmetric", "half_pixel")


def mps_cnn_upsampling_nearest(n_in: int, factor: int) -> AxisResize:
    """`MPSCNNUpsamplingNearest`: each pixel repeated a whole number of times."""
    _check_factor("MPSCNNUpsamplingNearest", factor)
    return AxisResize(n_in, n_in * factor, "nearest", "asymmetric", "floor", documented_only=True)


def mps_cnn_upsampling_bilinear(
    n_in: int, factor: int, align_corners: bool = False, assume: str | None = None
) -> AxisResize:
    """`MPSCNNUpsamplingBilinear`: whole factors only.

    Args:
        n_in: input length.
        factor: whole number of at least 1.
        align_corners: the four-argument initialiser's flag; the three-argument one leaves it NO.
        assume: grid without align_corners, ``asymmetric`` or ``half_pixel``: its documentation gives none.

    Raises:
        UnsupportedError: a factor that is not whole, or no align_corners and nothing assumed.
    """
    _check_factor("MPSCNNUpsamplingBilinear", factor)
    return _bilinear("MPSCNNUpsamplingBilinear", n_in, n_in * factor, align_corners, assume)


def mps_nn_resize_bilinear(
    n_in: int, n_out: int, align_corners: bool = False, assume: str | None = None
) -> AxisResize:
    """`MPSNNResizeBilinear` (iOS 12): any size; with alignCorners the centres of the corner pixels are aligned.

    `assume` as in `mps_cnn_upsampling_bilinear`.
    """
    return _bilinear("MPSNNResizeBilinear", n_in, n_out, align_corners, assume)


def mps_image_bilinear_scale(n_in: int, n_out: int) -> AxisResize:
    """`MPSImageBilinearScale` filling its target: it maps bounding boxes, so half-pixel centres."""
    return AxisResize(n_in, n_out, "linear", "half_pixel", documented_only=True)


def mps_graph_resize(
    n_in: int,
    n_out: int,
    mode: str = "bilinear",
    center_result: bool = True,
    align_corners: bool = False,
    nearest_rounding_mode: str = "roundPreferCeil",
) -> AxisMap:
    """`MPSGraph.resize`: index scaling without offset, or half-pixel centres with centerResult, or aligned corners.

    Args:
        n_in, n_out: lengths.
        mode: ``bilinear`` or ``nearest``.
        center_result: half-pixel centres; without effect together with align_corners.
        align_corners: map the first and last pixels on each other.
        nearest_rounding_mode: ``roundPreferCeil`` unless the call names another.

    Raises:
        UnsupportedError: an unknown mode or rounding.
    """
    grid = "align_corners" if align_corners else "half_pixel" if center_result else "asymmetric"
    linear = AxisResize(n_in, n_out, "linear", grid, documented_only=True)
    if mode == "bilinear":
        return linear
    if mode != "nearest" or nearest_rounding_mode not in _GRAPH_ROUNDINGS:
        raise UnsupportedError(f"MPSGraph resize has no mode {mode} {nearest_rounding_mode}")
    rounding = _GRAPH_ROUNDINGS[nearest_rounding_mode]
    if rounding != "half_even":
        return replace(linear, kernel="nearest", rounding=rounding)
    return SampledAxis(
        n_in,
        tuple(linear.source_coordinates()),
        "nearest",
        rounding,
        words=f"nearest {grid} {nearest_rounding_mode}",
        documented_only=True,
    )


def _bilinear(kernel: str, n_in: int, n_out: int, align_corners: bool, assume: str | None) -> AxisResize:
    if align_corners:
        return AxisResize(n_in, n_out, "linear", "align_corners", documented_only=True)
    if assume not in _ASSUMABLE:
        raise UnsupportedError(
            f"the grid of {kernel} without alignCorners is not documented",
            remedy=f"say which one to assume: {' or '.join(_ASSUMABLE)}",
        )
    return AxisResize(
        n_in,
        n_out,
        "linear",
        assume,
        documented_only=True,
        assumption=f"{kernel} without alignCorners samples {assume}",
    )


def _check_factor(kernel: str, factor: int) -> None:
    if factor != int(factor) or factor < 1:
        raise UnsupportedError(f"{kernel} takes only whole factors, not {factor}")

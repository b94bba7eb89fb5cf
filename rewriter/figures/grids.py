"""Where implementations of "bilinear upsampling" sample one row of pixels, as dots on a line each.

Apple's rows are what the documentation says (`rewriter.resampling.metal`); nothing here ran on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.metal import (
    mps_cnn_upsampling_bilinear,
    mps_image_bilinear_scale,
    mps_nn_resize_bilinear,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SamplingGrid", "draw_grids", "sampling_grids"]

_GREY = "#6b7280"


@dataclass(frozen=True)
class SamplingGrid:
    """One line of the picture.

    Attributes:
        label: what samples there.
        axis: its map; None where the implementation has none for these lengths.
        colour: any matplotlib colour.
    """

    label: str
    axis: AxisResize | None
    colour: str

    @property
    def positions(self) -> list[float]:
        """Source coordinates in input pixels, clamped into the input as every implementation does."""
        if self.axis is None:
            return []
        last = float(self.axis.n_in - 1)
        return [min(max(float(x), 0.0), last) for x in self.axis.source_coordinates()]


def sampling_grids(n_in: int, n_out: int) -> list[SamplingGrid]:
    """The CPU's grid with aligned corners, and those that Metal's kernels document, for one row of `n_in` pixels."""
    factor, rest = divmod(n_out, n_in)
    upsampling = None if rest else mps_cnn_upsampling_bilinear(n_in, factor, assume="half_pixel")
    asymmetric = None if rest else mps_cnn_upsampling_bilinear(n_in, factor, assume="asymmetric")
    return [
        SamplingGrid(
            "CPU: TensorFlow, align_corners", AxisResize(n_in, n_out, "linear", "align_corners"), "#ca8a04"
        ),
        SamplingGrid(
            "MPSNNResizeBilinear, alignCorners: YES", mps_nn_resize_bilinear(n_in, n_out, True), "#16a34a"
        ),
        SamplingGrid(
            "MPSCNNUpsamplingBilinear, alignCorners: NO\n(undocumented; if half-pixel)", upsampling, "#dc2626"
        ),
        SamplingGrid(
            "MPSCNNUpsamplingBilinear, alignCorners: NO\n(undocumented; if asymmetric)", asymmetric, "#2563eb"
        ),
        SamplingGrid("MPSImageBilinearScale", mps_image_bilinear_scale(n_in, n_out), "#9333ea"),
    ]


def draw_grids(axes: Axes, n_in: int, n_out: int) -> None:
    """One line of dots per implementation: where each of `n_out` output pixels samples `n_in` input pixels."""
    grids = sampling_grids(n_in, n_out)
    for column in range(n_in):
        axes.axvline(column, color=_GREY, alpha=0.3, linewidth=0.8)
    for line, grid in enumerate(grids):
        height = len(grids) - 1 - line
        if grid.axis is None:
            axes.text(0, height, "whole factors only", color=_GREY, fontsize=8, va="center")
            continue
        axes.plot(grid.positions, [height] * n_out, "o", color=grid.colour, markersize=4, clip_on=False)
    axes.set_yticks(range(len(grids)), [grid.label for grid in reversed(grids)], fontsize=8)
    axes.set_xticks(range(n_in))
    axes.set_xlim(-0.3, n_in - 0.7)
    axes.set_ylim(-0.6, len(grids) - 0.4)
    axes.set_xlabel(
        f"where {n_out} output pixels sample {n_in} input pixels, Apple's as documented", fontsize=9
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)

"""What a custom layer `RWAlignedResize` is told: everything that decides which resize it computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.proof import compare

__all__ = ["CLASS_NAME", "COORDINATES", "KINDS", "ROUNDINGS", "LayerParameters", "parameters_for"]

CLASS_NAME = "RWAlignedResize"
KINDS = ("nearest", "linear", "cubic")
COORDINATES = ("align_corners", "half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


@dataclass(frozen=True)
class LayerParameters:
    """The parameters of one layer; names are the keys of the layer's parameter dictionary.

    Attributes:
        kind: a member of `KINDS`.
        coordinates: a member of `COORDINATES`, in the words of the ONNX operator Resize.
        rounding: a member of `ROUNDINGS`; without meaning unless kind is ``nearest``.
        cubic_a: coefficient of the cubic kernel.
        exclude_outside: drop taps outside of the input and renormalise.
        antialias: stretch the kernel where the image shrinks.
        target_height, target_width: output lengths; 0 stands for floor(input length × scale).
        scale_height, scale_width: scale in the coordinate formula; 0 stands for output length / input length.
    """

    kind: str = "linear"
    coordinates: str = "align_corners"
    rounding: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    target_height: int = 0
    target_width: int = 0
    scale_height: float = 0.0
    scale_width: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The layer's parameter dictionary."""
        return asdict(self)

    def axes(self, height: int, width: int) -> tuple[AxisResize, AxisResize]:
        """What the layer computes along the last two axes of an image of `height` × `width`."""
        return (
            self._axis(height, self.target_height, self.scale_height),
            self._axis(width, self.target_width, self.scale_width),
        )

    def _axis(self, n_in: int, target: int, scale: float) -> AxisResize:
        factor = Fraction(scale) if scale else None
        n_out = target or int(n_in * (factor or 0))
        return AxisResize(
            n_in,
            n_out,
            self.kind,
            self.coordinates,
            self.rounding,
            scale=factor,
            cubic_a=Fraction(self.cubic_a),
            exclude_outside=self.exclude_outside,
            antialias=self.antialias,
        )


def parameters_for(pair: tuple[AxisMap, AxisMap]) -> LayerParameters | None:
    """The layer that computes exactly `pair` (height, width); None where there is none.

    The layer's own matrices are compared with those of `pair` in rational arithmetic.
    """
    main = next((axis for axis in pair if not axis.is_identity), pair[0])
    if not isinstance(main, AxisResize) or main.kernel not in KINDS or main.rounding not in ROUNDINGS:
        return None
    coordinates = "half_pixel" if main.coordinates == "half_pixel_symmetric" else main.coordinates
    if coordinates not in COORDINATES:
        return None
    layer = LayerParameters(
        kind=main.kernel,
        coordinates=coordinates,
        rounding=main.rounding,
        cubic_a=_float32(main.cubic_a),
        exclude_outside=main.exclude_outside,
        antialias=main.antialias,
        target_height=pair[0].n_out,
        target_width=pair[1].n_out,
    )
    scales = [_stated_scale(axis) for axis in pair]
    layer = replace(layer, scale_height=scales[0], scale_width=scales[1])
    wanted = zip(pair, layer.axes(pair[0].n_in, pair[1].n_in), strict=True)
    return layer if all(compare(axis, own).equal for axis, own in wanted) else None


def _stated_scale(axis: AxisMap) -> float:
    """The scale to state: none where it is the ratio of the lengths, or the axis keeps every pixel."""
    if not isinstance(axis, AxisResize) or axis.is_identity or axis.scale is None:
        return 0.0
    return 0.0 if axis.scale == Fraction(axis.n_out, axis.n_in) else _float32(axis.scale)


def _float32(value: Fraction) -> float:
    """As the layer's parameters are stored; where that is not exact, the comparison of matrices finds it."""
    return float(np.float32(float(value)))

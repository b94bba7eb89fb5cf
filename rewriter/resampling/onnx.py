"""ONNX's words for a resize: Upsample 7/9/10, Resize 10/11/13/18/19 → `TensorResize`.

Defaults and formulas are those of the operator specification. Where the text is silent or contradicts every
implementation the rules are those measured in onnxruntime: Upsample and Resize-10 sample `asymmetric`, nearest
takes the floor when enlarging and the ceiling when shrinking; a given scale is used in the formula as it is.
Where implementations differ from the text and from each other, `rewriter.resampling.readings` holds each reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rewriter.errors import UnsupportedError
from rewriter.resampling import readings
from rewriter.resampling.axis import KERNELS, AxisResize
from rewriter.resampling.coordinates import ONNX_COORDINATES, float32_fraction
from rewriter.resampling.kernels import ROUNDINGS
from rewriter.resampling.tensor import TensorResize

__all__ = ["OnnxResize", "SIMPLE"]

SIMPLE = "simple"
"""Nearest rule of Upsample and Resize-10 where some axes grow and others shrink: floor resp. ceiling per axis."""

_POLICIES = ("stretch", "not_larger", "not_smaller")
_CUBIC_A = -0.75


@dataclass(frozen=True)
class OnnxResize:
    """A Resize or Upsample node with every attribute spelled out.

    `scales`, `sizes` and `roi` are the constant values of those inputs, None where absent or empty. They, and
    `axes`, refer to the axes that the node names (all axes when `axes` is None).
    """

    op: str
    opset: int
    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str
    cubic_coeff_a: float = _CUBIC_A
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation_value: float = 0.0
    keep_aspect_ratio_policy: str = "stretch"
    axes: tuple[int, ...] | None = None
    scales: tuple[float, ...] | None = None
    sizes: tuple[int, ...] | None = None
    roi: tuple[float, ...] | None = None

    @classmethod
    def from_attributes(
        cls,
        op: str,
        opset: int,
        attributes: Mapping[str, Any],
        *,
        scales: Sequence[float] | None = None,
        sizes: Sequence[int] | None = None,
        roi: Sequence[float] | None = None,
    ) -> OnnxResize:
        """Spell out a node.

        Args:
            op: ``Resize`` or ``Upsample``.
            opset: version of the default domain that the node's graph imports.
            attributes: the node's attributes as plain Python values (bytes are decoded).
            scales, sizes, roi: constant values of the inputs; None or empty where absent.

        Raises:
            UnsupportedError: not a resize, an unknown mode, both or neither of scales and sizes.
        """
        plain: dict[str, Any] = {
            key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()
        }
        legacy = op == "Upsample" or opset < 11
        if op == "Upsample" and not scales:
            scales = plain.get("scales")
        given_scales, given_sizes, given_roi = (
            _values(scales, float),
            _values(sizes, int),
            _values(roi, float),
        )
        if (given_scales is None) == (given_sizes is None):
            cause = "neither scales nor sizes" if given_scales is None else "both scales and sizes"
            raise UnsupportedError(f"a {op} with {cause}", remedy="give exactly one of the two")
        if op not in ("Resize", "Upsample"):
            raise UnsupportedError(f"{op} is not a resize")
        axes = plain.get("axes")
        node = cls(
            op=op,
            opset=opset,
            mode=plain.get("mode", "nearest"),
            coordinate_transformation_mode=(
                "asymmetric" if legacy else plain.get("coordinate_transformation_mode", "half_pixel")
            ),
            nearest_mode=(
                _legacy_rounding(given_scales) if legacy else plain.get("nearest_mode", "round_prefer_floor")
            ),
            cubic_coeff_a=float(plain.get("cubic_coeff_a", _CUBIC_A)),
            exclude_outside=bool(plain.get("exclude_outside", 0)),
            antialias=bool(plain.get("antialias", 0)),
            extrapolation_value=float(plain.get("extrapolation_value", 0.0)),
            keep_aspect_ratio_policy=plain.get("keep_aspect_ratio_policy", "stretch"),
            axes=None if axes is None else tuple(int(axis) for axis in axes),
            scales=given_scales,
            sizes=given_sizes,
            roi=given_roi,
        )
        return node._with_kernel_name()._checked()

    def _with_kernel_name(self) -> OnnxResize:
        # Upsample-1..7 spell the linear kernel "bilinear" in some exporters' files.
        if self.mode != "bilinear":
            return self
        return OnnxResize(**{**self.__dict__, "mode": "linear"})

    def _checked(self) -> OnnxResize:
        for value, known, what in (
            (self.mode, KERNELS, "mode"),
            (self.coordinate_transformation_mode, ONNX_COORDINATES, "coordinate_transformation_mode"),
            (self.nearest_mode, (*ROUNDINGS, SIMPLE), "nearest_mode"),
            (self.keep_aspect_ratio_policy, _POLICIES, "keep_aspect_ratio_policy"),
        ):
            if value not in known:
                raise UnsupportedError(
                    f"{self.op} has unknown {what} '{value}'", remedy=f"use {', '.join(known)}"
                )
        if self.coordinate_transformation_mode == "tf_crop_and_resize" and self.roi is None:
            raise UnsupportedError(f"{self.op} is tf_crop_and_resize without a constant roi")
        return self

    def named_axes(self, rank: int) -> tuple[int, ...]:
        """The axes that scales, sizes and roi refer to, non-negative.

        Raises:
            UnsupportedError: an axis is out of range or repeated, or the number of values does not fit.
        """
        axes = tuple(range(rank)) if self.axes is None else tuple(a + rank if a < 0 else a for a in self.axes)
        if any(not 0 <= axis < rank for axis in axes) or len(set(axes)) != len(axes):
            raise UnsupportedError(f"{self.op} has axes {list(self.axes or ())} on a tensor of rank {rank}")
        values = self.sizes if self.sizes is not None else self.scales
        if values is not None and len(values) != len(axes):
            raise UnsupportedError(
                f"{self.op} has {len(values)} {'sizes' if self.sizes else 'scales'} for {len(axes)} axes"
            )
        return axes

    def output_shape(self, input_shape: Sequence[int], reading: str = "specification") -> tuple[int, ...]:
        """Output shape: floor(length × scale), or the sizes.

        The specification multiplies exactly; onnxruntime in float32, which gives one pixel more or less for some
        scales (3 × float32(5/3) is 5 there, 4 here). Pass the length that the producer declared to `semantics` where
        it is known.
        """
        return readings.output_shape(self, input_shape, reading)

    def semantics(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int] | None = None,
        reading: str = "specification",
    ) -> TensorResize[Any]:
        """What the node computes at these shapes: an `AxisResize` per axis under the default reading.

        Args:
            input_shape: fixed lengths, one per axis.
            output_shape: lengths that the producer declared; overrules floor(length × scale).
            reading: whose reading of the specification, a member of `rewriter.resampling.readings.READINGS`.

        Raises:
            UnsupportedError: the node does not fit the shape, or that implementation cannot run it.
        """
        axes = readings.axis_maps(self, input_shape, output_shape, reading)
        return TensorResize(axes, self.extrapolation_value)

    def template(self) -> AxisResize:
        """The map of a resized axis at no particular lengths, for `compare_range`; sizes given, or whole factors.

        Raises:
            UnsupportedError: a nearest rule that depends on the axis, or a region that does.
        """
        if self.nearest_mode == SIMPLE or self.coordinate_transformation_mode == "tf_crop_and_resize":
            raise UnsupportedError(f"{self.op} {self.describe()} differs from axis to axis")
        return AxisResize(
            1,
            1,
            self.mode,
            self.coordinate_transformation_mode,
            self.nearest_mode,
            cubic_a=float32_fraction(self.cubic_coeff_a),
            exclude_outside=self.exclude_outside,
            antialias=self.antialias,
        )

    def describe(self) -> str:
        """Mode and coordinates in ONNX words, without shapes."""
        words = [self.mode, self.coordinate_transformation_mode]
        if self.mode == "nearest":
            words.append(self.nearest_mode)
        return " ".join(words)

    def rounding(self, n_in: int, n_out: int, scale: Fraction | None) -> str:
        """The nearest rule of one axis; Upsample and Resize-10 decide it by the direction of that axis."""
        if self.nearest_mode != SIMPLE:
            return self.nearest_mode
        return "floor" if (scale if scale is not None else Fraction(n_out, n_in)) >= 1 else "ceil"

    def region(self, axis: int, rank: int) -> tuple[Fraction, Fraction]:
        """Start and end of the region of one axis, as fractions of it; (0, 1) unless the mode crops."""
        if self.coordinate_transformation_mode != "tf_crop_and_resize" or self.roi is None:
            return Fraction(0), Fraction(1)
        axes = self.named_axes(rank)
        if len(self.roi) != 2 * len(axes):
            raise UnsupportedError(f"{self.op} has {len(self.roi)} roi values for {len(axes)} axes")
        position = axes.index(axis)
        return float32_fraction(self.roi[position]), float32_fraction(self.roi[position + len(axes)])


def _values(values: Sequence[Any] | None, kind: type) -> tuple[Any, ...] | None:
    if values is None or len(values) == 0:
        return None
    return tuple(kind(value) for value in values)


def _legacy_rounding(scales: tuple[float, ...] | None) -> str:
    if scales is None or all(scale >= 1 for scale in scales):
        return "floor"
    return "ceil" if all(scale <= 1 for scale in scales) else SIMPLE

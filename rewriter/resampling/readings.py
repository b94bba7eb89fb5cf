"""Three readings of the ONNX Resize specification: its text, onnxruntime's, and that of onnx.reference.

They differ in the output length for a given scale, in which axes are copied, and in what "the length of the output"
means in three coordinate modes. docs/sampling.md lists every difference; `rewriter.resampling.disagreements` says
which of them apply to a node.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.coordinates import float32_fraction
from rewriter.resampling.sampled import SampledAxis

if TYPE_CHECKING:
    from rewriter.resampling.onnx import OnnxResize

__all__ = [
    "READINGS",
    "axis_maps",
    "formula_scales",
    "float32_fraction",
    "is_channels_last",
    "is_copy",
    "output_shape",
    "uses_antialias_code",
]

READINGS = ("specification", "onnxruntime", "onnx.reference")
"""``specification``: the operator's text, exact arithmetic; a given scale goes into the formula as it is, and the
roi does not change the output length (the text says otherwise at some versions; no implementation does).
``onnxruntime``: its CPU kernels, 1.32. ``onnx.reference``: the reference evaluator of onnx 1.23."""

_FRACTIONAL = {
    "align_corners": "align_corners_fractional",
    "tf_crop_and_resize": "tf_crop_and_resize_fractional",
    "pytorch_half_pixel": "pytorch_half_pixel_fractional",
}
_HALF = Fraction(1, 2)

Lengths = list[tuple[int, int, "Fraction | None"]]
"""(axis, output length, scale in the formula) of each named axis; scale None means the ratio of the lengths."""


def output_shape(node: OnnxResize, input_shape: Sequence[int], reading: str) -> tuple[int, ...]:
    """Output shape under a reading."""
    shape = [int(length) for length in input_shape]
    for axis, length, _ in _lengths(node, tuple(shape), reading):
        shape[axis] = length
    return tuple(shape)


def formula_scales(node: OnnxResize, input_shape: Sequence[int], reading: str) -> tuple[Fraction, ...]:
    """The scale of every axis in the coordinate formulas under a reading; 1 for axes that the node leaves alone."""
    shape = tuple(int(length) for length in input_shape)
    scales = [Fraction(1)] * len(shape)
    for axis, length, scale in _lengths(node, shape, reading):
        scales[axis] = Fraction(length, shape[axis]) if scale is None else scale
    return tuple(scales)


def axis_maps(
    node: OnnxResize, input_shape: Sequence[int], declared: Sequence[int] | None, reading: str
) -> tuple[AxisMap, ...]:
    """One map per axis under a reading; `declared` overrules the output lengths that follow from scales.

    Raises:
        UsageError: an unknown reading.
        UnsupportedError: the node does not fit the shape, or the implementation cannot run it.
    """
    shape = tuple(int(length) for length in input_shape)
    named = {axis: (length, scale) for axis, length, scale in _lengths(node, shape, reading)}
    axes = []
    for axis, n_in in enumerate(shape):
        n_out, scale = named.get(axis, (n_in, None))
        if declared is not None:
            n_out = int(declared[axis])
        axes.append(_axis(node, axis, len(shape), n_in, n_out, scale, named=axis in named))
    if reading == "onnxruntime":
        return _as_onnxruntime(node, axes)
    if reading == "onnx.reference":
        return tuple(_as_reference(axis) for axis in axes)
    return tuple(axes)


def _axis(
    node: OnnxResize, axis: int, rank: int, n_in: int, n_out: int, scale: Fraction | None, *, named: bool
) -> AxisResize:
    if not named or (n_in == n_out and scale in (None, 1) and not _crops(node)):
        return _copy(n_in, n_out)
    return AxisResize(
        n_in,
        n_out,
        node.mode,
        node.coordinate_transformation_mode,
        node.rounding(n_in, n_out, scale),
        scale=None if scale is None or scale * n_in == n_out else scale,
        cubic_a=float32_fraction(node.cubic_coeff_a),
        exclude_outside=node.exclude_outside,
        antialias=node.antialias,
        roi=node.region(axis, rank),
    )


def _copy(n_in: int, n_out: int) -> AxisResize:
    return AxisResize(n_in, n_out, "nearest", "asymmetric", "floor")


def _crops(node: OnnxResize) -> bool:
    # Modes whose grid is not the identity even at equal lengths.
    return node.coordinate_transformation_mode in ("tf_crop_and_resize", "tf_half_pixel_for_nn")


def _lengths(node: OnnxResize, shape: tuple[int, ...], reading: str) -> Lengths:
    if reading not in READINGS:
        raise UsageError(f"unknown reading '{reading}'", remedy=f"use one of {', '.join(READINGS)}")
    axes = node.named_axes(len(shape))
    if reading == "onnxruntime":
        return _onnxruntime_lengths(node, shape, axes)
    if reading == "onnx.reference":
        _refuse_reference(node)
    if node.scales is not None:
        scales = [float32_fraction(scale) for scale in node.scales]
        return [(a, math.floor(shape[a] * scale), scale) for a, scale in zip(axes, scales, strict=True)]
    assert node.sizes is not None
    if node.keep_aspect_ratio_policy == "stretch":
        return [(axis, size, None) for axis, size in zip(axes, node.sizes, strict=True)]
    ratios = [Fraction(size, shape[axis]) for axis, size in zip(axes, node.sizes, strict=True)]
    scale = min(ratios) if node.keep_aspect_ratio_policy == "not_larger" else max(ratios)
    return [(axis, math.floor(shape[axis] * scale + _HALF), scale) for axis in axes]


def _onnxruntime_lengths(node: OnnxResize, shape: tuple[int, ...], axes: tuple[int, ...]) -> Lengths:
    """The same in float32; a policy with negative axes is ignored together with the sizes."""
    if node.scales is not None:
        return [
            (axis, int(np.float32(scale) * np.float32(shape[axis])), float32_fraction(scale))
            for axis, scale in zip(axes, node.scales, strict=True)
        ]
    assert node.sizes is not None
    if node.keep_aspect_ratio_policy == "stretch":
        return [(axis, size, None) for axis, size in zip(axes, node.sizes, strict=True)]
    # The kernel looks for each axis of the tensor in the attribute, where a negative number is never found.
    found = [
        (a, size) for a, size in zip(axes, node.sizes, strict=True) if node.axes is None or a in node.axes
    ]
    if not found:
        return []
    ratios = [np.float32(size) / np.float32(shape[a]) for a, size in found]
    ratio = min(ratios) if node.keep_aspect_ratio_policy == "not_larger" else max(ratios)
    return [
        (a, math.floor(float(ratio * np.float32(shape[a])) + 0.5), float32_fraction(ratio)) for a, _ in found
    ]


def _as_onnxruntime(node: OnnxResize, axes: list[AxisResize]) -> tuple[AxisMap, ...]:
    """What it copies: all when no length changes, an axis of scale 1, any unchanged axis under antialias."""
    if all(axis.n_in == axis.n_out for axis in axes):
        return tuple(_copy(axis.n_in, axis.n_out) for axis in axes)
    filtered = uses_antialias_code(node, axes)
    return tuple(
        _copied(axis, filtered)
        if axis.n_in == axis.n_out and (filtered or _float32_scale(axis) == 1)
        else axis
        for axis in axes
    )


def _copied(axis: AxisResize, filtered: bool) -> AxisMap:
    """A copy; the antialias code still extrapolates where the grid, unless its scale is 1, leaves the input."""
    if not filtered or _float32_scale(axis) == 1 or all(axis.rows):
        return _copy(axis.n_in, axis.n_out)
    positions = tuple(Fraction(i if row else -1) for i, row in enumerate(axis.rows))
    return SampledAxis(axis.n_in, positions, "nearest", "floor", "extrapolate", "copy, extrapolated outside")


def is_copy(axis: AxisMap) -> bool:
    """Whether a map of onnxruntime's reading is a copy that it makes without looking at the grid."""
    return isinstance(axis, SampledAxis) or axis == _copy(axis.n_in, axis.n_in)


def uses_antialias_code(node: OnnxResize, axes: Sequence[AxisMap]) -> bool:
    """Whether onnxruntime's antialias kernels run: with the attribute, and for cubic of channels-last tensors."""
    return node.antialias or (node.mode == "cubic" and is_channels_last(axes))


def is_channels_last(axes: Sequence[AxisMap]) -> bool:
    """Whether onnxruntime takes a tensor of rank 4 for channels-last: axis 1 has a scale."""
    if len(axes) != 4:
        return False
    # A copy that extrapolates is made only at another scale than 1.
    return not isinstance(axes[1], AxisResize) or _float32_scale(axes[1]) != 1


def _float32_scale(axis: AxisResize) -> np.float32:
    return np.float32(float(axis.effective_scale))


def _as_reference(axis: AxisResize) -> AxisResize:
    """Length × scale, which need not be whole, where the text says the length of the output."""
    return replace(axis, coordinates=_FRACTIONAL.get(axis.coordinates, axis.coordinates))


def _refuse_reference(node: OnnxResize) -> None:
    if node.op == "Upsample" or node.opset < 11:
        raise UnsupportedError(f"onnx.reference cannot run {node.op} of opset {node.opset}")
    if node.axes is not None and any(axis < 0 for axis in node.axes):
        raise UnsupportedError("onnx.reference cannot run a Resize with negative axes")
    if node.coordinate_transformation_mode == "tf_half_pixel_for_nn":
        raise UnsupportedError("onnx.reference does not know tf_half_pixel_for_nn")

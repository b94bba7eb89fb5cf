"""Which documented differences between implementations apply to an ONNX Resize at given shapes.

Every answer is computed from the node: a difference is named only where it changes at least one weight, one copied
pixel or one output length. The list, with examples and counts, is in docs/sampling.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.float32_onnxruntime import onnxruntime_rows, onnxruntime_scale
from rewriter.resampling.onnx import OnnxResize
from rewriter.resampling.tensor import TensorResize

__all__ = ["DISAGREEMENTS", "disagreements"]

DISAGREEMENTS = {
    "O1": "onnxruntime multiplies length and scale in float32, which changes the output length",
    "O2": "onnxruntime copies the input when no length changes, whatever the scales, the roi or the mode",
    "O3": "onnxruntime copies an axis whose scale is 1, whatever the roi or the mode",
    "O4": "onnxruntime ignores keep_aspect_ratio_policy, and with it the sizes, on negative axes",
    "O5": "onnxruntime's antialias (and its channels-last cubic) copies an axis of unchanged length at any scale",
    "O6": "onnxruntime's channels-last antialias and cubic kernels extrapolate the wrong pixels",
    "O7": "onnxruntime computes coordinates in float32, with a tie tolerance of 1e-6: another pixel is nearest",
    "O8": "onnxruntime computes coordinates in float32: a pixel on the border of the roi counts as outside",
    "R1": "onnx.reference takes length × scale, which is not whole, for the output length",
    "R2": "onnx.reference reads pytorch_half_pixel differently where the output has one pixel",
    "R5": "onnx.reference cannot run negative axes",
    "R6": "onnx.reference cannot run this operator version or mode",
}
"""Identifier -> what differs from the specification (`O`: onnxruntime 1.32, `R`: onnx.reference 1.23)."""


def disagreements(
    node: OnnxResize, input_shape: Sequence[int], implementation: str = "onnxruntime"
) -> tuple[str, ...]:
    """Identifiers (keys of `DISAGREEMENTS`) of what makes an implementation differ from the specification here.

    Args:
        node: the node, spelled out.
        input_shape: fixed lengths.
        implementation: ``onnxruntime`` or ``onnx.reference``.

    Raises:
        UsageError: another implementation.
        UnsupportedError: the node does not fit the shape.
    """
    if implementation == "onnxruntime":
        return _of_onnxruntime(node, input_shape)
    if implementation == "onnx.reference":
        return _of_reference(node, input_shape)
    raise UsageError(f"no disagreements of '{implementation}' are known")


def _of_onnxruntime(node: OnnxResize, shape: Sequence[int]) -> tuple[str, ...]:
    wanted, got = node.output_shape(shape), node.output_shape(shape, "onnxruntime")
    if wanted != got:
        return ("O1",) if node.scales is not None else ("O4",)
    specified = node.semantics(shape)
    run = node.semantics(shape, reading="onnxruntime")
    if wanted == tuple(shape):
        return () if specified.is_identity else ("O4",) if _ignores_policy(node) else ("O2",)
    if _ignores_policy(node):
        return ("O4",)
    found = set()
    for axis, copied in zip(specified.axes, run.axes, strict=True):
        if axis.rows != copied.rows:
            found.add("O3" if onnxruntime_scale(axis) == 1 else "O5")
        else:
            found |= _rounding(copied)
    if _extrapolates_wrongly(node, run):
        found.add("O6")
    return tuple(sorted(found))


def _ignores_policy(node: OnnxResize) -> bool:
    negative = node.axes is not None and any(axis < 0 for axis in node.axes)
    return negative and node.sizes is not None and node.keep_aspect_ratio_policy != "stretch"


def _rounding(axis: AxisResize) -> set[str]:
    """Where float32 coordinates fall on the other side of a border or a tie."""
    if axis.is_identity:
        return set()
    found = set()
    for exact, rounded in zip(axis.rows, onnxruntime_rows(axis), strict=True):
        if bool(exact) != bool(rounded):
            found.add("O8")
        elif axis.kernel == "nearest" and exact and exact[0][0] != rounded[0][0]:
            found.add("O7")
    return found


def _extrapolates_wrongly(node: OnnxResize, run: TensorResize[AxisResize]) -> bool:
    """Rank 4, channels last, through the antialias code, and some pixel is extrapolated."""
    return False


def _of_reference(node: OnnxResize, shape: Sequence[int]) -> tuple[str, ...]:
    specified = node.semantics(shape)
    try:
        run = node.semantics(shape, reading="onnx.reference")
    except UnsupportedError:
        return ("R5",) if node.axes is not None and min(node.axes) < 0 else ("R6",)
    found = set()
    for axis, read in zip(specified.axes, run.axes, strict=True):
        if axis.rows != read.rows:
            found.add("R2" if axis.coordinates == "pytorch_half_pixel" else "R1")
    return tuple(sorted(found))


def is_channels_last(scales: Sequence[float]) -> bool:
    """Whether onnxruntime takes a tensor of rank 4 for channels-last: it looks at the scale of axis 1."""
    return len(scales) == 4 and np.float32(scales[1]) != 1

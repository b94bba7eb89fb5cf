"""Which documented differences between implementations apply to an ONNX Resize at given shapes.

Every answer is computed from the node: a difference is named only where it changes at least one weight, one copied
pixel or one output length. The list, with examples and counts, is in docs/sampling.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.filtered import FilteredAxis
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.float32_onnxruntime import onnxruntime_rows, onnxruntime_scale
from rewriter.resampling.kernels import Row
from rewriter.resampling.onnx import OnnxResize
from rewriter.resampling.readings import is_channels_last, is_copy, uses_antialias_code
from rewriter.resampling.tensor import TensorResize

__all__ = ["DISAGREEMENTS", "disagreements", "tensorflow_disagreements"]

DISAGREEMENTS = {
    "O1": "onnxruntime multiplies length and scale in float32, which changes the output length",
    "O2": "onnxruntime copies the input when no length changes, whatever the scales, the roi or the mode",
    "O3": "onnxruntime copies an axis whose scale is 1, whatever the roi or the mode",
    "O4": "onnxruntime ignores keep_aspect_ratio_policy, and with it the sizes, on negative axes",
    "O5": "onnxruntime's antialias (and its channels-last cubic) copies an axis of unchanged length at any scale",
    "O6": "onnxruntime's channels-last antialias and cubic kernels extrapolate the wrong pixels",
    "O7": "onnxruntime computes coordinates in float32, with a tie tolerance of 1e-6: another pixel is nearest",
    "O8": "onnxruntime computes coordinates in float32: a pixel on the border of the roi counts as outside",
    "O12": "exclude_outside leaves no weight: onnxruntime gives 0 or NaN, here the nearest pixel is taken",
    "T1": "TensorFlow's nearest kernels compute coordinates in float32: another pixel is taken",
    "T2": "TensorFlow's bicubic kernel rounds its position to 1/1024 pixel",
    "T3": "TensorFlow's CropAndResize computes coordinates in float32: a pixel on the border counts as outside",
    "T4": "TensorFlow's ScaleAndTranslate computes coordinates in float32: a tap at the end of the kernel's support, "
    "or a pixel on the border of the image, falls on the other side",
    "R1": "onnx.reference takes length × scale, which is not whole, for the output length",
    "R2": "onnx.reference reads pytorch_half_pixel differently where the output has one pixel",
    "R5": "onnx.reference cannot run negative axes",
    "R6": "onnx.reference cannot run this operator version or mode",
}
"""Identifier -> what differs from the specification (`O`: onnxruntime 1.32, `T`: TensorFlow 2.21,
`R`: onnx.reference 1.23)."""

TENSORFLOW_NOISE = 1e-4
"""What float32 coordinates cost the weights of one row together, at the lengths that images have."""


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


def tensorflow_disagreements(axes: Sequence[AxisMap]) -> tuple[str, ...]:
    """Identifiers of what makes TensorFlow's CPU kernel differ from these exact maps by more than float32 noise.

    Args:
        axes: maps that `rewriter.resampling.tensorflow_ops` gives.

    Raises:
        UnsupportedError: TensorFlow has no kernel for such a map.
    """
    return tuple(sorted({name for axis in axes if (name := _of_tensorflow(axis)) is not None}))


def _of_tensorflow(axis: AxisMap) -> str | None:
    difference = np.abs(kernel_matrix(axis, "tensorflow") - axis.matrix()).sum(axis=1).max()
    if difference <= TENSORFLOW_NOISE:
        return None
    if isinstance(axis, FilteredAxis):
        return "T4"
    if isinstance(axis, AxisResize) and axis.coordinates == "tf_crop_and_resize":
        return "T3" if axis.kernel != "nearest" or _rows_vanish(axis) else "T1"
    return "T2" if isinstance(axis, AxisResize) and axis.kernel == "cubic" else "T1"


def _rows_vanish(axis: AxisMap) -> bool:
    return bool((kernel_matrix(axis, "tensorflow").any(axis=1) != axis.matrix().any(axis=1)).any())


def _of_onnxruntime(node: OnnxResize, shape: Sequence[int]) -> tuple[str, ...]:
    got = node.output_shape(shape, "onnxruntime")
    found: set[str] = set()
    if got != node.output_shape(shape):
        found.add("O1" if node.scales is not None else "O4")
    run = node.semantics(shape, reading="onnxruntime")
    if "O4" in found:
        return tuple(sorted(found | _extrapolation(node, run.axes, run)))
    # What else differs, it differs at the lengths that onnxruntime gives.
    specified = node.semantics(shape, got)
    if _ignores_policy(node, specified, run):
        return tuple(sorted(found | {"O4"} | _extrapolation(node, run.axes, run)))
    found |= _extrapolation(node, specified.axes, run)
    if got == tuple(shape):
        return tuple(sorted(found | (set() if specified.is_identity else {"O2"})))
    for position, (axis, executed) in enumerate(zip(specified.axes, run.axes, strict=True)):
        others = [other for k, other in enumerate(run.axes) if k != position]
        if any(not any(other.rows) for other in others):
            continue  # Another axis lies wholly outside: nothing of this one is seen.
        if not is_copy(executed):
            found |= _rounding(axis, executed)
        elif axis.rows != executed.rows:
            found.add("O3" if onnxruntime_scale(axis) == 1 else "O5")
    return tuple(sorted(found))


def _ignores_policy(node: OnnxResize, specified: TensorResize, run: TensorResize) -> bool:
    """Whether a policy lost its negative axes, and lengths or scales changed by that."""
    if node.keep_aspect_ratio_policy == "stretch" or node.sizes is None:
        return False
    if node.axes is None or min(node.axes) >= 0:
        return False
    pairs = zip(specified.axes, run.axes, strict=True)
    return any(a.rows != b.rows and not _same_scale(a, b) for a, b in pairs)


def _same_scale(a: AxisResize, b: AxisMap) -> bool:
    """But for rounding to float32."""
    return not isinstance(b, AxisResize) or abs(a.effective_scale / b.effective_scale - 1) < 1e-6


def _rounding(exact: AxisResize, executed: AxisResize) -> set[str]:
    """Where float32 coordinates fall on the other side of a border or a tie."""
    found = set()
    for row, rounded in zip(exact.rows, onnxruntime_rows(executed), strict=True):
        if bool(row) != bool(rounded):
            found.add("O8")
        elif exact.kernel == "nearest" and row and row[0][0] != rounded[0][0]:
            found.add("O7")
        elif exact.exclude_outside and row and _weighs_nothing(row, rounded):
            found.add("O12")
    return found


def _weighs_nothing(row: Row, rounded: list[tuple[int, np.float32]]) -> bool:
    """Whether exclude_outside left a sum of (nearly) 0 to divide by: the text defines no value there."""
    difference = {index: float(weight) for index, weight in row}
    for index, weight in rounded:
        difference[index] = difference.get(index, 0.0) - float(weight)
    return not all(abs(value) <= 1e-3 for value in difference.values())


def _extrapolation(node: OnnxResize, axes: Sequence[AxisMap], run: TensorResize) -> set[str]:
    """O6 where the channels-last antialias kernels extrapolate other pixels than the right ones.

    They fill the memory of an [N, H, W, C] output as if it were [N C, H, W]. `axes` hold the scales of the node.
    """
    if not (run.extrapolates and is_channels_last(axes) and uses_antialias_code(node, axes)):
        return set()
    outside = ~run.inside_mask()
    n, h, w, c = outside.shape
    filled = np.broadcast_to(outside[0, :, :, 0], (n * c, h, w))
    return set() if np.array_equal(filled.reshape(outside.shape), outside) else {"O6"}


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

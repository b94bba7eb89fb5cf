"""TensorFlow's words for a resize: op type and its two flags → `AxisResize`, and back to ONNX's words.

The equivalences were measured against TensorFlow 2.21's kernels (tests/resampling/test_tensorflow_kernels.py):
exact up to float32 arithmetic, except that the bicubic kernels round their weights to a table of 1,024 entries.
"""

from __future__ import annotations

from fractions import Fraction

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis import AxisResize

__all__ = ["TF_RESIZES", "habit", "onnx_attributes", "tf_resize"]

TF_RESIZES = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")

_KERNELS = {"ResizeBilinear": "linear", "ResizeNearestNeighbor": "nearest", "ResizeBicubic": "cubic"}


def onnx_attributes(op: str, align_corners: bool, half_pixel_centers: bool) -> dict[str, str | float | int]:
    """The ONNX Resize attributes (opset 13 and later) that compute the TensorFlow op.

    Args:
        op: a member of `TF_RESIZES`.
        align_corners: the op's flag.
        half_pixel_centers: the op's flag; both set is invalid in TensorFlow.

    Raises:
        UnsupportedError: another op (ResizeArea, ScaleAndTranslate, CropAndResize), or both flags.
    """
    if op not in _KERNELS:
        raise UnsupportedError(f"no single ONNX Resize computes TensorFlow's {op}")
    if align_corners and half_pixel_centers:
        raise UnsupportedError("TensorFlow rejects align_corners together with half_pixel_centers")
    coordinates = "align_corners" if align_corners else "half_pixel" if half_pixel_centers else "asymmetric"
    attributes: dict[str, str | float | int] = {
        "mode": _KERNELS[op],
        "coordinate_transformation_mode": coordinates,
    }
    if op == "ResizeNearestNeighbor":
        attributes["nearest_mode"] = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
    if op == "ResizeBicubic":
        attributes["cubic_coeff_a"] = -0.5 if half_pixel_centers else -0.75
        attributes["exclude_outside"] = int(half_pixel_centers)
    return attributes


def tf_resize(
    op: str, n_in: int, n_out: int, align_corners: bool = False, half_pixel_centers: bool = False
) -> AxisResize:
    """One axis of a TensorFlow resize op.

    Raises:
        UnsupportedError: as `onnx_attributes`.
    """
    words = onnx_attributes(op, align_corners, half_pixel_centers)
    return AxisResize(
        n_in,
        n_out,
        str(words["mode"]),
        str(words["coordinate_transformation_mode"]),
        str(words.get("nearest_mode", "round_prefer_floor")),
        cubic_a=Fraction(float(words.get("cubic_coeff_a", -0.75))),
        exclude_outside=bool(words.get("exclude_outside", 0)),
    )


_HABITS = {
    (
        "linear",
        "align_corners",
    ): "TF1 resize_bilinear(align_corners=True), PyTorch interpolate(align_corners=True)",
    ("linear", "asymmetric"): "TF1 resize_bilinear (default flags), Upsample and Resize-10",
    ("linear", "half_pixel"): "TF2 tf.image.resize, Keras UpSampling2D(bilinear), PyTorch interpolate",
    ("linear", "pytorch_half_pixel"): "PyTorch interpolate",
    ("nearest", "asymmetric", "floor"): "TF1 resize_nearest_neighbor, PyTorch nearest",
    ("nearest", "half_pixel", "round_prefer_ceil"): "TF2 tf.image.resize(nearest)",
    ("nearest", "tf_half_pixel_for_nn", "floor"): "TF2 tf.image.resize(nearest) as tf2onnx spells it",
    ("nearest", "align_corners", "round_prefer_ceil"): "TF1 resize_nearest_neighbor(align_corners=True)",
    ("nearest", "half_pixel", "round_prefer_floor"): "ONNX default",
    ("cubic", "align_corners"): "TF1 resize_bicubic(align_corners=True), PyTorch bicubic(align_corners=True)",
    ("cubic", "asymmetric"): "TF1 resize_bicubic (default flags)",
    ("cubic", "half_pixel"): "TF2 tf.image.resize(bicubic), PyTorch bicubic",
}


def habit(mode: str, coordinate_transformation_mode: str, nearest_mode: str) -> str | None:
    """Which framework's call usually produces these ONNX attributes; None when it is nobody's habit."""
    if mode == "nearest":
        return _HABITS.get((mode, coordinate_transformation_mode, nearest_mode))
    return _HABITS.get((mode, coordinate_transformation_mode))

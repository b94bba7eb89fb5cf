"""Every resize of TensorFlow as maps of two axes: raw ops, `tf.image.resize`, and TFLite's two operators.

`rewriter.resampling.tensorflow` holds the three ops that ONNX Resize can express; this module adds ResizeArea,
CropAndResize and ScaleAndTranslate, and the functions that choose among them. Images are NHWC; every function
returns the maps of height and width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.coordinates import float32_fraction
from rewriter.resampling.filtered import FilteredAxis
from rewriter.resampling.tensorflow import TF_RESIZES, tf_resize

__all__ = [
    "IMAGE_RESIZE_METHODS",
    "crop_and_resize",
    "image_resize",
    "image_resize_v1",
    "resize_op",
    "scale_and_translate",
    "tflite_resize",
]

Axes = tuple[AxisMap, AxisMap]

_FILTER_OF_METHOD = {
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
    "gaussian": "gaussian",
    "mitchellcubic": "mitchellcubic",
}
_OP_OF_METHOD = {
    "bilinear": "ResizeBilinear",
    "nearest": "ResizeNearestNeighbor",
    "bicubic": "ResizeBicubic",
    "area": "ResizeArea",
}
IMAGE_RESIZE_METHODS = (*_OP_OF_METHOD, *_FILTER_OF_METHOD)
_ANTIALIASED = {"bilinear": "triangle", "bicubic": "keyscubic"}
_TFLITE_OPS = {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}


def resize_op(
    op: str, n_in: int, n_out: int, align_corners: bool = False, half_pixel_centers: bool = False
) -> AxisMap:
    """One axis of ResizeBilinear, ResizeNearestNeighbor, ResizeBicubic or ResizeArea.

    Raises:
        UnsupportedError: another op, or flags that TensorFlow rejects.
    """
    if op in TF_RESIZES:
        return tf_resize(op, n_in, n_out, align_corners, half_pixel_centers)
    if op != "ResizeArea":
        raise UnsupportedError(f"{op} is no resize op of TensorFlow with these flags")
    if half_pixel_centers:
        raise UnsupportedError("ResizeArea has no half_pixel_centers")
    return AreaAxis(n_in, n_out, align_corners)


def crop_and_resize(
    image: Sequence[int], box: Sequence[float], crop_size: Sequence[int], method: str = "bilinear"
) -> Axes:
    """CropAndResize of one box (y1, x1, y2, x2), as fractions of height - 1 and width - 1.

    Rows are empty where the box reaches beyond the image: the op gives its extrapolation value there.

    Args:
        image: height and width of the image.
        box: the box; may be flipped or reach beyond the image. Values are rounded to float32, as the op takes them.
        crop_size: height and width of the crop.
        method: ``bilinear`` or ``nearest``.
    """
    if method not in ("bilinear", "nearest"):
        raise UnsupportedError(f"CropAndResize has no method '{method}'")
    y1, x1, y2, x2 = (float32_fraction(value) for value in box)
    kernel = "linear" if method == "bilinear" else "nearest"
    rows, columns = (
        AxisResize(n_in, n_out, kernel, "tf_crop_and_resize", "round_prefer_ceil", roi=roi)
        for n_in, n_out, roi in zip(image, crop_size, ((y1, y2), (x1, x2)), strict=True)
    )
    return rows, columns


def scale_and_translate(
    image: Sequence[int],
    size: Sequence[int],
    scale: Sequence[float],
    translation: Sequence[float] = (0.0, 0.0),
    kernel_type: str = "lanczos3",
    antialias: bool = True,
) -> Axes:
    """ScaleAndTranslate; scales and translations are rounded to float32, as the op takes them."""
    rows, columns = (
        FilteredAxis(n_in, n_out, kernel_type, float32_fraction(factor), float32_fraction(shift), antialias)
        for n_in, n_out, factor, shift in zip(image, size, scale, translation, strict=True)
    )
    return rows, columns


def image_resize(
    image: Sequence[int],
    size: Sequence[int],
    method: str = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
) -> Axes:
    """`tf.image.resize` of TensorFlow 2.

    Args:
        image: height and width.
        size: height and width asked for; upper bounds with `preserve_aspect_ratio`.
        method: a member of `IMAGE_RESIZE_METHODS`.
        preserve_aspect_ratio: shrink the smaller side so that the aspect ratio stays.
        antialias: widen the kernel when shrinking; without meaning for ``nearest`` and ``area``.

    Raises:
        UnsupportedError: an unknown method.
    """
    if method not in IMAGE_RESIZE_METHODS:
        raise UnsupportedError(
            f"tf.image.resize has no method '{method}'",
            remedy=f"use one of {', '.join(IMAGE_RESIZE_METHODS)}",
        )
    lengths = _preserving(image, size) if preserve_aspect_ratio else tuple(size)
    rows, columns = (
        _image_axis(n_in, n_out, method, antialias) for n_in, n_out in zip(image, lengths, strict=True)
    )
    return rows, columns


def image_resize_v1(
    image: Sequence[int], size: Sequence[int], method: str = "bilinear", align_corners: bool = False
) -> Axes:
    """`tf.compat.v1.image.resize` (and `resize_images`): the old grids; an unchanged size is returned as it is."""
    if method not in _OP_OF_METHOD:
        raise UnsupportedError(f"tf.compat.v1.image.resize has no method '{method}'")
    if tuple(image) == tuple(size):
        height, width = image
        return AxisResize.identity(height), AxisResize.identity(width)
    rows, columns = (
        resize_op(_OP_OF_METHOD[method], n_in, n_out, align_corners)
        for n_in, n_out in zip(image, size, strict=True)
    )
    return rows, columns


def tflite_resize(
    op: str, n_in: int, n_out: int, align_corners: bool = False, half_pixel_centers: bool = False
) -> AxisMap:
    """One axis of TFLite's RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR: TensorFlow's op with the same flags.

    Raises:
        UnsupportedError: another operator, or both flags.
    """
    if op not in _TFLITE_OPS:
        raise UnsupportedError(
            f"{op} is no resize of TFLite", remedy=f"TFLite has {' and '.join(_TFLITE_OPS)}"
        )
    return tf_resize(_TFLITE_OPS[op], n_in, n_out, align_corners, half_pixel_centers)


def _image_axis(n_in: int, n_out: int, method: str, antialias: bool) -> AxisMap:
    if method in _FILTER_OF_METHOD:
        return FilteredAxis(n_in, n_out, _FILTER_OF_METHOD[method], antialias=antialias)
    if antialias and method in _ANTIALIASED:
        return FilteredAxis(n_in, n_out, _ANTIALIASED[method], antialias=True)
    return resize_op(_OP_OF_METHOD[method], n_in, n_out, half_pixel_centers=method != "area")


def _preserving(image: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """The size that keeps the aspect ratio: float32 products, halves to the even number, as tf.round does."""
    scale = min(np.float32(m) / np.float32(n) for n, m in zip(image, size, strict=True))
    height, width = (int(np.rint(scale * np.float32(n))) for n in image)
    return height, width

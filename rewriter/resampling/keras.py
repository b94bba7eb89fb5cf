"""Keras 3's words for a resize: UpSampling1D/2D/3D and Resizing, as whole-tensor maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.sampled import WindowAxis
from rewriter.resampling.tensor import TensorResize
from rewriter.resampling.tensorflow_ops import image_resize

__all__ = ["INTERPOLATIONS", "resizing", "upsampling"]

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic", "area")
DATA_FORMATS = ("channels_last", "channels_first")


def upsampling(
    input_shape: Sequence[int],
    size: int | Sequence[int] = 2,
    interpolation: str = "nearest",
    data_format: str = "channels_last",
) -> TensorResize[AxisMap]:
    """UpSampling1D, UpSampling2D or UpSampling3D, by the rank of the input (3, 4, 5).

    Args:
        input_shape: with the batch axis.
        size: whole factor of every spatial axis, or one per axis.
        interpolation: UpSampling2D only; the others repeat pixels.
        data_format: where the channels are; UpSampling1D knows only channels_last.

    Raises:
        UnsupportedError: another rank, interpolation, data format, or a factor that is not a whole number.
    """
    spatial = _spatial_axes(input_shape, data_format, (3, 4, 5))
    factors = [size] * len(spatial) if isinstance(size, int) else [int(factor) for factor in size]
    if len(factors) != len(spatial) or any(factor < 1 for factor in factors):
        raise UnsupportedError(f"UpSampling{len(spatial)}D has no size {size}")
    if len(spatial) == 1 and data_format != "channels_last":
        raise UnsupportedError("UpSampling1D knows only channels_last")
    if interpolation != "nearest" and len(spatial) != 2:
        raise UnsupportedError(f"UpSampling{len(spatial)}D has no interpolation")
    _check_interpolation(interpolation)
    axes: list[AxisMap] = [AxisResize.identity(length) for length in input_shape]
    if interpolation == "nearest":
        for axis, factor in zip(spatial, factors, strict=True):
            n = input_shape[axis]
            axes[axis] = AxisResize(n, n * factor, "nearest", "asymmetric", "floor")
        return TensorResize(tuple(axes))
    image = [input_shape[axis] for axis in spatial]
    target = [n * factor for n, factor in zip(image, factors, strict=True)]
    for axis, resized in zip(spatial, image_resize(image, target, interpolation), strict=True):
        axes[axis] = resized
    return TensorResize(tuple(axes))


def resizing(
    input_shape: Sequence[int],
    height: int,
    width: int,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_value: float = 0.0,
    antialias: bool = False,
    data_format: str = "channels_last",
) -> TensorResize[AxisMap]:
    """The Resizing layer (and `keras.ops.image.resize`) on float images, with or without a batch axis.

    Raises:
        UnsupportedError: another rank, interpolation or data format; crop and pad together.
    """
    _check_interpolation(interpolation)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise UnsupportedError("Resizing cannot both crop and pad to the aspect ratio")
    batched = input_shape if len(input_shape) == 4 else (1, *input_shape)
    spatial = tuple(axis + len(input_shape) - 4 for axis in _spatial_axes(batched, data_format, (4,)))
    image = (input_shape[spatial[0]], input_shape[spatial[1]])
    windows = [(0, image[0]), (0, image[1])]
    if crop_to_aspect_ratio:
        windows = [_cropped(*pair) for pair in zip(image, _matching(image, (height, width)), strict=True)]
    elif pad_to_aspect_ratio:
        windows = [_padded(*pair) for pair in zip(image, _matching(image, (height, width)), strict=True)]
    lengths = [length for _, length in windows]
    resized = image_resize(lengths, (height, width), interpolation, antialias=antialias)
    axes: list[AxisMap] = [AxisResize.identity(length) for length in input_shape]
    for axis, (start, length), inner in zip(spatial, windows, resized, strict=True):
        whole = start == 0 and length == input_shape[axis]
        axes[axis] = inner if whole else WindowAxis(input_shape[axis], start, inner)
    fill = float(np.float32(fill_value)) if pad_to_aspect_ratio else 0.0
    return TensorResize(tuple(axes), extrapolation_value=fill, background=fill)


def _matching(image: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The height and width that would give the other side the target's aspect ratio; float32, as Keras computes."""
    height = int(np.float32(image[1] * target[0]) / np.float32(target[1]))
    width = int(np.float32(image[0] * target[1]) / np.float32(target[0]))
    return height, width


def _cropped(length: int, matching: int) -> tuple[int, int]:
    """Start and length of the crop."""
    kept = max(min(length, matching), 1)
    return (length - kept) // 2, kept


def _padded(length: int, matching: int) -> tuple[int, int]:
    """Start and length of the padded axis: the same number of pixels on both sides."""
    margin = (max(length, matching) - length) // 2
    return -margin, length + 2 * margin


def _spatial_axes(shape: Sequence[int], data_format: str, ranks: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) not in ranks:
        raise UnsupportedError(f"a Keras resize of a tensor of rank {len(shape)}")
    if data_format not in DATA_FORMATS:
        raise UnsupportedError(f"unknown data format '{data_format}'")
    first = 1 if data_format == "channels_last" else 2
    return tuple(range(first, first + len(shape) - 2))


def _check_interpolation(interpolation: str) -> None:
    if interpolation not in INTERPOLATIONS:
        raise UnsupportedError(
            f"Keras has no interpolation '{interpolation}'", remedy=f"use one of {', '.join(INTERPOLATIONS)}"
        )

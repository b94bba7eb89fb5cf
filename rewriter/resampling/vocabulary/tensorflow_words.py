"""TensorFlow's, Keras' and TFLite's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.filtered import FILTERS, FilteredAxis
from rewriter.resampling.tensorflow_ops import IMAGE_RESIZE_METHODS, image_resize, resize_op, tflite_resize
from rewriter.resampling.vocabulary.word import Build, Rois, Word, roi_of, spelled_roi

__all__ = ["filter_words", "keras_words", "tensorflow_crops", "tensorflow_words", "tflite_words"]

_FLAGS = ((False, False), (True, False), (False, True))
_METHODS = {
    "ResizeBilinear": "bilinear",
    "ResizeNearestNeighbor": "nearest",
    "ResizeBicubic": "bicubic",
    "ResizeArea": "area",
}
_SMOOTH = tuple(method for method in IMAGE_RESIZE_METHODS if method not in ("nearest", "area"))
_UPSAMPLING = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
_RESIZING = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")
_WHOLE = "by whole factors"
_TABLE = "its kernel rounds weights to a table of 1,024 steps (up to 4e-3)"


def tensorflow_words() -> list[Word]:
    """The raw ops with their flags, `tf.image.resize`, and TensorFlow 1's `tf.image.resize`."""
    words = []
    for op in _METHODS:
        table = op == "ResizeBicubic"
        note = _TABLE if table else ""
        for align_corners, centred in _FLAGS:
            flags: tuple[tuple[str, Any], ...] = (("align_corners", align_corners),)
            if op != "ResizeArea":
                flags += (("half_pixel_centers", centred),)
            elif centred:
                continue
            words.append(Word("tensorflow", op, flags, _op(op, align_corners, centred), table, note))
    words += filter_words()
    for method in IMAGE_RESIZE_METHODS:
        for antialias in (False, True) if method in _SMOOTH else (False,):
            words.append(_image_resize("tensorflow", "tf.image.resize", "method", method, antialias))
    for op, method in _METHODS.items():
        for align_corners in (False, True):
            arguments = (("method", method), ("align_corners", align_corners))
            table = op == "ResizeBicubic"
            build = _op(op, align_corners)
            note = _TABLE if table else ""
            words.append(Word("tensorflow", "tf.compat.v1.image.resize", arguments, build, table, note))
    return words


def keras_words() -> list[Word]:
    """Keras 3 on the TensorFlow backend: UpSampling1D/2D/3D and Resizing."""
    repeat = _whole_factors(_op("ResizeNearestNeighbor"))
    words = [
        Word("keras", "UpSampling1D", (), repeat, note=_WHOLE, rank=3),
        Word("keras", "UpSampling3D", (), repeat, note=_WHOLE, rank=5),
    ]
    for interpolation in _UPSAMPLING:
        word = _image_resize("keras", "UpSampling2D", "interpolation", interpolation, False)
        note = f"{_WHOLE}; {word.note}" if word.note else _WHOLE
        arguments = (("interpolation", interpolation),)
        build = _whole_factors(word.build)
        words.append(Word("keras", "UpSampling2D", arguments, build, word.tabulated, note, rank=4))
    for interpolation in _RESIZING:
        for antialias in (False, True) if interpolation in _SMOOTH else (False,):
            words.append(_image_resize("keras", "Resizing", "interpolation", interpolation, antialias))
    return words


def tflite_words() -> list[Word]:
    """TFLite's two operators."""

    def build(op: str, align_corners: bool, centred: bool) -> Build:
        return lambda n, m, axis: tflite_resize(op, n, m, align_corners, centred)

    return [
        Word(
            "tflite",
            op,
            (("align_corners", flags[0]), ("half_pixel_centers", flags[1])),
            build(op, *flags),
        )
        for op in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
        for flags in _FLAGS
    ]


def filter_words(
    grids: Mapping[int, tuple[Fraction, Fraction]] | None = None, kernels: Iterable[str] = tuple(FILTERS)
) -> list[Word]:
    """ScaleAndTranslate with every kernel.

    Args:
        grids: (scale, translation) by tensor axis; by default output / input length, and no translation.
        kernels: kernel types to consider.
    """

    def build(kernel: str, antialias: bool) -> Build:
        def axis_map(n_in: int, n_out: int, axis: int) -> AxisMap | None:
            scale, translation = (None, Fraction(0)) if grids is None else grids[axis]
            return FilteredAxis(n_in, n_out, kernel, scale, translation, antialias)

        return axis_map

    words = []
    for kernel in kernels:
        for antialias in (False, True):
            arguments: tuple[tuple[str, Any], ...] = (("kernel_type", kernel), ("antialias", antialias))
            if grids is not None:
                for place, name in enumerate(("scale", "translation")):
                    values = tuple(round(float(grids[axis][place]), 6) for axis in sorted(grids))
                    arguments += ((name, values),)
            note = "scale = output / input, translation 0" if grids is None else ""
            words.append(
                Word("tensorflow", "ScaleAndTranslate", arguments, build(kernel, antialias), note=note)
            )
    return words


def tensorflow_crops(rois: Rois | None = None) -> list[Word]:
    """CropAndResize of one box, by default of the whole image."""

    def build(kernel: str) -> Build:
        return lambda n, m, axis: AxisResize(
            n, m, kernel, "tf_crop_and_resize", "round_prefer_ceil", roi=roi_of(rois, axis)
        )

    return [
        Word("tensorflow", "CropAndResize", (("method", method), ("box", spelled_roi(rois))), build(kernel))
        for method, kernel in (("bilinear", "linear"), ("nearest", "nearest"))
    ]


def _op(op: str, align_corners: bool = False, centred: bool = False) -> Build:
    return lambda n, m, axis: resize_op(op, n, m, align_corners, centred)


def _image_resize(framework: str, op: str, name: str, method: str, antialias: bool) -> Word:
    """A word for `tf.image.resize`, or for a layer that calls it."""

    def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        return image_resize((n_in, n_in), (n_out, n_out), method, antialias=antialias)[0]

    arguments: tuple[tuple[str, Any], ...] = ((name, method),)
    if method in _SMOOTH:
        arguments += (("antialias", antialias),)
    table = method == "bicubic" and not antialias
    return Word(framework, op, arguments, build, table, _TABLE if table else "")


def _whole_factors(build: Build) -> Build:
    return lambda n, m, axis: build(n, m, axis) if m % n == 0 else None

"""TensorFlow's, Keras' and TFLite's words for resizes that ONNX can say too."""

from __future__ import annotations

from typing import Any

from rewriter.resampling.tensorflow import tf_resize
from rewriter.resampling.vocabulary.word import AxisLike, Build, Word

__all__ = ["keras_words", "tensorflow_words", "tflite_words"]

_FLAGS = ((False, False), (True, False), (False, True))
_METHODS = {
    "ResizeBilinear": "bilinear",
    "ResizeNearestNeighbor": "nearest",
    "ResizeBicubic": "bicubic",
    "ResizeArea": "area",
}
_WHOLE = "repeats pixels, by whole factors"
_TABLE = "its kernel rounds weights to a table of 1,024 steps (up to 4e-3)"


def _flags(align_corners: bool, half_pixel_centers: bool) -> tuple[tuple[str, Any], ...]:
    return ("align_corners", align_corners), ("half_pixel_centers", half_pixel_centers)


def _build(op: str, align_corners: bool = False, half_pixel_centers: bool = False) -> Build:
    def build(n_in: int, n_out: int, axis: int) -> AxisLike | None:
        return tf_resize(op, n_in, n_out, align_corners, half_pixel_centers)

    return build


def tensorflow_words() -> list[Word]:
    """The raw ops with their flags, `tf.image.resize`, and TensorFlow 1's `tf.image.resize`."""
    words = []
    for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"):
        method = _METHODS[op]
        tabulated = op == "ResizeBicubic"
        note = _TABLE if tabulated else ""
        for flags in _FLAGS:
            words.append(Word("tensorflow", op, _flags(*flags), _build(op, *flags), tabulated, note))
        words.append(
            Word(
                "tensorflow",
                "tf.image.resize",
                (("method", method), ("antialias", False)),
                _build(op, False, True),
                tabulated,
                note,
            )
        )
        for align_corners in (False, True):
            words.append(
                Word(
                    "tensorflow",
                    "tf.compat.v1.image.resize",
                    (("method", method), ("align_corners", align_corners)),
                    _build(op, align_corners),
                    tabulated,
                    note,
                )
            )
    return words


def keras_words() -> list[Word]:
    """Keras 3 on the TensorFlow backend: UpSampling1D/2D/3D and Resizing."""
    nearest = _whole_factors(_build("ResizeNearestNeighbor"))
    words = [
        Word("keras", "UpSampling1D", (), nearest, note=_WHOLE, rank=3),
        Word("keras", "UpSampling2D", (("interpolation", "nearest"),), nearest, note=_WHOLE, rank=4),
        Word("keras", "UpSampling3D", (), nearest, note=_WHOLE, rank=5),
    ]
    for op in ("ResizeBilinear", "ResizeBicubic"):
        interpolation = ("interpolation", _METHODS[op])
        build, tabulated = _build(op, False, True), op == "ResizeBicubic"
        note = _TABLE if tabulated else ""
        words.append(
            Word("keras", "UpSampling2D", (interpolation,), _whole_factors(build), tabulated, note, rank=4)
        )
    for op in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor"):
        arguments = (("interpolation", _METHODS[op]), ("antialias", False))
        tabulated = op == "ResizeBicubic"
        words.append(
            Word(
                "keras",
                "Resizing",
                arguments,
                _build(op, False, True),
                tabulated,
                _TABLE if tabulated else "",
            )
        )
    return words


def tflite_words() -> list[Word]:
    """TFLite's two operators."""
    words = []
    for name, op in (
        ("RESIZE_BILINEAR", "ResizeBilinear"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"),
    ):
        words += [Word("tflite", name, _flags(*flags), _build(op, *flags)) for flags in _FLAGS]
    return words


def _whole_factors(build: Build) -> Build:
    def whole(n_in: int, n_out: int, axis: int) -> AxisLike | None:
        return build(n_in, n_out, axis) if n_out % n_in == 0 else None

    return whole

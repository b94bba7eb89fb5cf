"""Every framework's words for a resize, as functions from lengths to the map of one axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from rewriter.resampling.vocabulary.apple_words import documented_coreml_words, metal_words
from rewriter.resampling.vocabulary.onnx_words import CUBIC_COEFFICIENTS, onnx_crops, onnx_words
from rewriter.resampling.vocabulary.other_words import coreml_crops, coreml_words, pytorch_words
from rewriter.resampling.vocabulary.tensorflow_words import (
    filter_words,
    keras_words,
    tensorflow_crops,
    tensorflow_words,
    tflite_words,
)
from rewriter.resampling.vocabulary.word import FRAMEWORKS, Rois, Word

__all__ = [
    "CUBIC_COEFFICIENTS",
    "FRAMEWORKS",
    "Word",
    "crop_words",
    "filter_words",
    "onnx_words",
    "vocabulary",
]


def crop_words(
    rois: Rois | None = None,
    cubic_coefficients: Iterable[Fraction] = CUBIC_COEFFICIENTS,
    scales: Mapping[int, Fraction] | None = None,
) -> list[Word]:
    """Crop-and-resize.

    Args:
        rois: (start, end) of the region by tensor axis, as fractions of length - 1; by default the whole axis.
        cubic_coefficients: values of ONNX's cubic_coeff_a to consider.
        scales: ONNX's scales by tensor axis, which decide how wide antialiasing is.
    """
    return [*tensorflow_crops(rois), *onnx_crops(rois, cubic_coefficients, scales), *coreml_crops(rois)]


def vocabulary(rank: int | None = None) -> list[Word]:
    """All words without free parameters, in the order of `FRAMEWORKS`.

    Args:
        rank: of the tensor; leaves out layers that take another one.
    """
    words = [
        *tensorflow_words(),
        *keras_words(),
        *tflite_words(),
        *onnx_words(),
        *coreml_words(),
        *documented_coreml_words(),
        *metal_words(),
        *pytorch_words(),
        *crop_words(),
    ]
    return [word for word in words if rank is None or word.rank in (None, rank)]

"""Every framework's words for a resize, as functions from lengths to the map of one axis."""

from __future__ import annotations

from rewriter.resampling.vocabulary.onnx_words import onnx_crops, onnx_words
from rewriter.resampling.vocabulary.other_words import coreml_words, pytorch_words
from rewriter.resampling.vocabulary.tensorflow_words import keras_words, tensorflow_words, tflite_words
from rewriter.resampling.vocabulary.word import FRAMEWORKS, AxisLike, Word

__all__ = ["FRAMEWORKS", "AxisLike", "Word", "onnx_crops", "onnx_words", "vocabulary"]


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
        *pytorch_words(),
    ]
    return [word for word in words if rank is None or word.rank in (None, rank)]

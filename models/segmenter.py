"""The encoder-decoder segmenter, with three ways to upsample.

Three of its four resizes sit in the decoder and one enlarges the logits: a wrong grid at any of them moves the
borders. All three variants have the same weights by name and shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from models.synthetic import CLASSES, SIZE
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

__all__ = ["build", "build_tf_image", "build_upsampling2d"]

Upsample = Callable[[Any, str], Any]


def build() -> keras.Model:
    """Upsampling by TF1's `resize_bilinear(align_corners=True)`; this is the variant that is trained."""
    return _segmenter("segmenter", lambda x, name: AlignCornersUpsampling2D(2, name=name)(x))


def build_tf_image() -> keras.Model:
    """Upsampling by TF2's `tf.image.resize` (half-pixel centres)."""

    def upsample(x: Any, name: str) -> Any:
        height, width = x.shape[1:3]
        # `keras.ops.image.resize` is tf.image.resize on this backend, and serialises without custom code.
        return keras.ops.image.resize(x, (2 * height, 2 * width), interpolation="bilinear")

    return _segmenter("segmenter_tf_image", upsample)


def build_upsampling2d() -> keras.Model:
    """Upsampling by Keras' own `UpSampling2D`: nearest in the decoder, bilinear for the logits."""

    def upsample(x: Any, name: str) -> Any:
        interpolation = "bilinear" if name in ("up3", "up4") else "nearest"
        return layers.UpSampling2D(2, interpolation=interpolation, name=name)(x)

    return _segmenter("segmenter_upsampling2d", upsample)


def _segmenter(name: str, upsample: Upsample) -> keras.Model:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    half = _block(_block(image, 16, "stem"), 24, "down1", stride=2)
    quarter = _block(half, 32, "down2", stride=2)
    eighth = _block(quarter, 48, "down3", stride=2)
    x = _block(eighth, 48, "down4", stride=2)
    for stage, (skip, filters) in enumerate([(eighth, 48), (quarter, 40), (half, 32)], start=1):
        x = upsample(x, f"up{stage}")
        x = layers.Concatenate(name=f"join{stage}")([x, skip])
        x = _block(x, filters, f"decode{stage}")
    x = layers.Conv2D(CLASSES, 1, name="logits")(x)
    x = upsample(x, "up4")
    return keras.Model(image, layers.Softmax(name="classes")(x), name=name)


def _block(x: Any, filters: int, name: str, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # Training is a few hundred steps: the usual momentum of 0.99 would never reach the true statistics.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)

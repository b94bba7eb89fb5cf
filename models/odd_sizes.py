"""A network with odd sizes, 33 → 129 → 257: with align corners these factors are exactly 4 and 2 between pixels."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from models.calibration import calibrate
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

__all__ = ["build"]

_SEED = 11


def build() -> keras.Model:
    """257×257×3 in, 257×257×4 out; random weights, BatchNorm calibrated."""
    keras.utils.set_random_seed(_SEED)
    image = keras.Input((257, 257, 3), name="image")
    x = _block(image, 8, 2)  # 129
    skip = x
    x = _block(_block(x, 16, 2), 24, 2)  # 65, 33
    x = _block(x, 24, 1)
    x = AlignCornersUpsampling2D(size=(129, 129), name="up_to_129")(x)
    x = _block(layers.Concatenate()([x, skip]), 16, 1)
    # Small logits: a saturated softmax would magnify the last bits of every comparison.
    x = layers.Conv2D(4, 1, kernel_initializer=keras.initializers.VarianceScaling(0.2), name="logits")(x)
    x = AlignCornersUpsampling2D(size=(257, 257), name="up_to_257")(x)
    return calibrate(keras.Model(image, layers.Softmax(name="classes")(x), name="odd_sizes"), _SEED)


def _block(x: Any, filters: int, stride: int) -> Any:
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)

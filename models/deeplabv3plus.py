"""DeepLabV3+-like: dilated convolutions at several rates, image pooling, two align-corners resizes at odd sizes."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from models.calibration import calibrate
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

__all__ = ["build"]

_SEED = 13
_SIZE = 129


def build() -> keras.Model:
    """129×129×3 in, 129×129×5 out; random weights, BatchNorm calibrated."""
    keras.utils.set_random_seed(_SEED)
    image = keras.Input((_SIZE, _SIZE, 3), name="image")
    x = _block(image, 16, 3, stride=2)  # 65
    low = _block(x, 24, 3, stride=2)  # 33
    x = _residual(_block(low, 48, 3, stride=2), 48, rate=2)  # 17
    x = _residual(x, 48, rate=4)
    x = _pyramid(x)
    x = AlignCornersUpsampling2D(size=(33, 33), name="up_to_33")(x)
    x = layers.Concatenate(name="join")([x, _block(low, 16, 1)])
    x = _block(x, 48, 3)
    # Small logits: a saturated softmax would magnify the last bits of every comparison.
    x = layers.Conv2D(5, 1, kernel_initializer=keras.initializers.VarianceScaling(0.2), name="logits")(x)
    x = AlignCornersUpsampling2D(size=(_SIZE, _SIZE), name="up_to_129")(x)
    return calibrate(keras.Model(image, layers.Softmax(name="classes")(x), name="deeplabv3plus"), _SEED)


def _pyramid(x: Any) -> Any:
    """Atrous spatial pyramid pooling: one 1×1, three dilated branches, and the mean of the whole image."""
    height, width = x.shape[1:3]
    branches = [_block(x, 32, 1), *(_block(x, 32, 3, rate=rate) for rate in (2, 4, 6))]
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name="image_pool")(x)
    pooled = layers.Activation("relu")(layers.Conv2D(32, 1)(pooled))
    branches.append(AlignCornersUpsampling2D(size=(height, width), name="up_image_pool")(pooled))
    return _block(layers.Concatenate(name="pyramid")(branches), 48, 1)


def _residual(x: Any, filters: int, rate: int) -> Any:
    return layers.Add()([x, _block(_block(x, filters, 3, rate=rate), filters, 3, rate=rate)])


def _block(x: Any, filters: int, kernel: int, stride: int = 1, rate: int = 1) -> Any:
    x = layers.Conv2D(filters, kernel, strides=stride, dilation_rate=rate, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)

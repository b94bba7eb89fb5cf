"""U-Net on MobileNetV2: the network that the toolkit's first user converted."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from models.calibration import calibrate, damp_residuals
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

__all__ = ["build"]

_SEED = 12
_SIZE = 128
_SKIPS = ("block_13_expand_relu", "block_6_expand_relu", "block_3_expand_relu", "block_1_expand_relu")


def build() -> keras.Model:
    """128×128×3 in, 128×128×3 out; random weights, BatchNorm calibrated."""
    keras.utils.set_random_seed(_SEED)
    image = keras.Input((_SIZE, _SIZE, 3), name="image")
    scaled = layers.Rescaling(2.0, offset=-1.0, name="scaled")(image)  # MobileNetV2 expects [-1, 1]
    encoder = keras.applications.MobileNetV2(input_tensor=scaled, alpha=0.35, include_top=False, weights=None)
    damp_residuals(encoder)
    x = encoder.get_layer("block_16_project").output
    for stage, (skip, filters) in enumerate(zip(_SKIPS, (64, 48, 32, 24), strict=True), start=1):
        x = AlignCornersUpsampling2D(2, name=f"up{stage}")(x)
        x = layers.Concatenate(name=f"join{stage}")([x, encoder.get_layer(skip).output])
        x = _separable(x, filters, f"decode{stage}")
    # Small logits: a saturated softmax would magnify the last bits of every comparison.
    x = layers.Conv2D(3, 1, kernel_initializer=keras.initializers.VarianceScaling(0.2), name="logits")(x)
    x = AlignCornersUpsampling2D(2, name="up5")(x)
    model = keras.Model(image, layers.Softmax(name="classes")(x), name="mobilenetv2_unet")
    return calibrate(model, _SEED)


def _separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # Below one, so that the shallow skips weigh more than the deep stack of random layers behind them.
    gamma = keras.initializers.Constant(0.5)
    x = layers.BatchNormalization(gamma_initializer=gamma, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)

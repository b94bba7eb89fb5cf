"""Makes a randomly initialised network alive: BatchNorm statistics measured, weights seeded.

A network with default BatchNorm statistics gives the same output for every picture, and then any comparison passes.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from models.synthetic import smooth_pictures

__all__ = ["calibrate", "damp_residuals"]


def calibrate(model: keras.Model, seed: int, batch: int = 4, scale: float = 1.0) -> keras.Model:
    """Set every BatchNorm's moving statistics to those of a seeded batch, layer after layer.

    With momentum 0 one training pass stores the batch statistics; a pass sees the earlier layers' batch
    statistics, so a single one settles the whole network.

    Args:
        model: one image input [N, H, W, 3] of fixed height and width.
        seed: of the pictures.
        batch: how many pictures.
        scale: of their values, which lie about 0 to 1; 255 for a network that divides by that first.
    """
    rng = np.random.default_rng(seed)
    _, height, width, channels = model.input_shape
    # Noise keeps the variance of fine filters from being nearly zero, which would magnify rounding errors.
    pictures = smooth_pictures(rng, batch, height, width, channels)
    pictures = (pictures + rng.normal(0, 0.15, pictures.shape)).astype(np.float32) * np.float32(scale)
    norms = [layer for layer in _layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(pictures, training=True)
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum
    return model


def damp_residuals(model: keras.Model, factor: float = 0.2) -> None:
    """Scale down the last BatchNorm of each inverted residual block, as initialisers of residual networks do.

    A deep network of random weights otherwise magnifies rounding errors far more than a trained one.
    """
    for layer in _layers(model):
        if layer.name.lower().endswith("project_bn"):
            layer.gamma.assign(keras.ops.full_like(layer.gamma, factor))


def _layers(model: keras.Model) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))

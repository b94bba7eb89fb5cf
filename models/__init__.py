"""Sample networks that exercise every kind of resize, and the trained weights of one.

``models.build(name)`` gives a network that is alive: with trained weights, or with calibrated BatchNorm.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

__all__ = ["REGISTRY", "Sample", "build", "sample_input", "sample_mask"]

WEIGHTS = Path(__file__).parent / "weights" / "segmenter.weights.h5"


@dataclass(frozen=True)
class Sample:
    """One sample network.

    Attributes:
        name: key in `REGISTRY`.
        summary: one line.
        builder: ``pkg.module:function``, as ``rewriter deploy --builder`` takes it.
        weights: trained weights to load; None for networks that their builder calibrates.
    """

    name: str
    summary: str
    builder: str
    weights: Path | None = None

    def build(self) -> keras.Model:
        """The network, with its weights."""
        from rewriter.tensorflow.environment import import_tensorflow

        import_tensorflow("to build the sample networks")
        module, function = self.builder.split(":")
        model: keras.Model = getattr(importlib.import_module(module), function)()
        if self.weights is not None:
            model.load_weights(self.weights)
        return model


REGISTRY = {
    sample.name: sample
    for sample in (
        Sample(
            "segmenter", "trained segmenter, TF1 align-corners upsampling", "models.segmenter:build", WEIGHTS
        ),
        Sample(
            "segmenter_tf_image",
            "the same weights, TF2 tf.image.resize",
            "models.segmenter:build_tf_image",
            WEIGHTS,
        ),
        Sample(
            "segmenter_upsampling2d",
            "the same weights, Keras UpSampling2D (nearest and bilinear)",
            "models.segmenter:build_upsampling2d",
            WEIGHTS,
        ),
        Sample("odd_sizes", "33 → 129 → 257, align corners", "models.odd_sizes:build"),
        Sample("mobilenetv2_unet", "U-Net on MobileNetV2, align corners", "models.mobilenetv2_unet:build"),
        Sample(
            "deeplabv3plus", "dilated pyramid with image pooling, odd sizes", "models.deeplabv3plus:build"
        ),
    )
}


def build(name: str) -> keras.Model:
    """Build a sample network by name.

    Raises:
        KeyError: unknown name.
    """
    return REGISTRY[name].build()


def sample_input(name: str, seed: int = 0) -> np.ndarray:
    """A picture that the network makes something of: float32 [1, H, W, 3] in [0, 1]."""
    if name.startswith("segmenter"):
        return _picture(seed)[0][None]
    from models.synthetic import smooth_pictures

    size = {"odd_sizes": 257, "mobilenetv2_unet": 128, "deeplabv3plus": 129}[name]
    return smooth_pictures(np.random.default_rng(seed), 1, size, size, 3)


def sample_mask(seed: int = 0) -> np.ndarray:
    """The true classes of the segmenters' sample picture, int64 [1, H, W]."""
    return _picture(seed)[1][None]


def _picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    from models.synthetic import picture

    return picture(np.random.default_rng(seed))

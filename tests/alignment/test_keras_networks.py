"""Encoder-decoders as Keras users write them: predicted grids against TensorFlow's gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewriter.alignment import analyse

SIZE = 64
SHIFTS = {
    ("same", "bilinear"): 3.5,
    ("same", "nearest"): 3.5,
    ("same", "transposed, 3 wide"): 0,
    ("symmetric", "bilinear"): -3.5,
    ("symmetric", "transposed, 3 wide"): -7,
    ("pooled", "bilinear"): 0,
    ("pooled", "transposed, 2 wide"): 0,
}
"""Shift of the output after three levels down and up, in pixels: as docs/alignment.md says."""


def _network(keras: Any, down: str, up: str) -> Any:
    """Three levels down and up, one channel, every kernel uniform: the output is a mean of its receptive field."""
    layers = keras.layers
    options = {"use_bias": False, "kernel_initializer": "ones"}
    image = x = layers.Input((SIZE, SIZE, 1))
    for _ in range(3):
        if down == "same":
            x = layers.Conv2D(1, 3, 2, padding="same", **options)(x)
        elif down == "symmetric":
            x = layers.Conv2D(1, 3, 2, **options)(layers.ZeroPadding2D(1)(x))
        else:
            x = layers.AveragePooling2D(2)(layers.Conv2D(1, 3, padding="same", **options)(x))
    for _ in range(3):
        if up.startswith("transposed"):
            x = layers.Conv2DTranspose(1, int(up[12]), 2, padding="same", **options)(x)
        else:
            x = layers.UpSampling2D(2, interpolation=up)(x)
    return keras.Model(image, x)


def _measured_shift(tf: Any, network: Any) -> float:
    """Mean shift of the receptive fields of eight rows in the middle (the pattern of rows repeats every eight)."""
    shifts = []
    for row in range(SIZE // 2 - 4, SIZE // 2 + 4):
        image = tf.Variable(tf.zeros((1, SIZE, SIZE, 1)))
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(network(image)[:, row])
        weights = tape.gradient(value, image).numpy().sum(axis=(0, 2, 3))
        shifts.append(weights @ np.arange(SIZE) / weights.sum() - row)
    return float(np.mean(shifts))


QUICK = (("same", "bilinear"), ("same", "nearest"), ("pooled", "bilinear"))


@pytest.mark.parametrize(
    ("down", "up"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in SHIFTS],
)
def test_the_output_lies_where_it_is_predicted(tmp_path: Path, down: str, up: str) -> None:
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    pytest.importorskip("tf2onnx")
    from rewriter.model import Model
    from rewriter.tensorflow.convert import convert

    network = _network(keras, down, up)
    found = analyse(Model.from_proto(convert(network)))
    grid = found.outputs[0].grids[1]
    assert (grid.scale, float(grid.offset)) == (1, SHIFTS[down, up])
    assert found.unknown == []
    # A uniform kernel three wide at stride 2 weighs even and odd rows differently: half a pixel of the lowest level.
    tolerance = 0.05 if up != "transposed, 3 wide" else 1.5
    assert _measured_shift(tf, network) == pytest.approx(SHIFTS[down, up], abs=tolerance)

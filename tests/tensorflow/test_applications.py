"""keras.applications: convert, valid, few Transposes, and TensorFlow's values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from rewriter.tensorflow.convert import convert
from tests.model.onnx_models import run

TRANSPOSES = {
    "MobileNetV2": 1,
    "MobileNetV3Small": 2,
    "EfficientNetB0": 1,
    "ResNet50": 1,
    "DenseNet121": 1,
    "Xception": 1,
    "ConvNeXtTiny": 37,
    "NASNetMobile": 1,
}
"""ConvNeXt multiplies channels by matrices between its convolutions, once in each of 18 blocks."""

DEFAULT = "MobileNetV3Small"


def calibrated(name: str, size: int) -> tuple[Any, np.ndarray]:
    """The network with random weights and the BatchNorm statistics of a random batch, and an image."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=100)
    x = np.random.default_rng(0).random((4, size, size, 3), np.float32) * 255
    layers = [
        layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    network(x, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return network, x[:1]


@pytest.mark.parametrize(
    "name", [DEFAULT, *(pytest.param(n, marks=pytest.mark.slow) for n in TRANSPOSES if n != DEFAULT)]
)
def test_application(name: str, tmp_path: Path) -> None:
    network, x = calibrated(name, 224 if name == "NASNetMobile" else 96)
    network.save(tmp_path / "network.keras")
    model = convert(tmp_path / "network.keras")
    onnx.checker.check_model(model, full_check=True)
    counts = Counter(node.op_type for node in model.graph.node)
    assert counts["Transpose"] <= TRANSPOSES[name]
    wanted = network(x, training=False).numpy()
    found = run(model, {model.graph.input[0].name: x})[0]
    assert np.abs(found - wanted).max() <= 1e-4 * np.ptp(wanted)
    assert found.argmax() == wanted.argmax()

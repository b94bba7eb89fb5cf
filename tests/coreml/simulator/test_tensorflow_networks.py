"""Keras networks converted by coremltools' own TensorFlow converter, saved, simulated, against Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rewriter.coreml.simulator import load
from tests.coreml.simulator.packages import save_converted

keras = pytest.importorskip("keras")

LIMITS = {"float32": 1e-4, "float16": 2e-2}


def mobilenet() -> keras.Model:
    from models.calibration import calibrate, damp_residuals

    keras.utils.set_random_seed(1)
    network = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), classes=20)
    damp_residuals(network)
    return calibrate(network, seed=2)


def unet() -> keras.Model:
    """Every way in which a decoder of Keras layers upsamples; strided, dilated and depthwise convolutions."""
    from models.calibration import calibrate

    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((32, 32, 3))
    fine = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", activation="relu")(image))
    half = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(fine)
    half = layers.BatchNormalization()(layers.Conv2D(12, 1)(half))
    deep = layers.LeakyReLU()(
        layers.Conv2D(16, 3, dilation_rate=2, padding="same")(layers.MaxPooling2D()(half))
    )
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(deep)
    also = layers.UpSampling2D(interpolation="bilinear")(deep)
    joined = layers.Concatenate()([up, also, half])
    joined = layers.UpSampling2D(interpolation="nearest")(layers.Conv2D(8, 3, padding="same")(joined))
    joined = layers.Concatenate()([joined, fine, layers.Resizing(32, 32)(layers.AveragePooling2D(3)(fine))])
    return calibrate(keras.Model(image, layers.Conv2D(4, 1, activation="softmax")(joined)), seed=4)


@pytest.mark.parametrize("build", [mobilenet, unet])
def test_network(build: object, tmp_path: Path) -> None:
    network = build()
    x = np.random.default_rng(5).uniform(-1, 1, (1, *network.input_shape[1:])).astype(np.float32)
    want = network(x, training=False).numpy()
    spread = float(want.max() - want.min())
    assert spread > 0.01
    for precision, limit in LIMITS.items():
        folder = tmp_path / precision
        folder.mkdir()
        model = load(save_converted(network, folder, precision=precision, source="tensorflow"))
        (got,) = model.predict({model.inputs[0].name: x}).values()
        assert got.shape == want.shape
        error = float(np.abs(got - want).max()) / spread
        assert error <= limit
        if precision == "float16":
            assert error > 1e-6, "rounding to float16 has to show"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scale"), [("MobileNetV2", 1.0), ("EfficientNetB0", 255.0), ("ResNet50", 1.0)]
)
def test_whole_network_at_its_own_size(name: str, scale: float, tmp_path: Path) -> None:
    from models.calibration import calibrate, damp_residuals

    keras.utils.set_random_seed(11)
    network = getattr(keras.applications, name)(weights=None)
    damp_residuals(network)
    network = calibrate(network, seed=12, scale=scale)
    # In the range that the statistics are calibrated on: beyond it float16 overflows, and rightly.
    x = np.random.default_rng(13).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    x = x if scale == 1 else (x + 1) / 2 * np.float32(scale)
    want = network(x, training=False).numpy()
    first, second = np.sort(want[0])[:-3:-1]
    # A head that cannot tell classes apart would make agreement on the first one meaningless.
    assert first > 2e-3
    assert first > 1.02 * second
    for precision, limit in LIMITS.items():
        folder = tmp_path / precision
        folder.mkdir()
        model = load(save_converted(network, folder, precision=precision, source="tensorflow"))
        (got,) = model.predict({model.inputs[0].name: x}).values()
        assert float(np.abs(got - want).max()) <= limit
        assert got.argmax() == want.argmax()

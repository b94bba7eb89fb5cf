"""The trained segmenter as a neural network for iOS 13, with native layers and with the custom layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import models
from rewriter.coreml.neuralnetwork import lower_network
from rewriter.coreml.simulator import load
from rewriter.deployment import deploy

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def segmenter() -> tuple[onnx.ModelProto, Any]:
    """The ONNX model, and the Keras network."""
    from rewriter.tensorflow.convert import convert
    from rewriter.tensorflow.load import load as load_network

    network = load_network(None, builder="models.segmenter:build", weights=models.WEIGHTS)
    return convert(network), models.build("segmenter")


@pytest.fixture(scope="module")
def pictures(segmenter: tuple[onnx.ModelProto, Any]) -> Callable[[], list[tuple[np.ndarray, np.ndarray]]]:
    keras_network = segmenter[1]
    noise = np.random.default_rng(0).random((1, 64, 64, 3), dtype=np.float32)
    inputs = [*(models.sample_input("segmenter", seed) for seed in (3, 15)), noise]
    outputs = [np.asarray(keras_network(x, training=False)) for x in inputs]
    return lambda: list(zip(inputs, outputs, strict=True))


@pytest.mark.parametrize(("policy", "layer"), [("never", "resizeBilinear"), ("always", "custom")])
def test_it_simulates_like_keras(
    policy: str, layer: str, segmenter: Any, pictures: Any, tmp_path: Path
) -> None:
    network = lower_network(segmenter[0], target="iOS13", custom_layer=policy)
    assert network.operator_counts[layer] == 4
    assert network.mlmodel.get_spec().specificationVersion == 4
    simulated = load(network.save(tmp_path / "segmenter.mlmodel"))
    assert [spec.name for spec in simulated.inputs] == ["image"]
    for x, wanted in pictures():
        found = simulated.predict({"image": x})["classes"]
        reach = float(wanted.max() - wanted.min())
        assert float(np.abs(found - wanted).max()) <= TOLERANCE * reach


def test_a_lost_mode_is_seen(segmenter: Any, pictures: Any, tmp_path: Path) -> None:
    """The same comparison fails where the layer is told other coordinates."""
    network = lower_network(segmenter[0], custom_layer="always")
    spec = network.mlmodel.get_spec()
    for message in spec.neuralNetwork.layers:
        if message.WhichOneof("layer") == "custom":
            message.custom.parameters["coordinates"].stringValue = "half_pixel"
    (tmp_path / "broken.mlmodel").write_bytes(spec.SerializeToString())
    x, wanted = pictures()[0]
    found = load(tmp_path / "broken.mlmodel").predict({"image": x})["classes"]
    assert float(np.abs(found - wanted).max()) > 100 * TOLERANCE


def test_deploy_in_one_command(tmp_path: Path) -> None:
    directory = tmp_path / "out"
    (directory / "model.mlpackage").mkdir(parents=True)
    deployment = deploy(
        None,
        directory,
        builder="models.segmenter:build",
        weights=models.WEIGHTS,
        target="iOS13",
        custom_layer="always",
    )
    assert deployment.passed and deployment.precision == "float32"
    assert (directory / "model.mlmodel").is_file()
    assert not (directory / "model.mlpackage").exists()
    assert (directory / "RWAlignedResize" / "RWAlignedResize.m").is_file()
    candidates = [pair.candidate for pair in deployment.verification.pairs]
    assert "coreml:model.mlmodel" in candidates
    assert all("RWAlignedResize" in entry["coreml"] for entry in deployment.resizes)

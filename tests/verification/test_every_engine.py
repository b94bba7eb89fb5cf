"""A network against itself through every pair of engines passes at the default tolerance."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from rewriter.cli.main import main
from rewriter.coreml.lowering import lower
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.layers import AlignCornersUpsampling2D
from rewriter.verification import verify
from rewriter.verification.runners import open_runner

L = keras.layers
SEEDS = 20


def network() -> keras.Model:
    keras.utils.set_random_seed(11)
    image = keras.Input((16, 20, 3), name="image")
    a = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(image)))
    b = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPool2D()(a))
    c = L.DepthwiseConv2D(3, padding="same", activation="swish")(L.AveragePooling2D(2)(b))
    u = L.Concatenate()([AlignCornersUpsampling2D(2)(c), b])
    u = L.Conv2D(6, 1, activation="sigmoid")(L.UpSampling2D(2, interpolation="bilinear")(u))
    return keras.Model(
        image, L.Conv2D(3, 3, padding="same", name="mask")(L.Add()([u, a])), name="every_engine"
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("engines")
    built = network()
    built.save(folder / "net.keras")
    built.export(folder / "saved", verbose=False)
    model = convert(built, shapes={"image": (1, 16, 20, 3)})
    onnx.save(model, folder / "net.onnx")
    for precision in ("float32", "float16"):
        lower(model, precision=precision).save(folder / f"{precision}.mlpackage")
    return {
        "keras": str(folder / "net.keras"),
        "saved_model": str(folder / "saved"),
        "onnxruntime": str(folder / "net.onnx"),
        "optimised": f"optimised:{folder / 'net.onnx'}",
        "reference": f"onnx.reference:{folder / 'net.onnx'}",
        "coreml": str(folder / "float32.mlpackage"),
        "coreml float16": str(folder / "float16.mlpackage"),
    }


def opened(sources: dict[str, str]) -> dict[str, Any]:
    return {name: open_runner(source) for name, source in sources.items()}


def check(runners: dict[str, Any], seed: int) -> None:
    for first, second in itertools.permutations(runners, 2):
        report = verify(runners[first], [runners[second]], seed=seed)
        assert report.passed, (first, second, seed, [finding.message for finding in report.diagnosis])
        assert report.pairs[0].simulated == ("coreml" in first or "coreml" in second)


def test_every_pair(sources: dict[str, str]) -> None:
    check(opened(sources), 0)


@pytest.mark.slow
def test_every_pair_with_many_seeds(sources: dict[str, str]) -> None:
    runners = opened(sources)
    for seed in range(SEEDS):
        check(runners, seed)


def test_a_wrong_network_fails_in_every_engine(sources: dict[str, str], tmp_path: Path) -> None:
    model = onnx.load(sources["onnxruntime"])
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.s == b"align_corners":
                attribute.s = b"half_pixel"
    onnx.save(model, tmp_path / "wrong.onnx")
    lower(model).save(tmp_path / "wrong.mlpackage")
    for wrong in ("wrong.onnx", "wrong.mlpackage"):
        for prefix in ("", "optimised:", "onnx.reference:") if wrong.endswith("onnx") else ("",):
            assert not verify(sources["keras"], [f"{prefix}{tmp_path / wrong}"]).passed


def test_from_the_command_line(sources: dict[str, str]) -> None:
    candidates = [sources["optimised"], sources["reference"]]
    result = CliRunner().invoke(main, ["verify", sources["onnxruntime"], *candidates])
    assert result.exit_code == 0, result.output
    assert "optimised" in result.output and "onnx.reference" in result.output
    missing = CliRunner().invoke(main, ["verify", sources["onnxruntime"], "onnx.reference:nothing.onnx"])
    assert missing.exit_code == 2 and "no such file" in missing.output


def test_runners_agree_on_names(sources: dict[str, str]) -> None:
    reference, default = open_runner(sources["reference"]), open_runner(sources["onnxruntime"])
    assert [spec.name for spec in reference.inputs] == [spec.name for spec in default.inputs]
    assert [spec.shape for spec in reference.outputs] == [spec.shape for spec in default.outputs]
    assert all(spec.dtype == np.float32 for spec in reference.inputs)

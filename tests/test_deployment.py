"""The whole way: every sample network deploys and passes; a wrong one is kept out of the directory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import models
from rewriter.cli.deploy import command

pytest.importorskip("tensorflow")
pytest.importorskip("coremltools")


def _deploy(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def _source(name: str) -> list[str]:
    sample = models.REGISTRY[name]
    weights = [] if sample.weights is None else ["--weights", str(sample.weights)]
    return ["--builder", sample.builder, *weights]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("segmenter")
    picture = directory / "input.npy"
    np.save(picture, models.sample_input("segmenter", 15))
    result = _deploy(*_source("segmenter"), "-o", str(directory / "out"), "--inputs", str(picture))
    assert result.exit_code == 0, result.output
    return directory / "out"


@pytest.mark.parametrize("name", [name for name in models.REGISTRY if name != "segmenter"])
def test_every_sample_network_deploys_and_passes(name: str, tmp_path: Path) -> None:
    result = _deploy(*_source(name), "-o", str(tmp_path / "out"), "--json", str(tmp_path / "result.json"))
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "result.json").read_text())
    precisions = [(pair["precision"], pair["simulated"]) for pair in report["verification"]["pairs"]]
    assert [precision for precision, _ in precisions] == ["float32", "float32", "float16"]
    assert report["passed"] and all(pair["passed"] for pair in report["verification"]["pairs"])
    assert all(entry["coreml"] for entry in report["resizes"])


def test_leaves_the_four_outputs_and_nothing_else(deployed: Path) -> None:
    names = {path.name for path in deployed.iterdir()}
    assert names == {"model.onnx", "model.mlpackage", "report.html", "report.json"}


def test_the_trained_segmenter_keeps_its_pixels(deployed: Path) -> None:
    report = json.loads((deployed / "report.json").read_text())
    bounds = {"onnx:model.onnx": 1e-5, "coreml:float32.mlpackage": 1e-4, "coreml:model.mlpackage": 1e-2}
    for pair in report["verification"]["pairs"]:
        worst = max(output["max_rel"] for case in pair["cases"] for output in case["outputs"])
        assert worst <= bounds[pair["candidate"]], pair["candidate"]
    assert {entry["coreml"] for entry in report["resizes"]} == {"resize_bilinear STRICT_ALIGN_CORNERS"}
    assert report["resizes"][0].keys() >= {
        "node",
        "graph",
        "op",
        "mode",
        "coordinate_transformation_mode",
        "nearest_mode",
        "input_shape",
        "output_shape",
        "intent",
        "intent_from",
        "effect",
        "max_shift_px",
        "coreml",
    }


def test_the_page_shows_the_picture_and_says_simulated(deployed: Path) -> None:
    page = (deployed / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1
    assert "simulated" in page
    assert "http://" not in page and "https://" not in page


def test_a_deployment_that_fails_takes_the_place_of_one_that_passed(deployed: Path, tmp_path: Path) -> None:
    directory = tmp_path / "out"
    directory.mkdir()
    for name in ("model.onnx", "report.json"):
        (directory / name).write_bytes((deployed / name).read_bytes())
    result = _deploy(*_source("segmenter"), "-o", str(directory), "--intent", "half_pixel")
    assert result.exit_code == 1, result.output
    assert {path.name for path in directory.iterdir()} == {"rejected", "report.html", "report.json"}
    assert {path.name for path in (directory / "rejected").iterdir()} == {"model.onnx", "model.mlpackage"}
    report = json.loads((directory / "report.json").read_text())
    assert not report["passed"]
    first = report["verification"]["diagnosis"][0]
    assert first["node"] == "segmenter/up1/ResizeBilinear"
    assert first["shift_px"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.keras"], "no such file"),
        (["--builder", "models.segmenter:nothing"], "has no function"),
        (["--builder", "models.odd_sizes:build", "--target", "iOS12"], "iOS12"),
        (["--builder", "models.odd_sizes:build", "--inputs", "missing.npy"], "no such file"),
        ([], "give either a model file or --builder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    result = _deploy(*arguments, "-o", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert sentence in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())

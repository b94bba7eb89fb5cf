"""`rewriter verify`: exit codes, and what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from rewriter.cli.verify import command
from tests.verification.small_networks import three_resizes


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("verify")
    onnx.save(three_resizes(), directory / "good.onnx")
    onnx.save(three_resizes(("align_corners", "half_pixel", "align_corners")), directory / "bad.onnx")
    return directory


def _verify(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_passing_is_exit_code_0(files: Path) -> None:
    result = _verify(files / "good.onnx", files / "good.onnx")
    assert result.exit_code == 0
    assert "passed" in result.stdout and "verified" in result.stdout


def test_failing_is_exit_code_1_and_says_why_and_what_to_do(files: Path) -> None:
    result = _verify(files / "good.onnx", files / "bad.onnx")
    assert result.exit_code == 1
    assert "node 'up2' samples half_pixel, the reference align_corners: shifted" in result.stdout
    assert "--set up2=align_corners" in result.stdout


def test_the_remedy_that_is_printed_repairs_the_model(files: Path, tmp_path: Path) -> None:
    from rewriter.cli.rewrite import main

    report = json.loads(_verify(files / "good.onnx", files / "bad.onnx", "--json", "-").stdout)
    (finding,) = report["verification"]["diagnosis"]
    words = finding["remedy"].split()
    words[words.index("fixed.onnx")] = str(tmp_path / "fixed.onnx")
    assert words[0] == "rewrite"
    assert CliRunner().invoke(main, words[1:], catch_exceptions=False).exit_code == 0
    assert _verify(files / "good.onnx", tmp_path / "fixed.onnx").exit_code == 0


def test_json_has_the_agreed_keys_and_stdout_nothing_else(files: Path) -> None:
    result = _verify(files / "good.onnx", files / "bad.onnx", files / "good.onnx", "--json", "-")
    verification = json.loads(result.stdout)["verification"]
    assert result.exit_code == 1 and verification["passed"] is False
    first, second = verification["pairs"]
    assert (first["passed"], second["passed"], first["simulated"]) == (False, True, False)
    assert {"reference", "candidate", "simulated", "cases"} <= set(first)
    output = first["cases"][0]["outputs"][0]
    assert {"name", "max_abs", "max_rel", "psnr", "cosine", "passed"} <= set(output)
    (finding,) = verification["diagnosis"]
    assert finding["node"] == "up2" and finding["shift_px"] > 0
    assert finding["reference_semantics"] == "linear align_corners"
    assert finding["candidate_semantics"] == "linear half_pixel"


def test_reports_are_written(files: Path, tmp_path: Path) -> None:
    junit, page = tmp_path / "junit.xml", tmp_path / "report.html"
    result = _verify(files / "good.onnx", files / "bad.onnx", "--junit", junit, "--report", page)
    assert result.exit_code == 1
    suite = ElementTree.parse(junit).getroot()[0]
    assert int(suite.get("failures", "0")) == int(suite.get("tests", "0")) == 6
    assert "up2" in str(suite[0][0].text)
    assert "up2" in page.read_text(encoding="utf-8")


def test_own_inputs_and_tolerances(files: Path, tmp_path: Path) -> None:
    picture = tmp_path / "mine.npy"
    np.save(picture, np.random.default_rng(0).uniform(size=(1, 3, 16, 16)).astype(np.float32))
    result = _verify(
        files / "good.onnx", files / "bad.onnx", "--inputs", picture, "--json", "-", "--rtol", "2"
    )
    report = json.loads(result.stdout)["verification"]
    assert result.exit_code == 0
    assert report["pairs"][0]["cases"][0]["name"] == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ("good.onnx",),
        ("good.onnx", "missing.onnx"),
        ("good.onnx", "good.onnx", "--rtol", "-1"),
        ("good.onnx", "good.onnx", "--inputs", "missing.npy"),
        ("good.onnx", "good.onnx", "--weights", "missing.h5"),
        ("good.onnx", "good.onnx", "--junit", "no/such/directory/junit.xml"),
    ],
)
def test_wrong_use_is_exit_code_2_and_one_sentence(
    files: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    result = _verify(*arguments)
    assert result.exit_code == 2
    assert result.stderr.count("error: ") == 1 and "Traceback" not in result.output


def test_a_builder_is_the_reference(files: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from rewriter.tensorflow.convert import convert
    from rewriter.tensorflow.load import load_keras

    builder = "tests.tensorflow.tensorflow_networks:tiny_network"
    path = tmp_path / "tiny.onnx"
    network = load_keras(None, builder=builder)
    network.save_weights(tmp_path / "tiny.weights.h5")
    onnx.save(convert(network), path)
    result = _verify(path, "--builder", builder, "--weights", tmp_path / "tiny.weights.h5")
    assert result.exit_code == 0, result.output

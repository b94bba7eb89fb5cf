"""`rewriter verify`: 0 passed, 1 failed, 2 misuse; one JSON object with the agreed keys."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.verify import command


def _save(path: Path, mode: str) -> str:
    sizes = numpy_helper.from_array(np.array([1, 2, 16, 16], np.int64), "sizes")
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], name="up", mode="linear", coordinate_transformation_mode=mode
    )
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 16, 16])],
        [sizes],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return str(path)


@pytest.fixture
def right(tmp_path: Path) -> str:
    return _save(tmp_path / "right.onnx", "align_corners")


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    return _save(tmp_path / "wrong.onnx", "half_pixel")


def _verify(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def test_the_same_model_passes(right: str) -> None:
    assert _verify(right, right).exit_code == 0


def test_a_wrong_mode_fails_and_is_explained_in_json(right: str, wrong: str) -> None:
    result = _verify(right, wrong, "--json", "-")
    assert result.exit_code == 1
    verification = json.loads(result.stdout)["verification"]
    assert verification["passed"] is False
    (pair,) = verification["pairs"]
    assert pair["simulated"] is False
    assert pair["reference"].endswith("right.onnx") and pair["candidate"].endswith("wrong.onnx")
    for case in pair["cases"]:
        assert case["name"]
        for output in case["outputs"]:
            assert {"name", "max_abs", "max_rel", "psnr", "cosine", "passed"} <= output.keys()
    finding = verification["diagnosis"][0]
    assert finding["node"] == "up"
    assert finding["reference_semantics"] == "linear align_corners"
    assert finding["candidate_semantics"] == "linear half_pixel"
    assert finding["shift_px"] == pytest.approx(0.25)
    assert "half_pixel" in finding["message"] and "align_corners" in finding["message"]


def test_reports_are_written(right: str, wrong: str, tmp_path: Path) -> None:
    page, junit = tmp_path / "r.html", tmp_path / "r.xml"
    assert _verify(right, wrong, "--report", str(page), "--junit", str(junit)).exit_code == 1
    assert "half_pixel" in page.read_text(encoding="utf-8")
    suite = ElementTree.parse(junit).getroot()[0]
    assert int(suite.get("failures", "0")) >= 1


def test_a_golden_file_is_a_reference(right: str, wrong: str, tmp_path: Path) -> None:
    from rewriter.verification.runners import open_runner

    x = np.random.default_rng(0).uniform(size=(1, 2, 8, 8)).astype(np.float32)
    golden = tmp_path / "golden.npz"
    np.savez(golden, **{"a/in/x": x, "a/out/y": open_runner(right).run({"x": x})["y"]})
    assert _verify(str(golden), right).exit_code == 0
    assert _verify(str(golden), wrong).exit_code == 1


@pytest.mark.parametrize("name", ["missing.onnx", "missing.keras", "missing.npz", "missing.mlpackage"])
def test_a_missing_file_is_one_sentence(right: str, name: str) -> None:
    result = _verify(right, name)
    assert result.exit_code == 2
    assert "no such file" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("suffix", [".onnx", ".npz", ".keras", ".h5"])
def test_a_damaged_file_is_one_sentence(right: str, suffix: str, tmp_path: Path) -> None:
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(b"nothing of the kind")
    result = _verify(right, str(damaged))
    assert result.exit_code == 2
    assert "damaged" in result.stderr and "Traceback" not in result.stderr


def test_no_candidate_is_misuse(right: str) -> None:
    assert _verify(right).exit_code == 2


def test_inputs_of_another_shape_are_one_sentence(right: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 3, 2), np.float32))
    result = _verify(right, right, "--inputs", str(tmp_path / "x.npy"))
    assert result.exit_code == 2
    assert "x.npy" in result.stderr

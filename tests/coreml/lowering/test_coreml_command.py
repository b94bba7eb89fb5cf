"""`rewriter coreml` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.coreml import command, parse_shape
from rewriter.errors import UsageError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], name="up", mode="cubic")
    graph = helper.make_graph(
        [node],
        "up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, "H", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([1, 1, 8, 8], np.int64), "sizes")],
    )
    path = tmp_path / "up.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_lowers_and_explains(source: Path) -> None:
    output = source.with_suffix(".mlpackage")
    result = CliRunner().invoke(
        command, [str(source), "-o", str(output), "--shape", "x:1,1,4,4", "--explain", "--json", "-"]
    )
    assert result.exit_code == 0, result.output
    payload = json.loads(result.stdout)
    assert payload["target"] == "iOS17"
    assert payload["precision"] == "float16"
    assert payload["operators"]["matmul"] == 2
    assert payload["resizes"][0]["kind"] == "matmul"
    assert "no documented Core ML resize op" in payload["resizes"][0]["reason"]
    assert (output / "Manifest.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--shape x:1,1,H,4"),
        (["--shape", "x:1,1,4,4", "--target", "iOS14"], "neuralnetwork"),
        (["--shape", "x=4"], "NAME:1,64,64,3"),
        (["--shape", "x:1,1,4,5"], "the model declares"),
    ],
)
def test_refusals_are_one_sentence_and_exit_code_2(source: Path, arguments: list[str], said: str) -> None:
    output = source.with_suffix(".mlpackage")
    result = CliRunner().invoke(command, [str(source), "-o", str(output), *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_bad_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "o.mlpackage")])
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert sorted(tmp_path.iterdir()) == ([path] if content is not None else [])


def test_a_truncated_file(source: Path) -> None:
    source.write_bytes(source.read_bytes()[:-20])
    result = CliRunner().invoke(command, [str(source), "-o", str(source.with_suffix(".mlpackage"))])
    assert result.exit_code == 2
    assert "the file is truncated" in result.stderr


def test_shapes_are_parsed() -> None:
    assert parse_shape("serving/x:0:1,64,64,3") == ("serving/x:0", (1, 64, 64, 3))
    for text in ("x", "x:1,-2", ":1", "x:", "x:a"):
        with pytest.raises(UsageError):
            parse_shape(text)

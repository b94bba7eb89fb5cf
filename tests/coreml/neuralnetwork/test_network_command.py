"""`rewriter coreml`, `simulate` and `verify` with .mlmodel files; damaged and foreign files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.main import main
from rewriter.coreml.simulator import load
from rewriter.errors import InputError, UnsupportedError, UsageError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nodes = [
        helper.make_node(
            "Resize",
            ["x", "", "", "sizes"],
            ["y"],
            name="enlarge",
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
        helper.make_node("Relu", ["y"], ["z"], name="relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 11, 9])],
        [numpy_helper.from_array(np.array([1, 2, 11, 9]), "sizes")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_custom_layer_with_sources(model: Path, tmp_path: Path) -> None:
    output, sources = tmp_path / "net.mlmodel", tmp_path / "layer"
    options = ("--target", "iOS13", "--custom-layer", "always", "--emit-sources", sources, "--json", "-")
    result = run("coreml", model, "-o", output, *options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["precision"] == "float32"
    assert report["operators"] == {"custom": 1, "activation": 1}
    assert report["resizes"][0]["op"] == "RWAlignedResize"
    goldens = json.loads((sources / "RWGolden.json").read_text())
    assert goldens[0]["name"] == "linear align_corners 5x4 to 11x9"
    metadata = load(output)
    assert metadata.inputs[0].shape == (1, 2, 5, 4)
    verified = run("verify", model, output)
    assert verified.exit_code == 0, verified.output


def test_simulate_and_trace(model: Path, tmp_path: Path) -> None:
    assert run("coreml", model, "-o", tmp_path / "net.mlmodel", "--target", "iOS14").exit_code == 0
    np.savez(tmp_path / "in.npz", x=np.ones((1, 2, 5, 4), np.float32))
    arguments = ("--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz", "--trace", "y")
    result = run("simulate", tmp_path / "net.mlmodel", *arguments)
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["z"], np.ones((1, 2, 11, 9), np.float32))
        assert found["y"].shape == (1, 2, 11, 9)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "net.mlpackage",
            ("--target", "iOS15", "--custom-layer", "always"),
            "no ML program that has a custom",
        ),
        ("net.mlpackage", ("--target", "iOS17", "--emit-sources", "layer"), "no custom layer whose sources"),
        ("net.mlpackage", ("--target", "iOS13"), ".mlmodel"),
        ("net.mlmodel", ("--target", "iOS17"), ".mlpackage"),
        ("net.mlmodel", ("--target", "iOS13", "--precision", "float16"), "device chooses"),
    ],
)
def test_contradictions_are_refused(
    name: str, options: tuple[str, ...], words: str, model: Path, tmp_path: Path
) -> None:
    result = run("coreml", model, "-o", tmp_path / name, *options)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / name).exists()


def test_unknown_layers_are_named(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("CumSum", ["x", "axis"], ["y"], name="sums")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(np.array(1), "axis")],
    )
    path = tmp_path / "sums.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    result = run("coreml", path, "-o", tmp_path / "sums.mlmodel", "--target", "iOS14")
    assert result.exit_code == 2
    assert "cumSum" in result.output or "CumSum" in result.output


def test_damaged_files(model: Path, tmp_path: Path) -> None:
    good = tmp_path / "net.mlmodel"
    assert run("coreml", model, "-o", good, "--target", "iOS13").exit_code == 0
    cut = tmp_path / "cut.mlmodel"
    cut.write_bytes(good.read_bytes()[:-9])
    empty = tmp_path / "empty.mlmodel"
    empty.write_bytes(b"")
    for path in (cut, empty, tmp_path / "missing.mlmodel", tmp_path):
        with pytest.raises(InputError):
            load(path if path.suffix else path / "none.mlmodel")
    with pytest.raises(UsageError):
        load(good, function="other")


def test_foreign_models_are_refused(model: Path, tmp_path: Path) -> None:
    from coremltools.proto import Model_pb2

    good = tmp_path / "net.mlmodel"
    assert run("coreml", model, "-o", good, "--target", "iOS13").exit_code == 0
    spec = Model_pb2.Model()
    spec.ParseFromString(good.read_bytes())
    trees = Model_pb2.Model()
    trees.treeEnsembleRegressor.SetInParent()
    unknown, mapped = Model_pb2.Model(), Model_pb2.Model()
    unknown.CopyFrom(spec)
    layer = unknown.neuralNetwork.layers.add(name="mystery")
    layer.embeddingND.vocabSize = 3
    mapped.CopyFrom(spec)
    mapped.neuralNetwork.arrayInputShapeMapping = 0
    for message, words in ((trees, "treeEnsemble"), (unknown, "embeddingND"), (mapped, "rank-5")):
        path = tmp_path / "other.mlmodel"
        path.write_bytes(message.SerializeToString())
        with pytest.raises(UnsupportedError, match=words):
            load(path)

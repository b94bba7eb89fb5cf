"""Saved packages: atomic, certified, never over something else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.lowering import LoweredModel, lower
from rewriter.errors import InputError, UsageError


@pytest.fixture(scope="module")
def lowered() -> LoweredModel:
    node = helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        name="up",
        mode="linear",
        coordinate_transformation_mode="align_corners",
    )
    graph = helper.make_graph(
        [node],
        "up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 7, 5])],
        [numpy_helper.from_array(np.array([1, 1, 7, 5], np.int64), "sizes")],
    )
    return lower(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


def test_the_certificate_travels_with_the_package(lowered: LoweredModel, tmp_path: Path) -> None:
    import coremltools as ct

    package = lowered.save(tmp_path / "up.mlpackage")
    metadata = ct.models.MLModel(str(package), skip_model_load=True).user_defined_metadata
    (entry,) = json.loads(metadata["rewriter.certificates"])
    assert entry["node"] == "up"
    assert entry["op"] == "resize_bilinear"
    assert entry["parameters"]["sampling_mode"] == "STRICT_ALIGN_CORNERS"
    assert entry["certificate"]["equal"] is True
    assert json.loads(metadata["rewriter.names"]) == {"x": "x", "y": "y"}
    assert [path.name for path in tmp_path.iterdir()] == ["up.mlpackage"]


def test_an_older_package_is_replaced(lowered: LoweredModel, tmp_path: Path) -> None:
    target = tmp_path / "up.mlpackage"
    lowered.save(target)
    (target / "old").write_text("left over")
    lowered.save(target)
    assert not (target / "old").exists()
    assert (target / "Manifest.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["up.mlpackage"]


def test_nothing_else_is_overwritten(lowered: LoweredModel, tmp_path: Path) -> None:
    directory = tmp_path / "mine.mlpackage"
    directory.mkdir()
    (directory / "precious").write_text("keep")
    with pytest.raises(InputError, match="not a Core ML package"):
        lowered.save(directory)
    assert (directory / "precious").read_text() == "keep"
    with pytest.raises(InputError, match="cannot write there"):
        lowered.save(tmp_path / "missing" / "up.mlpackage")
    with pytest.raises(UsageError, match="neuralnetwork"):
        lowered.save(tmp_path / "up.mlmodel")
    with pytest.raises(UsageError, match=r"ends in .mlpackage"):
        lowered.save(tmp_path / "up")


def test_a_failed_save_leaves_nothing(
    lowered: LoweredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "up.mlpackage"
    lowered.save(target)
    before = (target / "Manifest.json").read_bytes()

    def fail(path: str) -> None:
        Path(path).mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lowered.mlmodel, "save", fail)
    with pytest.raises(InputError, match="No space left"):
        lowered.save(target)
    assert (target / "Manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["up.mlpackage"]


def test_external_weights_are_found(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((64, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "external",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)
    light = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    assert lower(light, directory=tmp_path).operator_counts == {"conv": 1}

"""`verify` names the resize of a .mlmodel that samples something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.neuralnetwork import lower_network
from rewriter.verification import verify


@pytest.fixture
def model() -> onnx.ModelProto:
    """Two resizes: 6 × 5 to 12 × 10 to 25 × 19, a convolution between them."""
    sizes = {"s1": np.array([1, 2, 12, 10]), "s2": np.array([1, 2, 25, 19])}
    weight = np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32)

    def resize(x: str, size: str, y: str, name: str) -> onnx.NodeProto:
        mode = "align_corners"
        return helper.make_node(
            "Resize", [x, "", "", size], [y], name=name, mode="linear", coordinate_transformation_mode=mode
        )

    nodes = [
        resize("x", "s1", "a", "first"),
        helper.make_node("Conv", ["a", "w"], ["b"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["b"], ["c"], name="relu"),
        resize("c", "s2", "y", "second"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 6, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 25, 19])],
        [numpy_helper.from_array(value, name) for name, value in {**sizes, "w": weight}.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def lose_custom(layer: Any) -> None:
    layer.custom.parameters["coordinates"].stringValue = "half_pixel"


def lose_native(layer: Any) -> None:
    layer.resizeBilinear.mode.samplingMethod = 2  # UPSAMPLE_MODE


@pytest.mark.parametrize(
    ("policy", "lose", "found"),
    [("always", lose_custom, "half_pixel"), ("never", lose_native, "asymmetric")],
)
def test_the_resize_that_lost_its_mode_is_named(
    policy: str, lose: Any, found: str, model: onnx.ModelProto, tmp_path: Path
) -> None:
    path = lower_network(model, target="iOS13", custom_layer=policy).save(tmp_path / "net.mlmodel")
    assert verify(model, [path]).passed
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(path.read_bytes())
    kinds = ("custom", "resizeBilinear")
    lose([layer for layer in spec.neuralNetwork.layers if layer.WhichOneof("layer") in kinds][1])
    path.write_bytes(spec.SerializeToString())
    report = verify(model, [path]).to_json()
    assert not report["passed"]
    named = [entry for entry in report["diagnosis"] if entry.get("node")]
    assert [entry["node"] for entry in named] == ["second"]
    assert named[0]["candidate_semantics"].endswith(found)
    assert "align_corners" in named[0]["reference_semantics"]
    assert named[0]["remedy"].endswith("net.mlmodel --target iOS13")


def test_matrices_are_said_not_to_be_examined(model: onnx.ModelProto, tmp_path: Path) -> None:
    lost = onnx.ModelProto()
    lost.CopyFrom(model)
    for node in lost.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"half_pixel"
    path = lower_network(lost, target="iOS13", custom_layer="never").save(tmp_path / "net.mlmodel")
    report = verify(model, [path]).to_json()
    assert not report["passed"]
    assert any("matrices" in entry["message"] for entry in report["diagnosis"])

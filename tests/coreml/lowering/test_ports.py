"""Inputs and outputs: names, types, outputs that nothing computes, outputs given twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.lowering import lower


def ports(
    nodes: list[onnx.NodeProto],
    outputs: list[str],
    initializers: dict[str, np.ndarray] | None = None,
    name: str = "x",
    element_type: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "ports",
        [helper.make_tensor_value_info(name, element_type, [2, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [numpy_helper.from_array(value, name) for name, value in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


X = np.array([[1, -2, 3], [-4, 5, -6]], np.float32)


def test_an_output_that_is_the_input(run_lowered: Any) -> None:
    model = ports([helper.make_node("Identity", ["x"], ["y"])], ["y"])
    np.testing.assert_array_equal(run_lowered(model, {"x": X})["y"], X)


def test_two_outputs_of_one_value(run_lowered: Any) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Identity", ["r"], ["a"]),
        helper.make_node("Identity", ["r"], ["b"]),
    ]
    results = run_lowered(ports(nodes, ["r", "a", "b"]), {"x": X})
    for name in ("r", "a", "b"):
        np.testing.assert_array_equal(results[name], np.maximum(X, 0))


@pytest.mark.parametrize(
    "value", [np.array([1.5, -2], np.float32), np.array([3, 4], np.int64), np.array([True, False])]
)
def test_a_constant_output(value: np.ndarray, run_lowered: Any) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["c"], ["k"])]
    x = np.full((2, 3), np.nan, np.float32)
    results = run_lowered(ports(nodes, ["y", "k"], {"c": value}), {"x": x})
    np.testing.assert_array_equal(results["k"], value)


def test_a_scalar_output_has_one_element(run_lowered: Any) -> None:
    model = ports([helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)], ["y"])
    result = run_lowered(model, {"x": X})["y"]
    assert result.shape == (1,)
    assert result[0] == X.sum()


def test_truth_values_are_integers_outside(run_lowered: Any) -> None:
    nodes = [helper.make_node("Not", ["x"], ["y"])]
    model = ports(nodes, ["y"], element_type=TensorProto.BOOL)
    given = np.array([[True, False, True], [False, False, True]])
    np.testing.assert_array_equal(run_lowered(model, {"x": given})["y"], np.logical_not(given))


def test_names_that_core_ml_refuses_are_mapped(run_lowered: Any) -> None:
    nodes = [
        helper.make_node("Relu", ["serving/x:0"], ["a.b"]),
        helper.make_node("Neg", ["a.b"], ["a_b"]),
        helper.make_node("Abs", ["a_b"], ["1"]),
    ]
    model = ports(nodes, ["a.b", "a_b", "1"], name="serving/x:0")
    assert dict(lower(model).names) == {"serving/x:0": "serving_x_0", "a.b": "a_b", "a_b": "a_b_2", "1": "_1"}
    results = run_lowered(model, {"serving/x:0": X})
    np.testing.assert_array_equal(results["a.b"], np.maximum(X, 0))
    np.testing.assert_array_equal(results["a_b"], -np.maximum(X, 0))
    np.testing.assert_array_equal(results["1"], np.maximum(X, 0))


def test_inner_values_keep_their_names() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["block/relu"]),
        helper.make_node("Sigmoid", ["block/relu"], ["y"]),
    ]
    program = lower(ports(nodes, ["y"])).mlmodel.get_spec().mlProgram
    (block,) = program.functions["main"].block_specializations.values()
    assert "block_relu" in {output.name for operation in block.operations for output in operation.outputs}


def test_float16_programs_keep_float32_ports() -> None:
    from coremltools.proto import FeatureTypes_pb2

    description = lower(ports([helper.make_node("Relu", ["x"], ["y"])], ["y"]), precision="float16").mlmodel
    spec = description.get_spec().description
    for feature in (*spec.input, *spec.output):
        assert feature.type.multiArrayType.dataType == FeatureTypes_pb2.ArrayFeatureType.FLOAT32


def test_local_functions_are_expanded(run_lowered: Any) -> None:
    function = helper.make_function(
        "custom",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    model = ports([helper.make_node("Twice", ["x"], ["y"], domain="custom")], ["y"])
    model.opset_import.append(helper.make_opsetid("custom", 1))
    model.functions.append(function)
    np.testing.assert_array_equal(run_lowered(model, {"x": X})["y"], 2 * X)


def test_constant_arithmetic_on_shapes_is_done_while_lowering() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("ReduceProd", ["s"], ["p"], keepdims=1),
        helper.make_node("Reshape", ["x", "p"], ["y"]),
    ]
    assert lower(ports(nodes, ["y"])).operator_counts == {"reshape": 1}

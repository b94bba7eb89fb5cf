"""The operators of image networks in the neuralnetwork format, against onnxruntime and onnx's own node tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.neuralnetwork.supported import SUPPORTED_LAYERS
from rewriter.coreml.simulator.neuralnetwork.layer import covered_layers
from rewriter.errors import UnsupportedError
from rewriter.scoreboards.onnx_node_tests import try_case
from tests.coreml.lowering.test_onnx_node_tests import node_tests

RIGHT_AT_LEAST = 708
"""Of onnx's 1,006 node tests in scope, for target iOS14; raise it when more are right."""


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.abs(draw(*shape, seed=9)) + 0.1


Case = tuple[str, str, tuple[int, ...], dict[str, np.ndarray], dict[str, Any]]

CASES: list[Case] = [
    (
        "conv",
        "Conv",
        (1, 4, 9, 8),
        {"w": draw(6, 4, 3, 3), "b": draw(6)},
        {"pads": [1, 0, 2, 1], "strides": [2, 1]},
    ),
    (
        "depthwise",
        "Conv",
        (1, 4, 9, 8),
        {"w": draw(8, 1, 3, 2), "b": draw(8)},
        {"group": 4, "dilations": [2, 1]},
    ),
    (
        "same lower",
        "Conv",
        (1, 2, 8, 7),
        {"w": draw(3, 2, 2, 2)},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    ),
    ("groups", "Conv", (2, 4, 6, 6), {"w": draw(6, 2, 3, 3)}, {"group": 2, "auto_pad": "SAME_UPPER"}),
    ("transposed", "ConvTranspose", (1, 4, 5, 6), {"w": draw(4, 3, 3, 4), "b": draw(3)}, {"strides": [2, 3]}),
    (
        "transposed, padded",
        "ConvTranspose",
        (1, 4, 5, 6),
        {"w": draw(4, 2, 4, 4), "b": draw(4)},
        {"strides": [2, 2], "group": 2, "pads": [1, 0, 1, 2]},
    ),
    (
        "max pool",
        "MaxPool",
        (1, 3, 9, 8),
        {},
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]},
    ),
    ("average pool", "AveragePool", (1, 3, 9, 8), {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    (
        "average pool, padding counted",
        "AveragePool",
        (1, 3, 9, 8),
        {},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    ("global average", "GlobalAveragePool", (2, 3, 5, 4), {}, {}),
    ("global maximum", "GlobalMaxPool", (2, 3, 5, 4), {}, {}),
    (
        "batch norm",
        "BatchNormalization",
        (2, 3, 4, 5),
        {"s": draw(3), "b": draw(3, seed=1), "m": draw(3, seed=2), "v": positive(3)},
        {"epsilon": 1e-3},
    ),
    ("instance norm", "InstanceNormalization", (2, 3, 4, 5), {"s": draw(3), "b": draw(3, seed=1)}, {}),
    ("layer norm", "LayerNormalization", (2, 3, 4, 5), {"s": draw(5), "b": draw(5, seed=1)}, {"axis": -1}),
    ("lrn", "LRN", (1, 5, 3, 4), {}, {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 1.5}),
    ("relu", "Relu", (1, 2, 3, 4), {}, {}),
    ("leaky relu", "LeakyRelu", (1, 2, 3, 4), {}, {"alpha": 0.3}),
    ("prelu", "PRelu", (1, 3, 4, 5), {"slope": draw(3, 1, 1)}, {}),
    ("elu", "Elu", (1, 2, 3, 4), {}, {"alpha": 0.7}),
    ("sigmoid", "Sigmoid", (1, 2, 3, 4), {}, {}),
    ("hard sigmoid", "HardSigmoid", (1, 2, 3, 4), {}, {"alpha": 0.3, "beta": 0.4}),
    ("hard swish", "HardSwish", (1, 2, 3, 4), {}, {}),
    ("tanh", "Tanh", (1, 2, 3, 4), {}, {}),
    ("softplus", "Softplus", (1, 2, 3, 4), {}, {}),
    ("softmax over channels", "Softmax", (1, 4, 3, 3), {}, {"axis": 1}),
    ("softmax over columns", "Softmax", (1, 4, 3, 3), {}, {"axis": -1}),
    ("clip", "Clip", (1, 2, 3, 4), {"low": np.float32(-0.5), "high": np.float32(0.7)}, {}),
    ("add channels", "Add", (1, 3, 4, 5), {"c": draw(3, 1, 1)}, {}),
    ("multiply number", "Mul", (1, 3, 4, 5), {"c": np.float32(1.7)}, {}),
    ("subtract", "Sub", (1, 3, 4, 5), {"c": draw(4, 1)}, {}),
    ("divide", "Div", (1, 3, 4, 5), {"c": positive(1, 3, 1, 5)}, {}),
    ("power", "Pow", (1, 3, 4, 5), {"c": np.float32(3)}, {}),
    ("maximum", "Max", (1, 3, 4, 5), {"c": draw(1, 1, 4, 5)}, {}),
    ("minimum", "Min", (1, 3, 4, 5), {"c": draw(5)}, {}),
    ("concat", "Concat", (1, 3, 4, 5), {"c": draw(1, 2, 4, 5)}, {"axis": 1}),
    ("pad zeros", "Pad", (1, 2, 4, 5), {"p": np.array([0, 1, 2, 0, 0, 0, 1, 3])}, {}),
    ("pad reflect", "Pad", (1, 2, 4, 5), {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3])}, {"mode": "reflect"}),
    ("pad edge", "Pad", (1, 2, 4, 5), {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3])}, {"mode": "edge"}),
    (
        "slice",
        "Slice",
        (1, 4, 7, 8),
        {"s": np.array([1, 0]), "e": np.array([6, 8]), "a": np.array([2, 3]), "st": np.array([2, 3])},
        {},
    ),
    (
        "slice channels",
        "Slice",
        (1, 6, 7, 8),
        {"s": np.array([1]), "e": np.array([-1]), "a": np.array([1]), "st": np.array([2])},
        {},
    ),
    (
        "slice backwards",
        "Slice",
        (1, 4, 7, 8),
        {"s": np.array([-1]), "e": np.array([-100]), "a": np.array([3]), "st": np.array([-2])},
        {},
    ),
    ("reshape", "Reshape", (1, 4, 6, 5), {"s": np.array([0, 2, -1, 10])}, {}),
    ("transpose", "Transpose", (1, 2, 3, 4), {}, {"perm": [0, 3, 1, 2]}),
    ("flatten", "Flatten", (2, 3, 4, 5), {}, {"axis": 2}),
    ("squeeze", "Squeeze", (2, 1, 4, 1), {"a": np.array([1, 3])}, {}),
    ("unsqueeze", "Unsqueeze", (3, 4), {"a": np.array([0, 3])}, {}),
    ("tile", "Tile", (1, 2, 3, 4), {"r": np.array([1, 2, 3, 1])}, {}),
    ("gather rows", "Gather", (1, 3, 6, 5), {"i": np.array([5, 0, 2, 2])}, {"axis": 2}),
    ("gather one channel", "Gather", (1, 3, 6, 5), {"i": np.array(1)}, {"axis": 1}),
    ("sum of all", "ReduceSum", (1, 3, 4, 5), {}, {"keepdims": 0}),
    ("product of vectors", "MatMul", (4,), {"w": draw(4)}, {}),
    ("matmul", "MatMul", (2, 3, 4), {"w": draw(4, 5)}, {}),
    ("gemm", "Gemm", (3, 4), {"w": draw(5, 4), "b": draw(5)}, {"transB": 1, "alpha": 0.5}),
    ("mean", "ReduceMean", (1, 3, 4, 5), {"a": np.array([2, 3])}, {"keepdims": 1}),
    ("sum", "ReduceSum", (1, 3, 4, 5), {"a": np.array([1])}, {"keepdims": 0}),
    ("largest", "ReduceMax", (1, 3, 4, 5), {"a": np.array([-1])}, {"keepdims": 0}),
    ("absolute", "Abs", (1, 2, 3, 4), {}, {}),
    ("exponential", "Exp", (1, 2, 3, 4), {}, {}),
    ("negative", "Neg", (1, 2, 3, 4), {}, {}),
    ("floor", "Floor", (1, 2, 3, 4), {}, {}),
    ("error function", "Erf", (1, 2, 3, 4), {}, {}),
    ("depth to space", "DepthToSpace", (1, 12, 3, 4), {}, {"blocksize": 2, "mode": "DCR"}),
    ("depth to space CRD", "DepthToSpace", (1, 12, 3, 4), {}, {"blocksize": 2, "mode": "CRD"}),
    ("space to depth", "SpaceToDepth", (1, 3, 4, 6), {}, {"blocksize": 2}),
]

OF_IOS14 = ("depth to space CRD", "gather one channel")


def model_of(
    operator: str, shape: tuple[int, ...], constants: dict[str, Any], attributes: dict[str, Any]
) -> Any:
    node = helper.make_node(operator, ["x", *constants], ["y"], name="node", **attributes)
    graph = helper.make_graph(
        [node],
        "single",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_equals_onnxruntime(case: Case, run_network: Any, run_onnxruntime: Any) -> None:
    _, operator, shape, constants, attributes = case
    model = model_of(operator, shape, constants, attributes)
    x = draw(*shape, seed=4)
    wanted = run_onnxruntime(model, {"x": x})["y"]
    target = "iOS14" if case[0] in OF_IOS14 else "iOS13"
    found = run_network(model, {"x": x}, target=target)["y"]
    assert found.shape == (wanted.shape or (1,))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_layer_of_ios14_is_refused_for_ios13(run_network: Any) -> None:
    model = model_of("DepthToSpace", (1, 12, 3, 4), {}, {"blocksize": 2, "mode": "CRD"})
    with pytest.raises(UnsupportedError, match="version 4"):
        run_network(model, {"x": draw(1, 12, 3, 4)}, target="iOS13")


def test_simulator_evaluates_what_is_written() -> None:
    assert sorted(SUPPORTED_LAYERS) == covered_layers()


def test_split(run_network: Any, run_onnxruntime: Any) -> None:
    node = helper.make_node("Split", ["x", "s"], ["a", "b"], axis=1)
    graph = helper.make_graph(
        [node],
        "split",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5, 2, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "ab"],
        [numpy_helper.from_array(np.array([2, 3]), "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    x = draw(1, 5, 2, 3)
    for name, wanted in run_onnxruntime(model, {"x": x}).items():
        np.testing.assert_array_equal(run_network(model, {"x": x})[name], wanted)


def _sampled(name: str) -> bool:
    return hashlib.sha1(name.encode()).digest()[0] % 32 == 0


def _run_ios14(run_network: Any) -> Any:
    def run(model: onnx.ModelProto, arrays: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
        shapes = {name: array.shape for name, array in arrays.items()}
        return dict(run_network(model, arrays, target="iOS14", shapes=shapes))

    return run


@pytest.mark.parametrize("name", [name for name in node_tests() if _sampled(name)])
def test_node_test_is_right_or_refused(name: str, run_network: Any, tmp_path: Path) -> None:
    outcome = try_case(node_tests()[name], tmp_path, _run_ios14(run_network))
    assert outcome.verdict != "wrong", outcome


@pytest.mark.slow
def test_scoreboard(run_network: Any, tmp_path: Path) -> None:
    outcomes = [try_case(case, tmp_path, _run_ios14(run_network)) for case in node_tests().values()]
    assert not [outcome for outcome in outcomes if outcome.verdict == "wrong"]
    assert sum(outcome.is_right for outcome in outcomes) >= RIGHT_AT_LEAST

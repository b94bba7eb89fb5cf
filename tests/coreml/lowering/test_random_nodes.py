"""Single operators with drawn attributes, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Constants = dict[str, np.ndarray]


def node_model(
    op: str,
    x: np.ndarray,
    constants: Constants | None = None,
    *,
    opset: int = 18,
    outputs: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one node: input ``x``, the rest constant."""
    names = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op, ["x", *(constants or {})], names, name="node", **attributes)
    graph = helper.make_graph(
        [node],
        "single",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in names],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items() if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def check(
    model: onnx.ModelProto, x: np.ndarray, run_lowered: Any, run_onnxruntime: Any, **options: Any
) -> None:
    expected = run_onnxruntime(model, {"x": x})
    results = run_lowered(model, {"x": x}, **options)
    for name, array in expected.items():
        if np.issubdtype(array.dtype, np.floating):
            np.testing.assert_allclose(results[name], array, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(results[name], array)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(16))
def test_conv(seed: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 2, 4]))
    kernel = rng.integers(1, 4, axes).tolist()
    x = draw(rng, int(rng.integers(1, 3)), 4, *rng.integers(7, 11, axes))
    constants = {"w": draw(rng, 8, 4 // groups, *kernel)}
    if seed % 2:
        constants["b"] = draw(rng, 8)
    attributes: dict[str, Any] = {
        "group": groups,
        "strides": rng.integers(1, 4, axes).tolist(),
        "dilations": rng.integers(1, 3, axes).tolist(),
    }
    auto_pad = str(rng.choice(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if auto_pad == "NOTSET":
        attributes["pads"] = rng.integers(0, 3, 2 * axes).tolist()
    else:
        attributes["auto_pad"] = auto_pad
    if auto_pad.startswith("SAME"):
        attributes["dilations"] = [1] * axes  # onnxruntime ignores dilations there
    check(node_model("Conv", x, constants, **attributes), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("seed", range(20))
def test_conv_transpose(seed: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    rng = np.random.default_rng(100 + seed)
    axes = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 2]))
    kernel = rng.integers(2, 5, axes)
    strides = rng.integers(1, 4, axes)
    x = draw(rng, 1, 4, *rng.integers(4, 8, axes))
    constants = {"w": draw(rng, 4, 3, *kernel), "b": draw(rng, 3 * groups)}
    attributes: dict[str, Any] = {"group": groups, "strides": strides.tolist()}
    style = seed % 5
    if style < 2:
        attributes["pads"] = rng.integers(0, 2, 2 * axes).tolist()
    if style == 1:
        attributes["output_padding"] = [int(rng.integers(0, stride)) for stride in strides]
    if style == 2:
        attributes["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
    if style == 3:
        full = strides * (np.array(x.shape[2:]) - 1) + kernel
        attributes["output_shape"] = (full - rng.integers(0, 3, axes)).tolist()
        attributes["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
    if style == 4:
        attributes["dilations"] = rng.integers(1, 3, axes).tolist()
    check(node_model("ConvTranspose", x, constants, **attributes), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("seed", range(14))
def test_pool(op: str, seed: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    rng = np.random.default_rng(200 + seed)
    axes = int(rng.integers(1, 4))
    kernel = rng.integers(2, 4, axes)
    x = draw(rng, 1, 2, *rng.integers(8, 12, axes))
    attributes: dict[str, Any] = {
        "kernel_shape": kernel.tolist(),
        "strides": rng.integers(1, 4, axes).tolist(),
    }
    style = seed % 4
    if style == 0:
        attributes["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        attributes["pads"] = [int(rng.integers(0, size)) for size in (*kernel, *kernel)]
        attributes["ceil_mode"] = int(style == 2)
    if style == 3:
        attributes["dilations"] = rng.integers(1, 3, axes).tolist()
    if op == "AveragePool":
        attributes["count_include_pad"] = int(rng.integers(0, 2))
    model = node_model(op, x, opset=22 if op == "MaxPool" else 19, **attributes)
    check(model, x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("seed", range(4))
def test_pad(mode: str, seed: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    rng = np.random.default_rng(300 + seed)
    x = draw(rng, 3, 4, 5, 6)
    low = -1 if mode == "constant" else 0
    pads = rng.integers(low, 3, 8)
    if seed % 2:
        pads[[0, 1, 4, 5]] = 0
    constants: Constants = {"pads": pads.astype(np.int64)}
    if mode == "constant":
        constants["value"] = np.float32(1.5).reshape(())
    check(node_model("Pad", x, constants, opset=19, mode=mode), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize(
    "op", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2", "ReduceLogSumExp", "ReduceProd"]
)
@pytest.mark.parametrize("axes", [[-1], [1, 2], None])
@pytest.mark.parametrize("opset", [11, 18])
def test_reduce(op: str, axes: list[int] | None, opset: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    x = draw(np.random.default_rng(4), 2, 3, 4)
    if axes is None:
        model = node_model(op, x, opset=opset, keepdims=0 if opset == 11 else 1)
    elif opset == 18:
        model = node_model(op, x, {"axes": np.array(axes, np.int64)}, opset=opset, keepdims=0)
    else:
        model = node_model(op, x, opset=opset, axes=axes)
    expected = run_onnxruntime(model, {"x": x})["y0"]
    result = run_lowered(model, {"x": x})["y0"]
    np.testing.assert_allclose(result.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("opset", "axis"), [(11, 1), (11, 2), (11, -1), (13, 1), (13, -1)])
def test_softmax(op: str, opset: int, axis: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    x = 30 * draw(np.random.default_rng(5), 2, 3, 4, 2)
    check(node_model(op, x, opset=opset, axis=axis), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1, 0], [5, -1], [1, 2], [2, 1]),
        ([-1], [-100], [2], [-1]),
        ([4, 5], [0, 1], [1, 2], [-2, -3]),
        ([0], [2**63 - 1], [0], [1]),
        ([-3], [2**63 - 1], [-1], [2]),
    ],
)
def test_slice(
    starts: list[int],
    ends: list[int],
    axes: list[int],
    steps: list[int],
    run_lowered: Any,
    run_onnxruntime: Any,
) -> None:
    x = draw(np.random.default_rng(6), 2, 6, 7)
    constants = {
        name: np.array(values, np.int64)
        for name, values in (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps))
    }
    check(node_model("Slice", x, constants), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize(
    "op", ["Reciprocal", "Log", "Sqrt", "Erf", "Asinh", "Softplus", "Mish", "HardSwish", "Elu"]
)
def test_small_and_large_values(op: str, run_lowered: Any, run_onnxruntime: Any) -> None:
    """Where an epsilon that nobody asked for, or an overflow, would show."""
    x = np.array([1e-6, 1e-4, 0.01, 1, 3, 20, 1e4], np.float32)
    check(node_model(op, x), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize(("op", "fmod"), [("Div", 0), ("Mod", 0), ("Mod", 1)])
def test_integer_division_of_negative_numbers(
    op: str, fmod: int, run_lowered: Any, run_onnxruntime: Any
) -> None:
    x = np.arange(-9, 9, dtype=np.int32)
    divisor = np.where(np.arange(18) % 2, 4, -4).astype(np.int32)
    attributes = {"fmod": fmod} if op == "Mod" else {}
    check(node_model(op, x, {"d": divisor}, **attributes), x, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS18"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_on_every_target(target: str, mode: str, run_lowered: Any, run_onnxruntime: Any) -> None:
    x = draw(np.random.default_rng(7), 1, 2, 5, 7)
    constants = {"": np.zeros(0), "sizes": np.array([1, 2, 9, 4], np.int64)}
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y0"], mode=mode, coordinate_transformation_mode="half_pixel"
    )
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y0", TensorProto.FLOAT, [1, 2, 9, 4])],
        [numpy_helper.from_array(constants["sizes"], "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    check(model, x, run_lowered, run_onnxruntime, target=target)

"""Recurrent operators, control flow that is written out, and sampling at computed places, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from rewriter.coreml.lowering import lower
from rewriter.errors import UnsupportedError

FLOAT = TensorProto.FLOAT


def info(name: str, shape: list[Any], kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any], opset: int = 20
) -> Any:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def same(
    proto: onnx.ModelProto,
    feeds: dict[str, np.ndarray],
    run_lowered: Any,
    run_onnxruntime: Any,
    **options: Any,
) -> None:
    expected, found = run_onnxruntime(proto, feeds), run_lowered(proto, feeds, **options)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name].reshape(value.shape), value, rtol=1e-4, atol=2e-5, err_msg=name
        )


@pytest.mark.parametrize("op, gates", [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("extra", ["plain", "lengths", "clip"])
def test_recurrent_operators(
    op: str, gates: int, direction: str, extra: str, run_lowered: Any, run_onnxruntime: Any
) -> None:
    random = np.random.default_rng(hash((op, direction, extra)) % 1000)
    steps, batch, width, hidden = 5, 3, 4, 6
    both = 2 if direction == "bidirectional" else 1
    constants: dict[str, Any] = {
        "w": random.standard_normal((both, gates * hidden, width)).astype(np.float32),
        "r": random.standard_normal((both, gates * hidden, hidden)).astype(np.float32),
        "b": random.standard_normal((both, 2 * gates * hidden)).astype(np.float32),
    }
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    inputs = [info("x", [steps, batch, width]), info("h", [both, batch, hidden])]
    feeds = {
        "x": random.standard_normal((steps, batch, width)).astype(np.float32),
        "h": random.standard_normal((both, batch, hidden)).astype(np.float32),
    }
    if extra == "lengths":
        inputs.append(info("n", [batch], TensorProto.INT32))
        feeds["n"] = np.array([5, 2, 3], np.int32)
    if extra == "clip":
        attributes["clip"] = 0.5
        if op == "GRU":
            attributes["linear_before_reset"] = 1
    names = ["x", "w", "r", "b", "n" if extra == "lengths" else "", "h"]
    outputs = ["y", "s", *(["c"] if op == "LSTM" else [])]
    node = helper.make_node(op, names, outputs, name="layer", **attributes)
    shapes = [[steps, both, batch, hidden], *([[both, batch, hidden]] * (len(outputs) - 1))]
    proto = model([node], inputs, [info(n, s) for n, s in zip(outputs, shapes, strict=True)], constants)
    same(proto, feeds, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [0, 1])
def test_grid_sample(mode: str, padding: str, aligned: int, run_lowered: Any, run_onnxruntime: Any) -> None:
    random = np.random.default_rng(aligned)
    node = helper.make_node(
        "GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=aligned
    )
    feeds = {
        "x": random.standard_normal((2, 3, 5, 7)).astype(np.float32),
        # Wide of the image, and for nearest no ties.
        "g": random.uniform(-1.7, 1.7, (2, 4, 6, 2)).astype(np.float32),
    }
    proto = model([node], [info("x", [2, 3, 5, 7]), info("g", [2, 4, 6, 2])], [info("y", [2, 3, 4, 6])], {})
    if (mode, padding) != ("cubic", "border"):
        same(proto, feeds, run_lowered, run_onnxruntime)
        return
    with pytest.raises(UnsupportedError, match="--reading"):
        lower(proto)
    same(proto, feeds, run_lowered, run_onnxruntime, reading="onnxruntime")
    expected = ReferenceEvaluator(proto).run(None, feeds)[0]
    found = run_lowered(proto, feeds, reading="onnx.reference")["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


def _counting(constant_trips: bool) -> onnx.ModelProto:
    """y = x · (1 + i) after each i, all of them kept."""
    one = helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.float32(1), "one"))
    body = helper.make_graph(
        [
            helper.make_node("Cast", ["i"], ["f"], to=FLOAT),
            helper.make_node("Add", ["f", "one"], ["k"]),
            helper.make_node("Mul", ["s", "k"], ["t"]),
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["t"], ["kept"]),
        ],
        "body",
        [info("i", [], TensorProto.INT64), info("go", [], TensorProto.BOOL), info("s", [3])],
        [info("on", [], TensorProto.BOOL), info("t", [3]), info("kept", [3])],
    )
    loop = helper.make_node("Loop", ["trips", "true", "x"], ["last", "all"], name="loop", body=body)
    inputs = [info("x", [3])]
    constants: dict[str, Any] = {"true": np.array(True)}
    if constant_trips:
        constants["trips"] = np.array(4, np.int64)
    else:
        inputs.append(info("trips", [], TensorProto.INT64))
    return model([one, loop], inputs, [info("last", [3]), info("all", ["n", 3])], constants)


def test_a_loop_of_known_length_is_written_out(run_lowered: Any, run_onnxruntime: Any) -> None:
    same(_counting(True), {"x": np.array([1.0, -2.0, 0.5], np.float32)}, run_lowered, run_onnxruntime)


def test_a_loop_of_open_length_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="number of its iterations") as caught:
        lower(_counting(False))
    assert caught.value.node == "loop"


def test_an_operator_without_lowering_inside_of_a_loop_is_named_before_any_work() -> None:
    proto = _counting(True)
    body = proto.graph.node[1].attribute[0].g
    body.node[2].op_type, body.node[2].domain = "Own", "vendor"
    proto.opset_import.append(helper.make_opsetid("vendor", 1))
    with pytest.raises(UnsupportedError, match=r"vendor::Own \(1×, first at main/loop/t\)"):
        lower(proto)


@pytest.mark.parametrize("taken", [True, False])
def test_a_choice_at_run_time_computes_both(taken: bool, run_lowered: Any, run_onnxruntime: Any) -> None:
    then = helper.make_graph([helper.make_node("Neg", ["x"], ["a"])], "then", [], [info("a", [2, 3])])
    other = helper.make_graph([helper.make_node("Exp", ["x"], ["e"])], "else", [], [info("e", [2, 3])])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    proto = model([node], [info("x", [2, 3]), info("c", [], TensorProto.BOOL)], [info("y", [2, 3])], {})
    feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.array(taken)}
    same(proto, feeds, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("amount", [0, 1, 7, 30, 31])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_keep_every_bit(amount: int, direction: str, run_lowered: Any) -> None:
    x = np.array([0, 1, -1, 5, -7, 2**31 - 1, -(2**31), 123456789], np.int32)
    node = helper.make_node("BitShift", ["x", "k"], ["y"], direction=direction)
    kind = TensorProto.INT32
    proto = model(
        [node], [info("x", [8], kind)], [info("y", [8], kind)], {"k": np.array([amount], np.int32)}, 26
    )
    wide = x.astype(np.int64)
    expected = (wide << amount).astype(np.uint32).view(np.int32) if direction == "LEFT" else x >> amount
    np.testing.assert_array_equal(run_lowered(proto, {"x": x})["y"], expected)


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("threshold", [None, 0.35])
def test_non_max_suppression(
    centred: int, threshold: float | None, run_lowered: Any, run_onnxruntime: Any
) -> None:
    random = np.random.default_rng(centred)
    corner = random.uniform(0, 1, (2, 12, 2))
    boxes = np.concatenate([corner, corner + random.uniform(-0.4, 0.5, (2, 12, 2))], axis=2).astype(
        np.float32
    )
    if centred:
        boxes[..., 2:] = np.abs(boxes[..., 2:] - boxes[..., :2])
    constants: dict[str, Any] = {"most": np.array([4], np.int64), "overlap": np.array([0.3], np.float32)}
    names = ["boxes", "scores", "most", "overlap"]
    if threshold is not None:
        constants["score"] = np.array([threshold], np.float32)
        names.append("score")
    node = helper.make_node("NonMaxSuppression", names, ["y"], center_point_box=centred)
    proto = model(
        [node],
        [info("boxes", [2, 12, 4]), info("scores", [2, 3, 12])],
        [info("y", ["n", 3], TensorProto.INT64)],
        constants,
    )
    feeds = {"boxes": boxes, "scores": random.uniform(0, 1, (2, 3, 12)).astype(np.float32)}
    expected, found = run_onnxruntime(proto, feeds)["y"], run_lowered(proto, feeds)["y"]
    np.testing.assert_array_equal(found, expected)


def test_the_places_of_maxima(run_lowered: Any, run_onnxruntime: Any) -> None:
    node = helper.make_node(
        "MaxPool", ["x"], ["y", "i"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], dilations=[1, 2]
    )
    x = np.random.default_rng(0).integers(0, 4, (2, 3, 7, 8)).astype(np.float32)  # many ties
    outputs = [info("y", [None] * 4), info("i", [None] * 4, TensorProto.INT64)]
    proto = onnx.shape_inference.infer_shapes(model([node], [info("x", [2, 3, 7, 8])], outputs, {}))
    same(proto, {"x": x}, run_lowered, run_onnxruntime)


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits_of_negative_numbers_too(op: str, run_lowered: Any) -> None:
    random = np.random.default_rng(3)
    x, y = random.integers(-(2**31), 2**31, (2, 40)).astype(np.int32)
    x[:2], y[:2] = [-1, -(2**31)], [2**31 - 1, -(2**31)]
    kind = TensorProto.INT32
    node = helper.make_node(op, ["x", "k"], ["y"])
    proto = model([node], [info("x", [40], kind), info("k", [40], kind)], [info("y", [40], kind)], {})
    expected = {"BitwiseAnd": x & y, "BitwiseOr": x | y, "BitwiseXor": x ^ y}[op]
    np.testing.assert_array_equal(run_lowered(proto, {"x": x, "k": y})["y"], expected)

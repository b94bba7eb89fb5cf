"""Folding what feeds sizes and scales: each operator against onnxruntime, and graphs as exporters write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import passes
from passes.shapes.current import CurrentShapes
from passes.shapes.evaluation import ShapeValues
from passes.shapes.operators import OPERATORS
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check_all

SHAPE = [1, 2, 4, 5]
X = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def computed(node: onnx.NodeProto, arrays: dict[str, np.ndarray], opset: int) -> tuple[Any, Any]:
    """What we and what onnxruntime make of one node on constants."""
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    constants = [tensor(name, array, array.dtype) for name, array in arrays.items()]
    proto = make_model([node], [], outputs, constants, opset=opset)
    model = Model.from_proto(proto)
    scope = next(model.scopes())
    values = ShapeValues(CurrentShapes(model))
    ours = [values.of(output, scope) for output in scope.graph.nodes[0].outputs]
    return [None if value is None else value.array for value in ours], run(proto, {})


F = np.array([2.5, -1.5, 3.0, 0.5], np.float32)
G = np.array([0.75, 1.25, -2.0, 3.0], np.float32)
K = np.array([7, -7, 6, 1], np.int64)
J = np.array([2, 2, -4, 3], np.int64)
B, C = np.array([True, False, True, False]), np.array([True, True, False, False])


@pytest.mark.parametrize("opset", [9, 13, 18])
@pytest.mark.parametrize(
    ("op", "arrays", "attributes"),
    [
        *[(op, pair, {}) for op in ("Add", "Sub", "Mul", "Div") for pair in ([F, G], [K, J], [F, G[:1]])],
        *[(op, [F], {}) for op in ("Abs", "Ceil", "Floor", "Neg", "Identity", "Sign")],
        *[(op, [K], {}) for op in ("Abs", "Neg", "Sign")],
        ("Sqrt", [np.abs(F)], {}),
        *[(op, pair, {}) for op in ("Greater", "Less") for pair in ([F, G], [K, J])],
        ("Equal", [K, J], {}),
        *[(op, [B, C], {}) for op in ("And", "Or")],
        ("Not", [B], {}),
        ("Where", [B, F, G], {}),
        ("Where", [B, K, J[:1]], {}),
        *[("Cast", [F], {"to": to}) for to in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)],
        ("Cast", [K], {"to": TensorProto.FLOAT}),
        ("Cast", [np.array([16777217, 2**40 + 1])], {"to": TensorProto.FLOAT}),
        ("Concat", [K, J], {"axis": 0}),
        ("Gather", [K, np.array([3, 0])], {"axis": 0}),
        ("Gather", [K, np.array(1)], {}),
        ("Gather", [K.reshape(2, 2), np.array([1])], {"axis": 1}),
        ("Reshape", [K, np.array([2, -1])], {}),
        ("Reshape", [K.reshape(2, 2), np.array([0, 1, -1])], {}),
        ("Transpose", [K.reshape(2, 2)], {"perm": [1, 0]}),
        ("Expand", [K[:1], np.array([3])], {}),
        ("ConstantOfShape", [np.array([3])], {}),
        ("ConstantOfShape", [np.array([2])], {"value": tensor("", [5], np.int64)}),
        ("ReduceProd", [K], {"keepdims": 0}),
        ("ReduceMin", [K], {}),
        ("ReduceMax", [K], {"keepdims": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_an_operator_computes_what_onnxruntime_does(
    op: str, arrays: list[np.ndarray], attributes: dict[str, Any], opset: int
) -> None:
    named = {f"a{index}": array for index, array in enumerate(arrays)}
    node = helper.make_node(op, list(named), ["y"], **attributes)
    ours, theirs = computed(node, named, opset)
    assert ours[0] is not None and ours[0].dtype == theirs[0].dtype
    np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "opset"),
    [
        ("Slice", [K], {"starts": [1], "ends": [3]}, 9),
        ("Slice", [K], {"starts": [-3], "ends": [9223372036854775807], "axes": [0]}, 9),
        ("Slice", [K, [1], [3]], {}, 13),
        ("Slice", [K, [-1], [-(2**62)], [0], [-1]], {}, 13),
        ("Slice", [K, [3], [0], [-1], [-2]], {}, 13),
        ("Slice", [K, [0], [2**62], [0], [2]], {}, 13),
        ("Slice", [K, [3], [1]], {}, 13),
        ("Squeeze", [K.reshape(1, 4, 1)], {"axes": [0]}, 11),
        ("Squeeze", [K.reshape(1, 4, 1), [0, -1]], {}, 13),
        ("Squeeze", [K.reshape(1, 4, 1)], {}, 13),
        ("Unsqueeze", [K], {"axes": [0, 2]}, 11),
        ("Unsqueeze", [K, [-1, 0]], {}, 13),
        ("Split", [K], {}, 13),
        ("Split", [K, [1, 3]], {}, 13),
        ("Split", [K[:3]], {"num_outputs": 2}, 18),
        ("Split", [K], {"split": [3, 1]}, 11),
        ("Range", [np.array(1), np.array(9), np.array(3)], {}, 13),
        ("Range", [np.array(9), np.array(1), np.array(-3)], {}, 13),
        ("Round", [F], {}, 13),
        ("Mod", [K, J], {}, 13),
        ("Mod", [K, J], {"fmod": 1}, 13),
        ("Mod", [F, G], {"fmod": 1}, 13),
        ("Max", [K, J, K[:1]], {}, 13),
        ("Min", [F, G], {}, 13),
        ("GreaterOrEqual", [K, J], {}, 13),
        ("LessOrEqual", [F, G], {}, 13),
        ("ReduceSum", [K.reshape(2, 2), [1]], {}, 13),
        ("Shape", [F.reshape(2, 2)], {}, 13),
        ("Shape", [F.reshape(1, 2, 2)], {"start": -2, "end": 3}, 15),
        ("Size", [F.reshape(2, 2)], {}, 13),
    ],
)  # fmt: skip
def test_operators_that_changed_their_form(
    op: str, arrays: list[Any], attributes: dict[str, Any], opset: int
) -> None:
    named = {f"a{index}": np.asarray(array) for index, array in enumerate(arrays)}
    node = helper.make_node(op, list(named), ["y", "z"] if op == "Split" else ["y"], **attributes)
    ours, theirs = computed(node, named, opset)
    for a, b in zip(ours, theirs, strict=True):
        assert a is not None and a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_every_operator_is_tested() -> None:
    tests = (test_an_operator_computes_what_onnxruntime_does, test_operators_that_changed_their_form)
    marks = [mark for test in tests for mark in getattr(test, "pytestmark")]  # noqa: B009
    tested = {case[0] for mark in marks if mark.args[0] != "opset" for case in mark.args[1]}
    assert set(OPERATORS) <= tested


@pytest.mark.parametrize(
    ("op", "arrays", "attributes"),
    [
        ("Div", [K, np.zeros(4, np.int64)], {}),
        ("Cast", [np.array([np.nan], np.float32)], {"to": TensorProto.INT64}),
        ("Cast", [np.array([1e30], np.float32)], {"to": TensorProto.INT64}),
        ("Gather", [K, np.array([4])], {}),
        ("Reshape", [K, np.array([3, -1])], {}),
        ("ConstantOfShape", [np.array([100, 100])], {}),
        ("Range", [np.array(0), np.array(10**9), np.array(1)], {}),
        ("Range", [np.array(0, np.float32), np.array(1, np.float32), np.array(0.1, np.float32)], {}),
        ("Expand", [K[:1], np.array([10**9])], {}),
    ],
)
def test_what_is_open_or_large_is_not_computed(
    op: str, arrays: list[np.ndarray], attributes: dict[str, Any]
) -> None:
    named = {f"a{index}": array for index, array in enumerate(arrays)}
    node = helper.make_node(op, list(named), ["y"], **attributes)
    constants = [tensor(name, array, array.dtype) for name, array in named.items()]
    model = Model.from_proto(make_model([node], [], [info("y", None)], constants, opset=18))
    scope = next(model.scopes())
    assert ShapeValues(CurrentShapes(model)).of(scope.graph.nodes[0].outputs[0], scope) is None


def up(inputs: list[str], output: str = "y", name: str = "up", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node("Resize", inputs, [output], name=name, **{"mode": "linear", **attributes})


def folded(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model after the pass, having checked values, validity and that a second run finds nothing."""
    model = Model.from_proto(proto)
    result = passes.run(model, ["fold-size-constants"])
    check_all(result.changes)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert all(change.effect in ("respelling", "cleanup") and change.certificate for change in result.changes)
    for a, b in zip(run(proto, feeds), run(written, feeds), strict=True):
        np.testing.assert_array_equal(a, b)
    again = Model.from_proto(written)
    assert passes.run(again, ["fold-size-constants"]).changes == ()
    assert again.to_bytes() == written.SerializeToString()
    return written


def _ops(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def tf_style(batch: Any) -> onnx.ModelProto:
    """What tf2onnx writes: twice the height and width of a tensor in NHWC order."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "order"], ["nhwc"]),
        helper.make_node("Cast", ["nhwc"], ["nhwc32"], to=TensorProto.INT32),
        helper.make_node("Slice", ["nhwc32", "one", "three", "zero"], ["hw"]),
        helper.make_node("Mul", ["hw", "two"], ["target32"]),
        helper.make_node("Cast", ["target32"], ["target"], to=TensorProto.INT64),
        helper.make_node("Slice", ["shape", "zero", "two64"], ["nc"]),
        helper.make_node("Concat", ["nc", "target"], ["sizes"], axis=0),
        up(["x", "", "", "sizes"]),
    ]
    constants = {"order": [0, 2, 3, 1], "one": [1], "three": [3], "zero": [0], "two64": [2]}
    return make_model(
        nodes,
        [info("x", [batch, 2, 4, 5])],
        [info("y", [batch, 2, 8, 10])],
        [*(tensor(k, v, np.int64) for k, v in constants.items()), tensor("two", [2], np.int32)],
    )


def test_a_chain_behind_a_static_shape_becomes_one_constant() -> None:
    written = folded(tf_style(1), {"x": X})
    assert _ops(written) == ["Resize"]
    assert [t.name for t in written.graph.initializer] == ["sizes_value"]


def test_what_is_known_beside_an_open_batch_is_folded() -> None:
    written = folded(tf_style("N"), {"x": X.repeat(3, 0)})
    assert _ops(written) == ["Shape", "Slice", "Concat", "Resize"]


def test_nodes_that_others_need_stay() -> None:
    proto = tf_style(1)
    proto.graph.node.append(helper.make_node("Identity", ["nhwc"], ["z"]))
    proto.graph.output.append(info("z", [4], TensorProto.INT64))
    written = folded(proto, {"x": X})
    assert _ops(written) == ["Shape", "Gather", "Resize", "Identity"]


def test_computed_scales_and_roi() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["lengths"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["target", "lengths"], ["scales"]),
        helper.make_node("ConstantOfShape", ["four"], ["zeros"]),
        helper.make_node("Concat", ["zeros", "ends"], ["roi"], axis=0),
        up(["x", "roi", "scales"], coordinate_transformation_mode="tf_crop_and_resize"),
    ]
    proto = make_model(
        nodes,
        [info("x", SHAPE)],
        [info("y", [1, 2, 8, 10])],
        [tensor("target", [1, 2, 8, 10]), tensor("four", [4], np.int64), tensor("ends", [1, 1, 0.5, 1])],
    )
    assert _ops(folded(proto, {"x": X})) == ["Resize"]


def test_computed_scales_of_an_old_nearest_resize_can_be_upgraded_then() -> None:
    node = helper.make_node("Resize", ["x", "s"], ["y"], name="up", mode="nearest")
    proto = make_model(
        [helper.make_node("Concat", ["a", "a", "b", "b"], ["s"], axis=0), node],
        [info("x", SHAPE)],
        [info("y", [1, 2, 2, 3])],
        [tensor("a", [1]), tensor("b", [0.6])],
        opset=10,
        ir_version=4,
    )
    model = Model.from_proto(proto)
    passes.run(model, intent="preserve")
    written = model.to_proto()
    assert {node.op_type for node in written.graph.node} == {"Resize"}
    np.testing.assert_array_equal(run(proto, {"x": X})[0], run(written, {"x": X})[0])


def test_branches_and_functions() -> None:
    def body(source: str, target: str, prefix: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Constant", [], [f"{prefix}k"], value=tensor("", [1, 1, 1, 1])),
            helper.make_node("Constant", [], [f"{prefix}h"], value=tensor("", [1, 1, 2, 2])),
            helper.make_node("Mul", [f"{prefix}k", f"{prefix}h"], [f"{prefix}s"]),
            up([source, "", f"{prefix}s"], target, f"{prefix}up"),
        ]

    outer = [
        helper.make_node("Shape", ["x"], ["shape"], name="outer"),
        helper.make_node("Add", ["shape", "shape"], ["doubled"]),
    ]
    inside = [
        helper.make_node("Add", ["doubled", "shape"], ["sizes"]),
        up(["x", "", "", "sizes"], "t", "inner", mode="nearest"),
        helper.make_node("Slice", ["t", "z4", "o4"], ["t2"]),
    ]
    then = helper.make_graph(
        inside,
        "then",
        [],
        [info("t2", None)],
        [tensor("z4", [0] * 4, np.int64), tensor("o4", [1, 2, 8, 10], np.int64)],
    )
    call = helper.make_node("Up", ["x"], ["e"], domain="local")
    other = helper.make_graph([call], "else", [], [info("e", None)])
    function = helper.make_function(
        "local", "Up", ["a"], ["o"], body("a", "o", "f"), [helper.make_opsetid("", 18)]
    )
    proto = make_model(
        [*outer, helper.make_node("If", ["c"], ["y"], name="if", then_branch=then, else_branch=other)],
        [info("x", SHAPE), info("c", [], TensorProto.BOOL)],
        [info("y", [1, 2, 8, 10])],
        functions=[function],
        domains={"local": 1},
    )
    for value in (True, False):
        written = folded(proto, {"x": X, "c": np.array(value)})
    assert _ops(written) == ["If"]
    assert [n.op_type for n in written.functions[0].node] == ["Constant", "Resize"]
    branches = {a.name: [n.op_type for n in a.g.node] for a in written.graph.node[0].attribute}
    assert branches["then_branch"] == ["Resize", "Slice"]


def test_weights_behind_a_size_are_not_read() -> None:
    # The size is computed from the image: nothing here is about shapes, and the large constant stays where it is.
    weights = np.ones((64, 64), np.float32)
    nodes = [
        helper.make_node("Mul", ["w", "two"], ["w2"]),
        helper.make_node("ReduceMax", ["w2"], ["m"], keepdims=0),
        helper.make_node("Mul", ["m", "ones"], ["s"]),
        up(["x", "", "s"]),
    ]
    proto = make_model(
        nodes,
        [info("x", SHAPE)],
        [info("y", [None] * 4)],
        [tensor("w", weights), tensor("two", 2.0), tensor("ones", [0.5, 0.5, 1, 1.5])],
    )
    model = Model.from_proto(proto)
    assert passes.run(model, ["fold-size-constants"]).changes == ()
    assert not model.is_edited


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_arithmetic_on_shapes(data: st.DataObject) -> None:
    """Random expressions over a shape, ending in a valid size, keep what onnxruntime computes."""
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=2))
    nodes = [helper.make_node("Shape", ["x"], ["v0"])]
    for index in range(data.draw(st.integers(1, 6))):
        op = data.draw(st.sampled_from(["Add", "Mul", "Max", "Min", "Sub", "Div"]))
        other = data.draw(st.sampled_from([f"v{k}" for k in range(index + 1)] + ["two", "three"]))
        nodes.append(helper.make_node(op, [f"v{index}", other], [f"w{index}"]))
        nodes.append(helper.make_node("Max", [f"w{index}", "one"], [f"v{index + 1}"]))
    nodes.append(helper.make_node("Min", [nodes[-1].output[0], "ten"], ["sizes"]))
    nodes.append(up(["x", "", "", "sizes"]))
    constants = {"one": [1], "two": [2, 1], "three": [3], "ten": [10]}
    proto = make_model(
        nodes,
        [info("x", lengths)],
        [info("y", [None, None])],
        [tensor(k, v, np.int64) for k, v in constants.items()],
    )
    x = np.random.default_rng(0).standard_normal(lengths).astype(np.float32)
    assert _ops(folded(proto, {"x": x})) == ["Resize"]

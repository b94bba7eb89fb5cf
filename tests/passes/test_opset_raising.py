"""Raising the opset keeps what every operator computes, or names the one that stands in the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from passes.opset.steps import COMPATIBLE, STEPS
from rewriter.errors import UnsupportedError
from rewriter.model import Model
from rewriter.rewriting import rewrite
from tests.model.onnx_models import info, make_model, run, tensor

X = np.random.default_rng(5).standard_normal((1, 4, 6, 8)).astype(np.float32)


def _model(
    opset: int,
    nodes: list[onnx.NodeProto],
    initializers: list[Any],
    functions: list[onnx.FunctionProto] | None = None,
    free_rank: bool = False,
) -> onnx.ModelProto:
    """`nodes` read ``x`` and make ``t``; an Upsample (Resize-10) of ``x`` stands beside them."""
    if opset < 9:
        up = helper.make_node("Upsample", ["x"], ["u"], name="up", mode="linear", scales=[1.0, 1.0, 2.0, 2.0])
    else:
        op = "Upsample" if opset == 9 else "Resize"
        up = helper.make_node(op, ["x", "s"], ["u"], name="up", mode="linear")
        initializers = [*initializers, tensor("s", [1, 1, 2, 2])]
    model = make_model(
        [up, *nodes],
        [info("x", list(X.shape))],
        [info("u", [1, 4, 12, 16]), helper.make_empty_tensor_value_info("t")],
        initializers,
        opset=opset,
        ir_version=8 if functions else 4,
        functions=functions,
        domains={"local": 1} if functions else None,
    )
    if free_rank:
        model.graph.input.append(info("n", ["rank"], TensorProto.INT64))
    # Outputs must be declared; onnxruntime knows what comes out.
    found = run(model, {"x": X, "n": np.array(X.shape, np.int64)})[1]
    code = helper.np_dtype_to_tensor_dtype(found.dtype)
    model.graph.output[1].CopyFrom(info("t", [None] * found.ndim, code))
    return model


def node(op: str, inputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, ["t"], name=op.lower(), **attributes)


WEIGHTS = tensor("w", np.random.default_rng(1).standard_normal((2, 4, 3, 3)))
NORM = [
    tensor(name, np.abs(np.random.default_rng(i).standard_normal(4)) + 0.1) for i, name in enumerate("abcd")
]
CASES: dict[str, tuple[int, list[onnx.NodeProto], list[Any]]] = {
    "batch norm with spatial": (7, [node("BatchNormalization", ["x", "a", "b", "c", "d"], spatial=1)], NORM),
    "batch norm 9": (9, [node("BatchNormalization", ["x", "a", "b", "c", "d"])], NORM),
    "conv": (7, [node("Conv", ["x", "w"], pads=[1, 1, 1, 1])], [WEIGHTS]),
    "conv same": (8, [node("Conv", ["x", "w"], auto_pad="SAME_UPPER", strides=[2, 2])], [WEIGHTS]),
    "transposed conv": (
        9,
        [node("ConvTranspose", ["x", "wt"], strides=[2, 2])],
        [tensor("wt", np.ones((4, 2, 3, 3)))],
    ),
    "max pool": (7, [node("MaxPool", ["x"], kernel_shape=[2, 2], strides=[2, 2])], []),
    "average pool": (9, [node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])], []),
    "relu": (7, [node("Relu", ["x"])], []),
    "clip": (7, [node("Clip", ["x"], min=-0.5, max=0.25)], []),
    "clip above": (10, [node("Clip", ["x"], max=0.25)], []),
    "clip open": (9, [node("Clip", ["x"])], []),
    "pad": (7, [node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 0, 3, 4])], []),
    "pad value": (9, [node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 0, 3, 4], value=1.5)], []),
    "pad reflect": (10, [node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 0, 3, 4], mode="reflect")], []),
    "slice": (9, [node("Slice", ["x"], starts=[1, 0], ends=[-1, 5], axes=[3, 2])], []),
    "slice all axes": (7, [node("Slice", ["x"], starts=[0, 1, 1, 1], ends=[1, 3, 9, 9])], []),
    "top k": (9, [helper.make_node("TopK", ["x"], ["t", "i"], k=3, axis=3)], []),
    "squeeze": (9, [node("Squeeze", ["x"], axes=[0])], []),
    "squeeze all": (10, [node("Squeeze", ["x"])], []),
    "unsqueeze": (8, [node("Unsqueeze", ["x"], axes=[0, 5])], []),
    "reduce sum": (9, [node("ReduceSum", ["x"], axes=[2, 3], keepdims=0)], []),
    "reduce sum all": (9, [node("ReduceSum", ["x"])], []),
    "reduce mean": (9, [node("ReduceMean", ["x"], axes=[1])], []),
    "split": (9, [helper.make_node("Split", ["x"], ["t", "t2"], axis=1, split=[1, 3])], []),
    "split evenly": (7, [helper.make_node("Split", ["x"], ["t", "t2"], axis=1)], []),
    "softmax over the rest": (9, [node("Softmax", ["x"])], []),
    "softmax last": (9, [node("Softmax", ["x"], axis=3)], []),
    "log softmax": (10, [node("LogSoftmax", ["x"], axis=2)], []),
    "hardmax": (9, [node("Hardmax", ["x"], axis=2)], []),
    "dropout": (7, [node("Dropout", ["x"], ratio=0.25)], []),
    "dropout 10": (10, [node("Dropout", ["x"])], []),
    "argmax": (9, [node("ArgMax", ["x"], axis=1)], []),
    "concat": (7, [node("Concat", ["x", "x"], axis=1)], []),
    "scatter": (
        9,
        [node("Scatter", ["x", "i", "v"], axis=3)],
        [tensor("i", [[[[1]]]], np.int64), tensor("v", [[[[9]]]])],
    ),
    "gather": (9, [node("Gather", ["x", "i"], axis=3)], [tensor("i", [0, 2], np.int64)]),
    "depth to space": (9, [node("DepthToSpace", ["x"], blocksize=2)], []),
    "prelu": (7, [node("PRelu", ["x", "p"])], [tensor("p", np.full((4, 1, 1), 0.1))]),
    "leaky relu": (9, [node("LeakyRelu", ["x"], alpha=0.2)], []),
    "flatten": (7, [node("Flatten", ["x"], axis=2)], []),
    "sum": (7, [node("Sum", ["x", "x"])], []),
    "cast": (9, [node("Cast", ["x"], to=TensorProto.INT32)], []),
    "reshape": (9, [node("Reshape", ["x", "n"])], [tensor("n", [0, -1], np.int64)]),
    "tile": (9, [node("Tile", ["x", "n"])], [tensor("n", [1, 1, 2, 1], np.int64)]),
    "constant": (
        8,
        [helper.make_node("Constant", [], ["k"], value=tensor("", [2.0])), node("Mul", ["x", "k"])],
        [],
    ),
    "instance norm": (9, [node("InstanceNormalization", ["x", "a", "b"])], NORM[:2]),
    "lrn": (7, [node("LRN", ["x"], size=3)], []),
    "matmul": (7, [node("MatMul", ["x", "m"])], [tensor("m", np.ones((8, 3)))]),
    "global pool": (7, [node("GlobalAveragePool", ["x"])], []),
    "transpose": (7, [node("Transpose", ["x"], perm=[0, 2, 3, 1])], []),
    "where": (
        9,
        [helper.make_node("Greater", ["x", "z"], ["g"]), node("Where", ["g", "x", "z"])],
        [tensor("z", [0.0])],
    ),
    "elu": (7, [node("Elu", ["x"])], []),
    "pow": (7, [node("Pow", ["x", "two"])], [tensor("two", [2.0])]),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_the_same_at_opset_13(name: str) -> None:
    opset, nodes, initializers = CASES[name]
    model = _model(opset, nodes, list(initializers))
    expected = run(model, {"x": X})
    done = rewrite(Model.from_proto(model), intent="preserve")
    written = done.model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert written.opset_import[0].version == 13
    assert [n.op_type for n in written.graph.node].count("Resize") == 1
    for a, b in zip(expected, run(written, {"x": X}), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    again = rewrite(Model.from_proto(written), intent="preserve")
    assert again.model.to_bytes() == written.SerializeToString()


def test_softmax_without_a_known_rank_is_kept_exactly() -> None:
    reshape = helper.make_node("Reshape", ["x", "n"], ["r"])
    model = _model(9, [reshape, helper.make_node("Softmax", ["r"], ["t"], axis=2)], [], free_rank=True)
    feeds = {"x": X, "n": np.array([2, 2, 6, 8], np.int64)}
    expected = run(model, feeds)
    written = rewrite(Model.from_proto(model), intent="preserve").model.to_proto()
    assert [n.op_type for n in written.graph.node][-4:] == ["Shape", "Flatten", "Softmax", "Reshape"]
    for a, b in zip(expected, run(written, feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_half_precision_bounds_take_the_type_of_the_input() -> None:
    cast = helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16)
    model = _model(9, [cast, helper.make_node("Clip", ["h"], ["t"], min=0.0, max=1.0)], [])
    expected = run(model, {"x": X})
    written = rewrite(Model.from_proto(model), intent="preserve").model.to_proto()
    for a, b in zip(expected, run(written, {"x": X}), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_only_changed_at_13_leaves_the_model_at_11() -> None:
    body = helper.make_node("Split", ["x"], ["t", "t2"], axis=1, name="split")
    attribute = body.attribute.add(name="split", ref_attr_name="parts", type=onnx.AttributeProto.INTS)
    assert attribute.ref_attr_name
    function = helper.make_function(
        "local", "Parts", ["x"], ["t"], [body], [helper.make_opsetid("", 10)], attributes=["parts"]
    )
    call = helper.make_node("Parts", ["x"], ["t"], domain="local", parts=[1, 3])
    model = _model(10, [call], [], functions=[function])
    expected = run(model, {"x": X})
    done = rewrite(Model.from_proto(model), intent="preserve")
    written = done.model.to_proto()
    assert written.opset_import[0].version == written.functions[0].opset_import[0].version == 11
    assert "parameter of a function" in done.notes[0].message
    for a, b in zip(expected, run(written, {"x": X}), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "initializers", "op"),
    [
        (
            [node("OneHot", ["i", "d", "v"])],
            [tensor("i", [1, 2], np.int64), tensor("d", [4], np.int64), tensor("v", [0, 1])],
            "OneHot",
        ),
        (
            [helper.make_node("Dropout", ["x"], ["t", "mask"]), helper.make_node("Neg", ["mask"], ["n"])],
            [],
            "Dropout",
        ),
    ],
)
def test_an_operator_that_changed_its_meaning_is_named(nodes: Any, initializers: Any, op: str) -> None:
    model = _model(9, nodes, initializers)
    before = model.SerializeToString()
    held = Model.from_proto(model)
    with pytest.raises(UnsupportedError, match=f"{op} .* cannot follow") as caught:
        rewrite(held, intent="preserve")
    assert caught.value.node == "up"
    assert held.to_bytes() == before


def test_every_change_of_an_operator_is_either_known_or_refused() -> None:
    """The tables name real changes only: each entry is a version in which onnx changed that operator."""
    changed = {(s.name, s.since_version) for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""}
    for version, names in COMPATIBLE.items():
        assert {(name, version) for name in names} <= changed
    assert set(STEPS) <= changed
    assert not {(name, version) for version, names in COMPATIBLE.items() for name in names} & set(STEPS)

"""Transposes through operators that name axes, and into reductions that drop them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import passes
from passes.layout.sink import SinkTransposes
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check_all

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
SHAPE = [2, 4, 5, 3]
X = np.random.default_rng(7).standard_normal(SHAPE).astype(np.float32)

Case = tuple[str, str, list[onnx.TensorProto], dict[str, Any], int]


def ints(name: str, values: list[int]) -> onnx.TensorProto:
    return tensor(name, values, np.int64)


EXACT: list[Case] = [
    ("max", "ReduceMax", [ints("a", [1, 2])], {"keepdims": 1}, 18),
    ("min, negative axis", "ReduceMin", [ints("a", [-1])], {}, 18),
    ("max of all", "ReduceMax", [], {}, 18),
    ("max, attribute", "ReduceMax", [], {"axes": [3], "keepdims": 1}, 13),
    ("pad", "Pad", [ints("p", [0, 1, 2, 0, 0, 3, 4, 0])], {}, 13),
    ("pad by reflection", "Pad", [ints("p", [0, 1, 2, 0, 0, 2, 1, 0])], {"mode": "reflect"}, 13),
    ("pad some axes", "Pad", [ints("p", [1, 2, 3, 4]), tensor("v", 2.5), ints("a", [3, 1])], {}, 18),
    ("crop by pads", "Pad", [ints("p", [0, -1, 0, 0, 0, 0, -2, 0])], {}, 13),
    ("slice", "Slice", [ints("s", [1, 0]), ints("e", [4, 2]), ints("a", [2, 3])], {}, 13),
    ("slice, first axes", "Slice", [ints("s", [0, 1, 1]), ints("e", [2, 9, 4])], {}, 13),
    ("slice by steps", "Slice", [ints("s", [3]), ints("e", [0]), ints("a", [-2]), ints("d", [-2])], {}, 13),
]
ROUNDING: list[Case] = [
    ("mean", "ReduceMean", [ints("a", [1, 2])], {"keepdims": 1}, 18),
    ("sum, attribute", "ReduceMean", [], {"axes": [1, -1], "keepdims": 1}, 13),
    ("length", "ReduceL2", [ints("a", [3])], {}, 18),
    ("softmax", "Softmax", [], {"axis": -1}, 13),
    ("softmax of rows", "LogSoftmax", [], {"axis": 1}, 13),
]


def wrapped(case: Case, *, back: bool = True) -> onnx.ModelProto:
    """x -> Transpose -> the operator -> Transpose back."""
    _, operator, constants, attributes, opset = case
    names = [each.name for each in constants]
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=TO_NCHW),
        helper.make_node(operator, ["t", *names], ["u" if back else "y"], name="op", **attributes),
    ]
    if back:
        nodes.append(helper.make_node("Transpose", ["u"], ["y"], perm=TO_NHWC))
    return inferred(nodes, constants, opset)


def inferred(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], opset: int) -> onnx.ModelProto:
    """A model from x to y, whose shape is inferred."""
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = onnx.shape_inference.infer_shapes(
        make_model(nodes, [info("x", SHAPE)], [y], constants, opset=opset)
    )
    del model.graph.value_info[:]
    return model


def rewritten(proto: onnx.ModelProto, **flags: bool) -> tuple[onnx.ModelProto, int]:
    model = Model.from_proto(proto)
    result = passes.run(model, [SinkTransposes(**flags)])
    check_all(result.changes)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    return written, sum(node.op_type == "Transpose" for node in written.graph.node)


@pytest.mark.parametrize("case", EXACT, ids=[case[0] for case in EXACT])
def test_every_bit_is_kept(case: Case) -> None:
    proto = wrapped(case)
    written, count = rewritten(proto)
    assert count == 0
    np.testing.assert_array_equal(run(written, {"x": X})[0], run(proto, {"x": X})[0])


@pytest.mark.parametrize("case", ROUNDING, ids=[case[0] for case in ROUNDING])
def test_sums_move_only_on_request(case: Case) -> None:
    proto = wrapped(case)
    assert rewritten(proto)[1] == 2
    written, count = rewritten(proto, sums=True)
    assert count == 0
    np.testing.assert_allclose(run(written, {"x": X})[0], run(proto, {"x": X})[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [1], [2], [0, 3], [0], [1, 2]])
def test_a_reduction_that_drops_axes_needs_no_transpose(axes: list[int]) -> None:
    proto = wrapped(("", "ReduceMax", [ints("a", axes)], {"keepdims": 0}, 18), back=False)
    written, count = rewritten(proto)
    kept = [TO_NCHW[axis] for axis in range(4) if axis not in {a % 4 for a in axes}]
    assert count == (0 if kept == sorted(kept) else 1)
    np.testing.assert_array_equal(run(written, {"x": X})[0], run(proto, {"x": X})[0])


def test_old_softmax_and_computed_pads_stay() -> None:
    old = wrapped(("", "Softmax", [], {"axis": 1}, 11))
    assert rewritten(old, sums=True)[1] == 2
    proto = wrapped(("", "Pad", [ints("p", [0, 1, 2, 0, 0, 3, 4, 0])], {}, 13))
    proto.graph.node.insert(0, helper.make_node("Abs", ["p"], ["q"]))
    proto.graph.node[2].input[1] = "q"
    assert rewritten(proto)[1] == 2


def test_resizes_can_be_told_to_stay() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=TO_NCHW),
        helper.make_node("Resize", ["a", "", "s"], ["b"], name="up", mode="nearest"),
        helper.make_node("Transpose", ["b"], ["c"], perm=TO_NHWC),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=TO_NCHW),
        helper.make_node("GlobalMaxPool", ["e"], ["y"]),
    ]
    proto = inferred(nodes, [tensor("s", [1.0, 1.0, 2.0, 2.0])], 18)
    written, count = rewritten(proto, resizes=False)
    assert count == 1
    assert [node.op_type for node in written.graph.node] == ["Transpose", "Resize", "Relu", "GlobalMaxPool"]
    np.testing.assert_array_equal(run(written, {"x": X})[0], run(proto, {"x": X})[0])

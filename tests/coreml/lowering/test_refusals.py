"""What cannot be lowered exactly is refused in one sentence, before any work."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.lowering import lower
from rewriter.errors import UnsupportedError, UsageError


def model_of(
    nodes: list[onnx.NodeProto], shape: list[int | str], initializers: dict[str, np.ndarray] | None = None
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "refused",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
        [numpy_helper.from_array(value, name) for name, value in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def relu(shape: list[int | str]) -> onnx.ModelProto:
    return model_of([helper.make_node("Relu", ["x"], ["y"])], shape)


def test_all_unsupported_operators_are_named_at_once() -> None:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["d"], name="noise"),
        helper.make_node("RandomNormalLike", ["d"], ["e"]),
        helper.make_node("Relu", ["e"], ["r"]),
        helper.make_node("Unique", ["r"], ["n"], name="distinct"),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    with pytest.raises(UnsupportedError) as error:
        lower(model_of(nodes, [3, 3]))
    assert "RandomNormalLike (2×, first at main/noise)" in error.value.message
    assert "Unique (1×, first at main/distinct)" in error.value.message


def test_operators_that_nothing_needs_are_not_refused() -> None:
    nodes = [helper.make_node("RandomNormalLike", ["x"], ["unused"]), helper.make_node("Relu", ["x"], ["y"])]
    assert lower(model_of(nodes, [3, 3])).operator_counts == {"relu": 1}


def test_an_operator_that_does_not_fit_its_input_is_named() -> None:
    nodes = [
        helper.make_node("Det", ["x"], ["d"]),
        helper.make_node("Det", ["d"], ["y"], name="of a scalar"),
    ]
    with pytest.raises(UnsupportedError, match="not what the operator takes") as error:
        lower(model_of(nodes, [3, 3]))
    assert error.value.node == "of a scalar"


def test_open_lengths_name_the_input_and_the_option() -> None:
    with pytest.raises(UnsupportedError, match="input 'x' has lengths that are not fixed") as error:
        lower(relu(["N", 3, "H", "W"]))
    assert "--shape x:1,3,H,W" in str(error.value)


def test_an_open_batch_is_one_and_other_lengths_can_be_pinned() -> None:
    assert lower(relu(["N", 3])).mlmodel.get_spec().description.input[0].type.multiArrayType.shape == [1, 3]
    pinned = lower(relu(["N", 3, "H"]), shapes={"x": (2, 3, 5)})
    assert pinned.mlmodel.get_spec().description.input[0].type.multiArrayType.shape == [2, 3, 5]


def test_pinned_shapes_are_checked() -> None:
    with pytest.raises(UsageError, match="the model declares"):
        lower(relu(["N", 3]), shapes={"x": (1, 4)})
    with pytest.raises(UsageError, match="does not have"):
        lower(relu(["N", 3]), shapes={"z": (1, 3)})


def test_rank_six_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="rank 6"):
        lower(relu([1, 1, 1, 1, 1, 2]))


def test_integers_beyond_32_bits_are_refused() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Add", ["i", "big"], ["y"]),
    ]
    with pytest.raises(UnsupportedError, match="beyond 32 bits"):
        lower(model_of(nodes, [2], {"big": np.array([2**40], np.int64)}))


def test_old_opsets_and_formats_are_refused() -> None:
    old = model_of([helper.make_node("Add", ["x", "x"], ["y"])], [1])
    old.opset_import[0].version = 6  # broadcasting was an attribute then
    with pytest.raises(UnsupportedError, match="opset 6"):
        lower(old)
    unchanged = relu([1])
    unchanged.opset_import[0].version = 6
    assert lower(unchanged).operator_counts == {"relu": 1}
    for target in ("iOS14", "macOS11"):
        with pytest.raises(UnsupportedError, match="neuralnetwork"):
            lower(relu([1]), target=target)
    with pytest.raises(UsageError, match="unknown target"):
        lower(relu([1]), target="iOS99")
    with pytest.raises(UsageError, match="unknown precision"):
        lower(relu([1]), precision="bfloat16")


def test_a_refused_node_is_named() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["lengths"], to=TensorProto.INT64),
        helper.make_node("Expand", ["x", "lengths"], ["y"], name="grow"),
    ]
    with pytest.raises(UnsupportedError) as error:
        lower(model_of(nodes, [2]))
    assert error.value.node == "grow"

"""recover-resize: decomposed resizes come back, near misses stay, values stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import passes
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check, matrix

node = helper.make_node


def recovered(model: onnx.ModelProto, name: str = "recover-resize") -> tuple[onnx.ModelProto, Any]:
    """The model after the pass; checks certificates, the checker, and that a second run changes nothing."""
    view = Model.from_proto(model)
    result = passes.run(view, [name])
    for change in result.changes:
        assert change.effect == "respelling" and change.certificate is not None
        check(change.certificate)
    after = view.to_proto()
    onnx.checker.check_model(after, full_check=True)
    assert not passes.run(Model.from_proto(after), [name]).changes
    return after, result


def ops(model: onnx.ModelProto) -> list[str]:
    return [entry.op_type for entry in model.graph.node]


def same_values(
    before: onnx.ModelProto, after: onnx.ModelProto, shape: list[int], exact: bool = True
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    a, b = run(before, {"x": x})[0], run(after, {"x": x})[0]
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=0 if exact else 1e-5)


def repeat_model(
    shape: list[int], factors: tuple[int, int], *, expand: bool, swapped: bool = False, open_: bool = False
) -> onnx.ModelProto:
    """Repeat axes 2 and 3 of NCHW; `swapped` puts the copies before the axis (tiles instead of repeating)."""
    n, c, h, w = shape
    places = [2, 4] if swapped else [3, 5]
    repeats = [1] * 6
    repeats[places[0]], repeats[places[1]] = factors
    constants = [tensor("axes", places, np.int64), tensor("repeats", repeats, np.int64)]
    constants.append(tensor("target", [-1 if open_ else n, c, h * factors[0], w * factors[1]], np.int64))
    nodes = [
        node("Unsqueeze", ["x", "axes"], ["u"]),
        node("Expand" if expand else "Tile", ["u", "repeats"], ["t"]),
        node("Reshape", ["t", "target"], ["y"], name="last"),
    ]
    declared = ["n" if open_ else n, c, h, w]
    return make_model(nodes, [info("x", declared)], [info("y", [None] * 4)], constants)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.tuples(st.integers(1, 4), st.integers(2, 4)),
    st.booleans(),
    st.booleans(),
)
def test_random_repetitions_come_back(
    shape: list[int], factors: tuple[int, int], expand: bool, open_: bool
) -> None:
    before = repeat_model(shape, factors, expand=expand, open_=open_)
    after, _ = recovered(before)
    same_values(before, after, shape)
    if min(shape) > 1:
        assert ops(after) == ["Resize"]
        assert [t.name for t in after.graph.initializer] == [after.graph.node[0].input[2]]


def test_tiling_is_not_repetition() -> None:
    before = repeat_model([1, 2, 3, 4], (2, 2), expand=False, swapped=True)
    after, result = recovered(before)
    assert ops(after) == ops(before) and not result.changes


def test_an_extra_reader_of_what_is_between_keeps_the_nodes() -> None:
    before = repeat_model([1, 2, 3, 4], (2, 3), expand=False)
    before.graph.node.append(node("Relu", ["t"], ["z"]))
    before.graph.output.append(info("z", [None] * 6))
    after, result = recovered(before)
    assert ops(after) == ops(before) and not result.changes
    before = repeat_model([1, 2, 3, 4], (2, 3), expand=False)
    before.graph.output.append(info("t", [None] * 6))
    assert not recovered(before)[1].changes


def test_a_type_without_a_kernel_stays() -> None:
    before = repeat_model([1, 2, 3, 4], (2, 3), expand=False)
    before.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    before.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    after, result = recovered(before)
    assert ops(after) == ops(before)
    assert "onnxruntime has no Resize of int64" in result.notes[0].message


def test_subgraphs_and_functions() -> None:
    inner = repeat_model([1, 2, 3, 4], (2, 3), expand=False)
    branch = helper.make_graph(
        inner.graph.node[:], "then", [], [info("y", [None] * 4)], inner.graph.initializer[:]
    )
    other = helper.make_graph([node("Identity", ["x"], ["e"])], "else", [], [info("e", [None] * 4)], [])
    model = make_model(
        [node("If", ["c"], ["y"], then_branch=branch, else_branch=other)],
        [info("c", [], TensorProto.BOOL), info("x", [1, 2, 3, 4])],
        [info("y", None)],
    )
    view = Model.from_proto(model)
    assert len(passes.run(view, ["recover-resize"]).changes) == 1
    constants = [
        node("Constant", [], [t.name], value=t)
        for t in repeat_model([1, 2, 3, 4], (2, 3), expand=False).graph.initializer
    ]
    function = helper.make_function(
        "f", "up", ["x"], ["y"], [*constants, *inner.graph.node], [helper.make_opsetid("", 18)]
    )
    model = make_model(
        [node("up", ["x"], ["y"], domain="f")],
        [info("x", [1, 2, 3, 4])],
        [info("y", [None] * 4)],
        functions=[function],
        domains={"f": 1},
    )
    view = Model.from_proto(model)
    result = passes.run(view, ["recover-resize"])
    after = view.to_proto()
    same_values(model, after, [1, 2, 3, 4])
    # The axes of length -1 cannot be told in a function: lengths there are not known, and the nodes stay.
    assert not result.changes


WORDS = [
    {"mode": "linear", "coordinates": "half_pixel"},
    {"mode": "linear", "coordinates": "align_corners"},
    {"mode": "linear", "coordinates": "asymmetric"},
    {"mode": "cubic", "coordinates": "half_pixel", "cubic_a": "-1/2", "exclude_outside": True},
]


def product_model(words: dict[str, Any], n: int, m: int, form: str, spoil: float = 0.0) -> onnx.ModelProto:
    exact = np.array([[float(w) for w in row] for row in matrix(words, n, m)], np.float32)
    exact[m // 2, n // 2] += spoil
    if form == "last":
        nodes, constant = [node("MatMul", ["x", "m"], ["y"], name="mm")], exact.T
    elif form == "before":
        nodes, constant = [node("MatMul", ["m", "x"], ["y"], name="mm")], exact
    else:
        nodes, constant = [node("Einsum", ["x", "m"], ["y"], name="mm", equation="nchw,oh->ncow")], exact
    shape = ["n", 2, 3, n] if form == "last" else ["n", 2, n, 3]
    return make_model(nodes, [info("x", shape)], [info("y", [None] * 4)], [tensor("m", constant)])


@pytest.mark.parametrize("form", ["last", "before", "einsum"])
@pytest.mark.parametrize("words", WORDS)
def test_interpolation_matrices_come_back(words: dict[str, Any], form: str) -> None:
    before = product_model(words, 7, 11, form)
    after, result = recovered(before)
    assert ops(after) == ["Resize"]
    assert result.changes[0].certificate["spelling"]["coordinates"] == words["coordinates"]
    same_values(before, after, [2, 2, 3, 7] if form == "last" else [2, 2, 7, 3], exact=False)


def test_one_weight_off_stays() -> None:
    before = product_model(WORDS[0], 7, 11, "last", spoil=1e-4)
    after, result = recovered(before)
    assert ops(after) == ["MatMul"] and not result.changes


def test_two_gathers_are_one_resize_and_one_wrong_index_is_none() -> None:
    def model(columns: list[int]) -> onnx.ModelProto:
        constants = [tensor("r", [0, 0, 1, 1, 2, 2], np.int64), tensor("c", columns, np.int64)]
        nodes = [node("Gather", ["x", "r"], ["a"], axis=2), node("Gather", ["a", "c"], ["y"], axis=3)]
        return make_model(nodes, [info("x", ["n", 2, 3, 3])], [info("y", [None] * 4)], constants)

    after, _ = recovered(model([0, 0, 0, 1, 1, 1, 2, 2, 2]))
    assert ops(after) == ["Resize"]
    same_values(model([0, 0, 0, 1, 1, 1, 2, 2, 2]), after, [2, 2, 3, 3])
    after, _ = recovered(model([0, 1, 0, 1, 1, 1, 2, 2, 2]))
    assert ops(after) == ["Resize", "Gather"]
    same_values(model([0, 1, 0, 1, 1, 1, 2, 2, 2]), after, [2, 2, 3, 3])
    assert not recovered(model([0, 0, 0]), "recover-nearest")[1].changes


@pytest.mark.parametrize("size", [(6, 5), (None, None)])
@pytest.mark.parametrize("opset", [11, 18])
def test_keras_upsampling_comes_back_as_one_resize_per_layer(size: tuple[Any, Any], opset: int) -> None:
    keras = pytest.importorskip("keras")
    tf2onnx = pytest.importorskip("tf2onnx")
    import tensorflow as tf

    source = keras.Input((*size, 3))
    y = keras.layers.Conv2D(2, 3, padding="same")(source)
    y = keras.layers.UpSampling2D((2, 3))(y)
    y = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(y)
    y = keras.layers.UpSampling2D(2)(y)
    network = keras.Model(source, keras.layers.UpSampling2D(2)(y))
    signature = [tf.TensorSpec((None, *size, 3), tf.float32, "x")]
    before, _ = tf2onnx.convert.from_function(tf.function(network), signature, opset=opset)
    view = Model.from_proto(before)
    for change in passes.run(view, ["recover-nearest"]).changes:
        check(change.certificate or {})
    after = view.to_proto()
    assert ops(after).count("Resize") == 3
    assert not {"Tile", "Reshape", "Unsqueeze", "Shape", "Gather"} & set(ops(after))
    same_values(before, after, [2, 6, 5, 3])


def test_many_joins_before_a_repetition_take_no_exponential_time() -> None:
    before = repeat_model([1, 2, 3, 4], (2, 3), expand=False)
    joins = [
        node("Add", ["x" if i == 0 else f"j{i - 1}", "x" if i == 0 else f"j{i - 1}"], [f"j{i}"])
        for i in range(40)
    ]
    before.graph.node[0].input[0] = "j39"
    nodes = [*joins, *before.graph.node]
    del before.graph.node[:]
    before.graph.node.extend(nodes)
    # Inference cannot see through an operator that it does not know.
    before.graph.node[0].op_type, before.graph.node[0].domain = "Own", "elsewhere"
    before.opset_import.append(helper.make_opsetid("elsewhere", 1))
    view = Model.from_proto(before)
    passes.run(view, ["recover-nearest"])
    assert len(view.to_proto().graph.node) >= 41


def test_a_parameter_of_a_function_is_not_read_as_a_number() -> None:
    gather = node("Gather", ["x", "i"], ["y"])
    gather.attribute.append(
        onnx.AttributeProto(name="axis", ref_attr_name="axis", type=onnx.AttributeProto.INT)
    )
    indices = node("Constant", [], ["i"], value=tensor("i", [0, 0, 1, 1], np.int64))
    function = helper.make_function(
        "f", "up", ["x"], ["y"], [indices, gather], [helper.make_opsetid("", 18)], ["axis"]
    )
    model = make_model(
        [node("up", ["x"], ["y"], domain="f", axis=2)],
        [info("x", [1, 2, 2, 4])],
        [info("y", [None] * 4)],
        functions=[function],
        domains={"f": 1},
    )
    assert not passes.run(Model.from_proto(model), ["recover-resize"]).changes

"""Each pass on the graphs that it is for: what it changes, what it says about it, what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import passes
from rewriter.errors import UnsupportedError, UsageError
from rewriter.model import PROVENANCE_KEY, PROVENANCE_TABLE_KEY, Model
from rewriter.rewriting import rewrite
from tests.model.onnx_models import info, make_model, resize_model, run, tensor

SHAPE = [1, 2, 4, 5]
X = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def words(model: Model, name: str = "up") -> dict[str, Any]:
    """The attributes of a node as they would be written, from the message."""
    found: list[onnx.NodeProto] = []

    def visit(nodes: Any) -> None:
        for node in nodes:
            if node.name == name:
                found.append(node)
            for attribute in node.attribute:
                visit(attribute.g.node)

    proto = model.to_proto()
    visit(proto.graph.node)
    for function in proto.functions:
        visit(function.node)
    assert len(found) == 1
    values = {a.name: helper.get_attribute_value(a) for a in found[0].attribute}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in values.items()}


def linear(**attributes: Any) -> onnx.ModelProto:
    return resize_model(SHAPE, [1, 2, 8, 10], sizes=[1, 2, 8, 10], mode="linear", **attributes)


def provenance(op: str, **flags: bool) -> str:
    return json.dumps({"framework": "tensorflow", "op": op, "name": "n", **flags})


# -- normalize-resize -----------------------------------------------------------------------------------------


def test_the_default_intent_is_align_corners_and_its_size_is_reported() -> None:
    done = rewrite(Model.from_proto(linear()))
    change = next(c for c in done.changes if c.pass_ == "normalize-resize")
    assert (change.node, change.attribute, change.old, change.new) == (
        "up",
        "coordinate_transformation_mode",
        None,
        "align_corners",
    )
    assert change.effect == "correction"
    # half_pixel samples -0.25 at the left edge where align_corners samples 0.
    assert change.max_shift_px == pytest.approx(0.25)
    assert done.default_warning is not None
    assert "--intent preserve" in done.default_warning and "--set 'up=half_pixel'" in done.default_warning
    (entry,) = done.resizes
    assert entry["coordinate_transformation_mode"] == {"before": "half_pixel", "after": "align_corners"}
    assert (entry["intent"], entry["intent_from"], entry["effect"]) == (
        "align_corners",
        "default",
        "correction",
    )
    assert entry["coreml"]["parameters"]["sampling_mode"] == "STRICT_ALIGN_CORNERS"


def test_nearest_is_preserved_by_default_and_under_a_general_intent() -> None:
    model = resize_model(SHAPE, [1, 2, 8, 10], sizes=[1, 2, 8, 10], mode="nearest")
    for intent in ("auto", "align_corners", "half_pixel"):
        done = rewrite(Model.from_proto(model), intent=intent)
        assert words(done.model)["coordinate_transformation_mode"] == "half_pixel"
        assert words(done.model)["nearest_mode"] == "round_prefer_floor"
        assert done.default_warning is None


@pytest.mark.parametrize("table", [False, True], ids=["node metadata", "model metadata"])
@pytest.mark.parametrize(
    ("op", "flags", "before", "expected"),
    [
        (
            "ResizeBilinear",
            {"half_pixel_centers": True},
            {"mode": "linear"},
            {"coordinate_transformation_mode": "half_pixel"},
        ),
        ("ResizeBilinear", {}, {"mode": "linear"}, {"coordinate_transformation_mode": "asymmetric"}),
        (
            "ResizeBilinear",
            {"align_corners": True},
            {"mode": "linear"},
            {"coordinate_transformation_mode": "align_corners"},
        ),
        (
            "ResizeNearestNeighbor",
            {"half_pixel_centers": True},
            {
                "mode": "nearest",
                "coordinate_transformation_mode": "tf_half_pixel_for_nn",
                "nearest_mode": "floor",
            },
            {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
        ),
        (
            "ResizeBicubic",
            {"align_corners": True},
            {
                "mode": "cubic",
                "coordinate_transformation_mode": "align_corners",
                "cubic_coeff_a": -0.5,
                "exclude_outside": 1,
            },
            {"coordinate_transformation_mode": "align_corners", "cubic_coeff_a": -0.75, "exclude_outside": 0},
        ),
    ],
)
def test_provenance_restores_what_the_tensorflow_op_computes(
    op: str, flags: dict[str, bool], before: dict[str, Any], expected: dict[str, Any], table: bool
) -> None:
    proto = resize_model(SHAPE, [1, 2, 8, 10], sizes=[1, 2, 8, 10], **before)
    text = provenance(op, **flags)
    if table:
        proto.metadata_props.add(key=PROVENANCE_TABLE_KEY, value=json.dumps({"up": json.loads(text)}))
    else:
        proto.ir_version = 10
        proto.graph.node[0].metadata_props.add(key=PROVENANCE_KEY, value=text)
    done = rewrite(Model.from_proto(proto))
    found = words(done.model)
    assert {name: found[name] for name in expected} == expected
    assert done.resizes[0]["intent_from"] == "provenance"
    assert done.default_warning is None
    if not table:
        assert done.model.to_proto().graph.node[0].metadata_props[0].value == text


def test_an_explicit_intent_beats_provenance_and_a_rule_beats_both() -> None:
    proto = linear(coordinate_transformation_mode="align_corners")
    proto.metadata_props.add(
        key=PROVENANCE_TABLE_KEY,
        value=json.dumps({"up": json.loads(provenance("ResizeBilinear", align_corners=True))}),
    )
    for intent, rules, expected in (
        ("auto", [], "align_corners"),
        ("half_pixel", [], "half_pixel"),
        ("half_pixel", ["u*=asymmetric"], "asymmetric"),
        ("auto", ["up=preserve"], "align_corners"),
    ):
        done = rewrite(Model.from_proto(proto), intent=intent, rules=rules)
        assert words(done.model)["coordinate_transformation_mode"] == expected


def test_a_rule_for_a_nearest_node_takes_the_rounding_of_tensorflow() -> None:
    model = resize_model(SHAPE, [1, 2, 7, 9], sizes=[1, 2, 7, 9], mode="nearest")
    done = rewrite(Model.from_proto(model), rules=["up=asymmetric"])
    assert words(done.model)["nearest_mode"] == "floor"
    rows = [int(i * 4 / 7) for i in range(7)]
    columns = [int(i * 5 / 9) for i in range(9)]
    np.testing.assert_array_equal(run(done.model.to_proto(), {"x": X})[0], X[:, :, rows][..., columns])


def test_a_change_of_words_that_computes_the_same_is_a_respelling() -> None:
    done = rewrite(
        Model.from_proto(linear(coordinate_transformation_mode="pytorch_half_pixel")), intent="half_pixel"
    )
    change = next(c for c in done.changes if c.pass_ == "normalize-resize")
    assert change.effect == "respelling"
    assert change.certificate is not None and change.certificate["equal"] is True


def test_unknown_sizes_give_a_correction_of_unknown_size() -> None:
    proto = resize_model([1, 2, "H", "W"], [1, 2, None, None], scales=[1, 1, 2, 2], mode="linear")
    done = rewrite(Model.from_proto(proto))
    assert words(done.model)["coordinate_transformation_mode"] == "align_corners"
    assert done.resizes[0]["max_shift_px"] is None
    assert "depends on the input's size" in (done.default_warning or "")


def test_a_crop_and_an_antialiased_resize_are_left_alone() -> None:
    crop = resize_model(
        SHAPE,
        [1, 2, 3, 3],
        sizes=[1, 2, 3, 3],
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
    )
    crop.graph.initializer.append(tensor("roi", [0, 0, 0.1, 0.2, 1, 1, 0.8, 0.9]))
    crop.graph.node[0].input[1] = "roi"
    soft = resize_model(SHAPE, [1, 2, 2, 3], sizes=[1, 2, 2, 3], mode="linear", antialias=1)
    for proto, mode in ((crop, "tf_crop_and_resize"), (soft, "half_pixel")):
        done = rewrite(Model.from_proto(proto))
        assert words(done.model)["coordinate_transformation_mode"] == mode
        np.testing.assert_array_equal(run(proto, {"x": X})[0], run(done.model.to_proto(), {"x": X})[0])


def test_a_rule_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="matches no resize"):
        rewrite(Model.from_proto(linear()), rules=["decoder/*=half_pixel"])


# -- explicit-sizes -------------------------------------------------------------------------------------------


def _sizes(model: Model) -> list[int]:
    proto = model.to_proto()
    name = proto.graph.node[-1].input[3]
    return [
        int(n) for n in onnx.numpy_helper.to_array(next(t for t in proto.graph.initializer if t.name == name))
    ]


def test_the_declared_length_wins() -> None:
    # 7 × float32(31/7) is 30.999998: every runtime gives 30, the producer meant 31.
    model = resize_model([1, 1, 7, 7], [1, 1, 31, 31], scales=[1, 1, 31 / 7, 31 / 7], mode="linear")
    done = rewrite(Model.from_proto(model), intent="preserve")
    assert _sizes(done.model) == [1, 1, 31, 31]
    assert any(
        "the file declares 31" in change.why and change.effect == "correction" for change in done.changes
    )
    assert run(done.model.to_proto(), {"x": np.zeros((1, 1, 7, 7), np.float32)})[0].shape == (1, 1, 31, 31)


def test_without_a_declaration_the_length_is_what_onnxruntime_gives() -> None:
    model = resize_model([1, 1, 3, 3], None, scales=[1, 1, 5 / 3, 5 / 3], mode="linear")
    model.graph.output[0].CopyFrom(info("y", [None] * 4))
    done = rewrite(Model.from_proto(model), intent="preserve")
    assert _sizes(done.model) == [1, 1, 5, 5]


def test_a_declared_length_that_contradicts_the_scales_is_not_followed() -> None:
    model = resize_model([1, 1, 4, 4], [1, 1, 16, 16], scales=[1, 1, 2, 2], mode="linear")
    done = rewrite(Model.from_proto(model), intent="preserve")
    assert any("declares 16" in note.message for note in done.notes)
    assert len(done.model.to_proto().graph.node[0].input) == 3


def test_scales_that_take_part_in_the_sampling_stay() -> None:
    model = resize_model([1, 1, 5, 5], [1, 1, 2, 2], scales=[1, 1, 0.5, 0.5], mode="linear")
    done = rewrite(Model.from_proto(model), intent="preserve")
    assert any("take part in the sampling" in note.message for note in done.notes)
    aligned = rewrite(Model.from_proto(model), intent="align_corners")
    assert _sizes(aligned.model) == [1, 1, 2, 2]


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_a_batch_axis_of_unknown_length_stays_unknown(opset: int) -> None:
    proto = resize_model(["N", 2, 4, 5], ["N", 2, 8, 10], scales=[1, 1, 2, 2], opset=opset, mode="linear")
    done = rewrite(Model.from_proto(proto))
    written = done.model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert done.resizes[0]["max_shift_px"] == pytest.approx(0.25)
    if opset >= 18:
        assert words(done.model)["axes"] == [2, 3] and _sizes(done.model) == [8, 10]
    else:
        assert [n.op_type for n in written.graph.node] == ["Shape", "Slice", "Concat", "Resize"]
    x = np.random.default_rng(1).standard_normal((3, 2, 4, 5)).astype(np.float32)
    reference = resize_model(
        [3, 2, 4, 5],
        [3, 2, 8, 10],
        sizes=[3, 2, 8, 10],
        mode="linear",
        coordinate_transformation_mode="align_corners",
    )
    np.testing.assert_allclose(run(written, {"x": x})[0], run(reference, {"x": x})[0], rtol=0, atol=1e-6)
    again = rewrite(Model.from_proto(written))
    assert again.changes == () and again.model.to_bytes() == written.SerializeToString()


# -- explicit-attributes --------------------------------------------------------------------------------------


def test_negative_axes_become_positive() -> None:
    model = resize_model(SHAPE, [1, 2, 8, 10], sizes=[8, 10], mode="linear", axes=[-2, -1])
    done = rewrite(Model.from_proto(model), intent="preserve")
    assert words(done.model)["axes"] == [2, 3]


def test_tf_half_pixel_for_nn_gets_its_legal_spelling() -> None:
    random = np.random.default_rng(2)
    for _ in range(40):
        n, m = (int(v) for v in random.integers(1, 20, 2))
        proto = resize_model(
            [1, 1, 1, n], [1, 1, 1, m], sizes=[1, 1, 1, m], opset=12, mode="nearest",
            coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor",
        )  # fmt: skip
        done = rewrite(Model.from_proto(proto), intent="preserve")
        x = np.arange(n, dtype=np.float32).reshape(1, 1, 1, n)
        expected = [(2 * i + 1) * n // (2 * m) for i in range(m)]  # floor((i + 1/2) n/m), in integers
        np.testing.assert_array_equal(run(done.model.to_proto(), {"x": x})[0].ravel(), expected)
        if n != m:
            assert words(done.model)["coordinate_transformation_mode"] == "half_pixel"


def test_tf_half_pixel_for_nn_with_another_rounding_is_left_with_a_note() -> None:
    proto = resize_model(
        [1, 1, 1, 5], [1, 1, 1, 9], sizes=[1, 1, 1, 9], opset=12, mode="nearest",
        coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="ceil",
    )  # fmt: skip
    done = rewrite(Model.from_proto(proto), intent="preserve")
    assert any("no other spelling" in note.message for note in done.notes)


# -- drop-identity-resize -------------------------------------------------------------------------------------


def _identity(name: str, source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Resize", [source, "", "ones"], [target], name=name, mode="linear")


ONES = tensor("ones", [1, 1, 1, 1])


def test_an_identity_in_the_middle_disappears() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        _identity("up", "r", "u"),
        helper.make_node("Neg", ["u"], ["y"]),
    ]
    proto = make_model(nodes, [info("x", SHAPE)], [info("y", SHAPE)], [ONES], value_info=[info("u", SHAPE)])
    done = rewrite(Model.from_proto(proto))
    written = done.model.to_proto()
    assert [n.op_type for n in written.graph.node] == ["Relu", "Neg"]
    assert not written.graph.initializer and not written.graph.value_info
    assert done.resizes[0]["effect"] == "cleanup"
    assert done.resizes[0]["coordinate_transformation_mode"]["after"] is None
    np.testing.assert_array_equal(run(written, {"x": X})[0], run(proto, {"x": X})[0])


def test_graph_outputs_keep_their_names() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Neg", ["r"], ["n"]),
        _identity("up", "r", "y"),
        _identity("down", "x", "z"),
    ]
    outputs = [info("n", SHAPE), info("y", SHAPE), info("z", SHAPE)]
    proto = make_model(nodes, [info("x", SHAPE)], outputs, [ONES])
    done = rewrite(Model.from_proto(proto))
    written = done.model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert [(n.op_type, list(n.output)) for n in written.graph.node] == [
        ("Relu", ["y"]),
        ("Neg", ["n"]),
        ("Identity", ["z"]),
    ]
    for a, b in zip(run(proto, {"x": X}), run(written, {"x": X}), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rewrite(Model.from_proto(written)).changes == ()


def test_a_reader_inside_a_branch_follows() -> None:
    branch = {
        name: helper.make_graph(
            [helper.make_node(op, ["u"], [f"{name}_out"])], name, [], [info(f"{name}_out", None)]
        )
        for name, op in (("then", "Neg"), ("else", "Abs"))
    }
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        _identity("up", "r", "u"),
        helper.make_node("If", ["c"], ["y"], then_branch=branch["then"], else_branch=branch["else"]),
    ]
    inputs = [info("x", SHAPE), info("c", [], TensorProto.BOOL)]
    proto = make_model(nodes, inputs, [info("y", SHAPE)], [ONES])
    written = rewrite(Model.from_proto(proto)).model.to_proto()
    assert [n.op_type for n in written.graph.node] == ["Relu", "If"]
    for value in (True, False):
        feeds = {"x": X, "c": np.array(value)}
        np.testing.assert_array_equal(run(proto, feeds)[0], run(written, feeds)[0])


def test_equal_lengths_are_not_enough() -> None:
    # Same lengths, but the crop samples elsewhere.
    proto = resize_model(
        SHAPE, SHAPE, sizes=SHAPE, mode="linear", coordinate_transformation_mode="tf_crop_and_resize"
    )
    proto.graph.initializer.append(tensor("roi", [0, 0, 0.25, 0, 1, 1, 0.75, 1]))
    proto.graph.node[0].input[1] = "roi"
    assert [n.op_type for n in rewrite(Model.from_proto(proto)).model.to_proto().graph.node] == ["Resize"]


# -- subgraphs and functions ----------------------------------------------------------------------------------


def test_resizes_in_branches_and_functions_are_rewritten() -> None:
    inner = helper.make_graph(
        [helper.make_node("Upsample", ["x", "s"], ["b"], name="inner", mode="linear")],
        "then",
        [],
        [info("b", None)],
        [tensor("s", [1, 1, 2, 2])],
    )
    other = helper.make_graph(
        [helper.make_node("Up", ["x"], ["b2"], name="call", domain="local")], "else", [], [info("b2", None)]
    )
    function = helper.make_function(
        "local",
        "Up",
        ["a"],
        ["o"],
        [
            helper.make_node("Constant", [], ["k"], value=tensor("", [1, 1, 2, 2])),
            helper.make_node("Upsample", ["a", "k"], ["o"], name="body", mode="nearest"),
        ],
        [helper.make_opsetid("", 9)],
    )
    proto = make_model(
        [helper.make_node("If", ["c"], ["y"], name="if", then_branch=inner, else_branch=other)],
        [info("x", SHAPE), info("c", [], TensorProto.BOOL)],
        [info("y", [1, 2, 8, 10])],
        opset=9,
        functions=[function],
        domains={"local": 1},
    )
    done = rewrite(Model.from_proto(proto), intent="preserve")
    done.check()
    written = done.model.to_proto()
    assert {entry["graph"] for entry in done.resizes} == {"main/if/then_branch", "function:local:Up"}
    assert [written.opset_import[0].version, written.functions[0].opset_import[0].version] == [13, 13]
    assert words(done.model, "inner")["coordinate_transformation_mode"] == "asymmetric"
    assert words(done.model, "body")["nearest_mode"] == "floor"
    for value in (True, False):
        feeds = {"x": X, "c": np.array(value)}
        np.testing.assert_array_equal(run(proto, feeds)[0], run(written, feeds)[0])
    assert rewrite(Model.from_proto(written), intent="preserve").changes == ()


def _calls(words: dict[str, Any], references: dict[str, str], *calls: dict[str, Any]) -> onnx.ModelProto:
    """A function with one Resize, some attributes of which are its parameters, and calls of it in a row."""
    node = helper.make_node("Resize", ["a", "", "k"], ["o"], name="body", **words)
    for name, parameter in references.items():
        kind = onnx.AttributeProto.FLOAT if name == "cubic_coeff_a" else onnx.AttributeProto.STRING
        node.attribute.add(name=name, ref_attr_name=parameter, type=kind)
    function = helper.make_function(
        "local",
        "Up",
        ["a"],
        ["o"],
        [helper.make_node("Constant", [], ["k"], value=tensor("", [1, 1, 2, 2])), node],
        [helper.make_opsetid("", 18)],
        attributes=list(references.values()),
    )
    nodes, source = [], "x"
    for index, given in enumerate(calls):
        target = "y" if index == len(calls) - 1 else f"t{index}"
        nodes.append(helper.make_node("Up", [source], [target], name=f"call{index}", domain="local", **given))
        source = target
    factor = 2 ** len(calls)
    output = info("y", [1, 2, 4 * factor, 5 * factor])
    return make_model(nodes, [info("x", SHAPE)], [output], functions=[function], domains={"local": 1})


GRID = {"coordinate_transformation_mode": "grid"}


def test_a_mode_that_calls_give_different_values_is_left_with_a_note() -> None:
    proto = _calls({"mode": "linear"}, GRID, {"grid": "asymmetric"}, {"grid": "half_pixel"})
    done = rewrite(Model.from_proto(proto))
    assert any("from the function around it" in note.message for note in done.notes)
    np.testing.assert_array_equal(run(proto, {"x": X})[0], run(done.model.to_proto(), {"x": X})[0])


@pytest.mark.parametrize("name", passes.DEFAULT)
def test_a_mode_that_every_call_gives_one_value_is_written_out(name: str) -> None:
    proto = _calls({"mode": "linear"}, GRID, {"grid": "asymmetric"}, {"grid": "asymmetric"})
    model = Model.from_proto(proto)
    passes.run(model, [name], intent="preserve")
    np.testing.assert_array_equal(run(proto, {"x": X})[0], run(model.to_proto(), {"x": X})[0])
    assert passes.run(Model.from_proto(model.to_proto()), [name], intent="preserve").changes == ()


def test_intents_reach_parameters_of_functions() -> None:
    proto = _calls({}, {"mode": "kind", **GRID}, {"grid": "asymmetric", "kind": "linear"})
    done = rewrite(Model.from_proto(proto), intent="half_pixel")
    assert words(done.model, "body")["coordinate_transformation_mode"] == "half_pixel"
    reference = resize_model(SHAPE, [1, 2, 8, 10], sizes=[1, 2, 8, 10], mode="linear")
    np.testing.assert_array_equal(run(done.model.to_proto(), {"x": X})[0], run(reference, {"x": X})[0])
    again = rewrite(Model.from_proto(done.model.to_proto()), intent="half_pixel")
    assert again.changes == () and not again.model.is_edited


def test_old_words_in_parameters_become_modern() -> None:
    references = {**GRID, "nearest_mode": "rounding"}
    old = {"grid": "tf_half_pixel_for_nn", "rounding": "floor"}
    proto = _calls({"mode": "nearest"}, references, old)
    model = Model.from_proto(proto)
    passes.run(model, ["explicit-attributes"])
    found = words(model, "body")
    assert found["coordinate_transformation_mode"] == "half_pixel"
    assert found["nearest_mode"] == "round_prefer_ceil" and found["exclude_outside"] == 0
    np.testing.assert_array_equal(run(proto, {"x": X})[0], run(model.to_proto(), {"x": X})[0])


def test_attributes_beside_a_parameter_are_written_out() -> None:
    proto = _calls({"mode": "cubic"}, {"cubic_coeff_a": "a"}, {"a": -0.5}, {"a": -0.75})
    model = Model.from_proto(proto)
    passes.run(model, ["explicit-attributes"])
    node = model.to_proto().functions[0].node[-1]
    assert {a.name for a in node.attribute} >= {"exclude_outside", "antialias", "nearest_mode", "mode"}
    assert next(a for a in node.attribute if a.name == "cubic_coeff_a").ref_attr_name == "a"
    np.testing.assert_array_equal(run(proto, {"x": X})[0], run(model.to_proto(), {"x": X})[0])


def test_a_nearest_resize_10_with_computed_scales_is_refused() -> None:
    node = helper.make_node("Resize", ["x", "s"], ["y"], name="up", mode="nearest")
    proto = make_model(
        [node], [info("x", SHAPE), info("s", [4])], [info("y", [None] * 4)], opset=10, ir_version=4
    )
    with pytest.raises(UnsupportedError, match="rounds up or down"):
        rewrite(Model.from_proto(proto))
    done = rewrite(Model.from_proto(proto), skip=["upgrade-resize"])
    assert not done.model.is_edited


def test_passes_run_alone_and_in_any_order() -> None:
    proto = linear()
    for name in passes.DEFAULT:
        model = Model.from_proto(proto)
        passes.run(model, [name])
        onnx.checker.check_model(model.to_proto(), full_check=True)
    forward, backward = Model.from_proto(proto), Model.from_proto(proto)
    passes.run(forward, passes.DEFAULT)
    passes.run(backward, passes.DEFAULT[::-1])
    assert run(forward.to_proto(), {"x": X})[0].tolist() == run(backward.to_proto(), {"x": X})[0].tolist()


@pytest.mark.parametrize("op", ["Slice", "Gather"])
def test_sizes_that_only_carry_the_batch_axis_over_are_understood(op: str) -> None:
    # What tf2onnx writes for dynamic shapes: Shape -> Slice [0:2] -> Concat with the target size.
    part = {
        "Slice": helper.make_node("Slice", ["shape", "zero", "two"], ["nc"]),
        "Gather": helper.make_node("Gather", ["shape", "both"], ["nc"]),
    }[op]
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        part,
        helper.make_node("Concat", ["nc", "hw"], ["sizes"], axis=0),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], name="up", mode="linear"),
    ]
    constants = {"zero": [0], "two": [2], "both": [0, 1], "hw": [8, 10]}
    proto = make_model(
        nodes,
        [info("x", ["N", "C", 4, 5])],
        [info("y", ["N", "C", None, None])],
        [tensor(name, values, np.int64) for name, values in constants.items()],
    )
    done = rewrite(Model.from_proto(proto))
    assert done.resizes[0]["max_shift_px"] == pytest.approx(0.25)
    assert done.resizes[0]["coreml"]["parameters"]["sampling_mode"] == "STRICT_ALIGN_CORNERS"

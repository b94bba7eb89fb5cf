"""A model comes back byte for byte, except where a pass edited it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import passes
from rewriter.errors import InputError
from rewriter.model import Model
from tests.model.onnx_models import everything, info, make_model, resize_model, run, tensor

WHEEL_DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


def test_every_file_of_the_onnx_wheel_comes_back_unchanged(tmp_path: Path) -> None:
    files = sorted(WHEEL_DATA.glob("**/model.onnx"))
    assert len(files) > 100
    for file in files:
        model = Model.load(file)
        assert len(model.graph.nodes) == len(model.original.graph.node)
        model.save(tmp_path / "out.onnx")
        assert (tmp_path / "out.onnx").read_bytes() == file.read_bytes(), file


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_node_test_of_onnx_comes_back_unchanged() -> None:
    from onnx.backend.test.case.node import collect_testcases

    cases = collect_testcases(None)
    assert len(cases) > 1500
    for case in cases:
        data = case.model.SerializeToString()
        model = Model.from_bytes(data)
        assert list(model.scopes())
        assert not model.is_edited, case.name
        assert model.to_bytes() == data


def test_a_model_with_every_optional_field_comes_back_unchanged(tmp_path: Path) -> None:
    proto = everything()
    onnx.checker.check_model(proto, full_check=True)
    model = Model.from_proto(proto)
    paths = [scope.path for scope in model.scopes()]
    assert paths == ["main", "main/if/else_branch", "main/if/then_branch", "function:local:F:v2"]
    assert model.to_bytes() == proto.SerializeToString()
    model.save(tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_bytes() == proto.SerializeToString()


def test_a_rewrite_changes_only_what_it_lists() -> None:
    proto = everything()
    model = Model.from_proto(proto)
    result = passes.run(model)
    assert {change.node for change in result.changes} == {"up"}
    written = model.to_proto()
    assert (
        helper.get_node_attr_value(written.graph.node[2], "coordinate_transformation_mode")
        == b"align_corners"
    )
    # Put the one node and its tensors back: everything else must be as it was.
    written.graph.node[2].CopyFrom(proto.graph.node[2])
    before = {entry.name: entry for entry in proto.graph.initializer}
    after = {entry.name: entry for entry in written.graph.initializer}
    assert set(before) - set(after) == {"s"}
    assert set(after) - set(before) == {"u_sizes"}
    assert all(after[name] == before[name] for name in set(before) & set(after))
    del written.graph.initializer[:]
    written.graph.initializer.extend(proto.graph.initializer)
    assert written.SerializeToString() == proto.SerializeToString()


def test_bytes_that_no_serialiser_would_write_survive_an_edit() -> None:
    proto = resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2])
    graph = proto.graph.SerializeToString()
    # The graph first, then a string field twice: the parser keeps the last one.
    rest = onnx.ModelProto()
    rest.CopyFrom(proto)
    rest.ClearField("graph")
    header = helper.make_model(proto.graph).SerializeToString()[:0]
    data = header + b"\x3a" + _length(graph) + graph + b"\x12\x03one\x12\x03two" + rest.SerializeToString()
    assert onnx.ModelProto.FromString(data).producer_name == "two"
    model = Model.from_bytes(data)
    model.graph.nodes[0].attrs["mode"] = "linear"
    written = model.to_bytes()
    assert written.endswith(b"\x12\x03one\x12\x03two" + rest.SerializeToString())
    assert helper.get_node_attr_value(onnx.ModelProto.FromString(written).graph.node[0], "mode") == b"linear"


def _length(data: bytes) -> bytes:
    value, out = len(data), bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_a_graph_in_two_pieces_is_joined_before_an_edit() -> None:
    proto = resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2])
    head, tail = onnx.ModelProto(), onnx.ModelProto()
    head.CopyFrom(proto)
    del head.graph.initializer[:]
    tail.graph.initializer.extend(proto.graph.initializer)
    data = head.SerializeToString() + tail.SerializeToString()
    model = Model.from_bytes(data)
    assert model.to_bytes() == data
    model.graph.nodes[0].attrs["mode"] = "linear"
    expected = onnx.ModelProto()
    expected.CopyFrom(proto)
    expected.graph.node[0].attribute.append(helper.make_attribute("mode", "linear"))
    assert model.to_proto() == expected


EDITS = (
    "attribute",
    "new_attribute",
    "drop_attribute",
    "rename",
    "op",
    "values",
    "swap",
    "remove",
    "insert",
    "opset",
)


@settings(max_examples=80, deadline=None)
@given(edits=st.lists(st.sampled_from(EDITS), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_edits_of_the_view_equal_edits_of_the_message(edits: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    proto = everything()
    model = Model.from_proto(proto)
    expected = onnx.ModelProto()
    expected.CopyFrom(proto)
    graph, message = model.graph, expected.graph
    for edit in edits:
        _edit(edit, random, model, graph, expected, message)
    assert model.to_proto() == expected
    again = Model.from_proto(model.to_proto())
    assert not again.is_edited


def _edit(
    edit: str,
    random: np.random.Generator,
    model: Model,
    graph: gs.Graph,
    expected: onnx.ModelProto,
    message: onnx.GraphProto,
) -> None:
    index = int(random.integers(len(graph.nodes)))
    node, raw = graph.nodes[index], message.node[index]
    value = int(random.integers(1, 100))
    if edit == "attribute":
        inner = next(
            v for n in graph.nodes for v in n.attrs.values() if isinstance(v, gs.Graph) and v.name == "then"
        )
        inner.nodes[0].attrs["beta"] = float(value)
        owner = next(n for n in message.node if n.op_type == "If")
        target = next(a for a in owner.attribute if a.g.name == "then").g.node[0]
        _set(target, "beta", float(value))
    elif edit == "new_attribute":
        node.attrs["gamma"] = [value, 2]
        _set(raw, "gamma", [value, 2])
    elif edit == "drop_attribute" and raw.attribute:
        del node.attrs[raw.attribute[0].name]
        del raw.attribute[0]
    elif edit == "rename":
        node.name = raw.name = f"renamed{value}"
    elif edit == "op":
        function = model.graph.functions[0]
        function.nodes[0].op = expected.functions[0].node[0].op_type = f"Op{value}"
    elif edit == "values":
        weights = (
            next(t for n in graph.nodes for t in n.inputs if t.name == "w") if "w" in _used(graph) else None
        )
        if weights is not None:
            weights.values = np.full((2, 2, 3, 3), value, np.float32)
            target = next(t for t in message.initializer if t.name == "w")
            replaced = tensor("w", weights.values)
            replaced.doc_string = target.doc_string
            replaced.metadata_props.extend(target.metadata_props)
            target.CopyFrom(replaced)
    elif edit == "swap" and len(graph.nodes) > 1:
        graph.nodes[0], graph.nodes[1] = graph.nodes[1], graph.nodes[0]
        first = onnx.NodeProto()
        first.CopyFrom(message.node[0])
        message.node[0].CopyFrom(message.node[1])
        message.node[1].CopyFrom(first)
    elif edit == "remove" and raw.op_type == "Constant":
        del graph.nodes[index]
        del message.node[index]
    elif edit == "insert":
        name = f"new{value}_{index}_{len(graph.nodes)}"
        graph.nodes.insert(
            index,
            gs.Node("Neg", name, {"k": 1}, [graph.inputs[0]], [gs.Variable(f"{name}_out")], domain="local"),
        )
        made = helper.make_node("Neg", ["x"], [f"{name}_out"], name=name, domain="local", k=1)
        message.node.insert(index, made)
    elif edit == "opset":
        model.opset = expected.opset_import[0].version = 19 + value % 3


def _used(graph: gs.Graph) -> set[str]:
    return {t.name for n in graph.nodes for t in n.inputs}


def _set(node: onnx.NodeProto, name: str, value: object) -> None:
    for attribute in node.attribute:
        if attribute.name == name:
            attribute.CopyFrom(helper.make_attribute(name, value))
            return
    node.attribute.append(helper.make_attribute(name, value))


def test_reading_values_is_not_an_edit() -> None:
    model = Model.from_proto(everything())
    for node in model.graph.nodes:
        for value in (*node.inputs, *node.attrs.values()):
            if isinstance(value, gs.Constant):
                assert value.values is not None
    assert not model.is_edited


def test_new_constants_land_where_they_are_legal() -> None:
    model = Model.from_proto(everything())
    main = model.graph
    shared = gs.Constant("shared", np.ones(1, np.float32))
    then = next(
        v for n in main.nodes for v in n.attrs.values() if isinstance(v, gs.Graph) and v.name == "then"
    )
    then.nodes[0].inputs[1] = shared
    main.nodes[0].inputs.append(gs.Constant("bias", np.ones(2, np.float32)))
    function = main.functions[0]
    function.nodes[0].op = "Add"
    del function.nodes[0].attrs["alpha"]
    function.nodes[0].inputs.append(gs.Constant("one", np.ones(1, np.float32)))
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert "bias" in {t.name for t in written.graph.initializer}
    branch = next(
        a.g for n in written.graph.node if n.op_type == "If" for a in n.attribute if a.g.name == "then"
    )
    # `k` was used before and is not now: it goes; its replacement belongs to the branch.
    assert [t.name for t in branch.initializer] == ["shared"]
    assert [n.op_type for n in written.functions[0].node] == ["Constant", "Add"]


def test_before_ir_4_constants_become_nodes_and_idle_weights_leave_the_inputs() -> None:
    node = helper.make_node("Upsample", ["x", "s"], ["y"], name="up", mode="nearest")
    proto = make_model(
        [node],
        [info("x", [1, 1, 2, 2])],
        [info("y", [1, 1, 4, 4])],
        [tensor("s", [1, 1, 2, 2])],
        opset=9,
        ir_version=3,
    )
    onnx.checker.check_model(proto)
    model = Model.from_proto(proto)
    passes.run(model)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert [entry.name for entry in written.graph.input] == ["x"]
    assert not written.graph.initializer
    feeds = {"x": np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)}
    np.testing.assert_array_equal(run(proto, feeds)[0], run(written, feeds)[0])


def test_strings_that_are_not_utf8_survive() -> None:
    node = helper.make_node("Constant", [], ["c"], name="c", value_string=b"\xff\xfe")
    resize = resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2]).graph
    proto = make_model(
        [node, *resize.node], list(resize.input), list(resize.output), list(resize.initializer)
    )
    model = Model.from_proto(proto)
    assert not model.is_edited
    passes.run(model)
    assert model.to_proto().graph.node[0] == node


def test_external_data_is_left_in_place_and_carried_along(tmp_path: Path) -> None:
    proto = everything()
    (tmp_path / "a").mkdir()
    onnx.save(
        proto,
        tmp_path / "a" / "m.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="m.data",
        size_threshold=100,
    )
    stamp = (tmp_path / "a" / "m.data").stat()
    model = Model.load(tmp_path / "a" / "m.onnx")
    assert model.external_locations == ["m.data"]
    passes.run(model)
    model.save(tmp_path / "a" / "out.onnx")
    (tmp_path / "b").mkdir()
    model.save(tmp_path / "b" / "out.onnx")
    model.save(tmp_path / "b" / "out.onnx")
    for name in ("a", "b"):
        onnx.checker.check_model(str(tmp_path / name / "out.onnx"))
        loaded = onnx.load(tmp_path / name / "out.onnx")
        assert loaded.graph.initializer[0].raw_data == everything().graph.initializer[0].raw_data
    assert (tmp_path / "a" / "m.data").stat().st_mtime_ns == stamp.st_mtime_ns
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "m.data").write_bytes(b"someone else's")
    with pytest.raises(InputError, match="would overwrite"):
        model.save(tmp_path / "c" / "out.onnx")
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["m.data"]
    (tmp_path / "a" / "m.data").unlink()
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match="missing"):
        model.save(tmp_path / "d" / "out.onnx")
    assert not list((tmp_path / "d").iterdir())

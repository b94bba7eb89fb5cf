"""Nodes and tensors become objects when they are looked at, and nobody can tell that they were not there before."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import passes
from rewriter import checking
from rewriter.checking import examine
from rewriter.cutout import cut_out
from rewriter.model import Model, entries, nodes_of, op_types, position, remove
from tests.model.onnx_models import everything, info, make_model, tensor


def chain(length: int, resize_at: int | None = None) -> onnx.ModelProto:
    """`length` nodes one after another, one of them a Resize."""
    nodes, last = [], "x"
    for index in range(length):
        if index == resize_at:
            node = helper.make_node("Resize", [last, "", "scales"], [f"t{index}"], name="up", mode="linear")
        else:
            node = helper.make_node(
                ("Relu", "Neg", "Abs")[index % 3], [last], [f"t{index}"], name=f"n{index}"
            )
        nodes.append(node)
        last = f"t{index}"
    weights = [] if resize_at is None else [tensor("scales", [1, 1, 2, 2])]
    return make_model(nodes, [info("x", [1, 1, 4, 4])], [info(last, ["n", "c", "h", "w"])], weights)


def looked_at(graph: gs.Graph) -> int:
    return sum(not isinstance(entry, int) for entry in entries(graph))


def test_a_rewrite_looks_at_what_it_changes_only() -> None:
    model = Model.from_proto(chain(3000, resize_at=1500))
    assert len(model.graph.nodes) == 3000
    assert looked_at(model.graph) == 0
    assert passes.run(model).changes
    assert 1 <= looked_at(model.graph) <= 5
    written = model.to_proto()
    assert looked_at(model.graph) <= 5
    assert [node.name for node in written.graph.node] == [f"n{i}" if i != 1500 else "up" for i in range(3000)]
    assert model.graph.nodes[1500].attrs["coordinate_transformation_mode"] == "align_corners"


def test_what_was_looked_at_is_a_model_of_its_own() -> None:
    model = Model.from_proto(chain(3000, resize_at=1500))
    passes.run(model)
    whole = model.to_proto()
    part = cut_out(whole, model)
    assert part is not None
    onnx.checker.check_model(part, full_check=True)
    assert "Resize" in [node.op_type for node in part.graph.node]
    assert len(part.graph.node) <= 5
    assert [entry.name for entry in part.graph.input][:1] in (["t1499"], ["t1498"])
    assert cut_out(whole, Model.from_proto(chain(3000))) is None


def _links(graph: gs.Graph, seen: dict[int, gs.Tensor]) -> tuple[Counter[Any], Counter[Any]]:
    """Who makes and who reads which tensor object, from the nodes."""
    makes: Counter[Any] = Counter()
    reads: Counter[Any] = Counter()
    for node in graph.nodes:
        for found, tensors in ((makes, node.outputs), (reads, node.inputs)):
            for each in tensors:
                seen[id(each)] = each
                found[id(each), id(node)] += 1
        for value in node.attrs.values():
            if isinstance(value, gs.Graph):
                inner = _links(value, seen)
                makes += inner[0]
                reads += inner[1]
    return makes, reads


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("asked_first", [False, True])
def test_links_are_those_of_the_nodes(asked_first: bool) -> None:
    from onnx.backend.test.case.node import collect_testcases

    cases = [case.model for case in collect_testcases(None)]
    models = [everything(), *(m for m in cases if len(m.graph.node) > 3), *cases[::40]]
    assert len(models) > 100
    for proto in models:
        model = Model.from_proto(proto)
        if asked_first:  # through tensors, before anybody walked through the nodes
            for each in (*model.graph.inputs, *model.graph.outputs):
                assert isinstance(each.inputs + each.outputs, list)
        for graph in (model.graph, *model.graph.functions):
            seen: dict[int, gs.Tensor] = {}
            makes, reads = _links(graph, seen)
            for each in seen.values():
                for links, expected in ((each.inputs, makes), (each.outputs, reads)):
                    found = Counter((id(each), id(node)) for node in links)
                    assert found == {k: n for k, n in expected.items() if k[0] == id(each)}, proto.graph.name
        assert not model.is_edited


ACTIONS = (
    "insert",
    "append",
    "delete",
    "cut",
    "replace",
    "assign",
    "remove",
    "pop",
    "reverse",
    "look",
    "sort",
)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30), st.integers(0, 30)), max_size=8)
)
def test_the_list_of_nodes_behaves_as_a_list(steps: list[tuple[str, int, int]]) -> None:
    lazy = Model.from_proto(chain(9)).graph.nodes
    names = [f"n{index}" for index in range(9)]
    fresh_end = gs.Node("Neg", "end")
    for made, (action, a, b) in enumerate(steps):
        size = len(names)
        place, low, high = a % max(size, 1), min(a, b) % (size + 1), max(a, b) % (size + 1)
        fresh = gs.Node("Neg", f"new{made}")
        if action == "insert":
            lazy.insert(place, fresh)
            names.insert(place, fresh.name)
        elif action == "append":
            lazy.append(fresh)
            names.append(fresh.name)
        elif action == "delete" and size:
            del lazy[place]
            del names[place]
        elif action == "cut":
            del lazy[low:high]
            del names[low:high]
        elif action == "replace" and size:
            lazy[place] = fresh
            names[place] = fresh.name
        elif action == "assign":
            lazy[low:high] = [fresh]
            names[low:high] = [fresh.name]
        elif action == "remove" and size:
            lazy.remove(lazy[place])
            names.remove(names[place])
        elif action == "pop" and size:
            assert lazy.pop(place).name == names.pop(place)
        elif action == "reverse":
            lazy.reverse()
            names.reverse()
        elif action == "sort":
            lazy.sort(key=lambda node: node.name)
            names.sort()
        elif action == "look" and size:
            assert lazy[-1 - place].name == names[-1 - place]
            assert lazy.index(lazy[place]) == place
            assert lazy[place] in lazy
    assert [node.name for node in lazy] == names
    assert [node.name for node in lazy[1:-1]] == names[1:-1]
    assert [node.name for node in lazy + [fresh_end]] == [*names, "end"]  # noqa: RUF005
    assert len(lazy) == len(names)


def test_nodes_by_type_follow_edits() -> None:
    graph = Model.from_proto(chain(12)).graph
    assert op_types(graph) == {"Relu", "Neg", "Abs"}
    assert [node.name for node in nodes_of(graph, "Neg")] == ["n1", "n4", "n7", "n10"]
    graph.nodes[1].op = "Relu"
    graph.nodes[2].op = "Neg"
    assert [node.name for node in nodes_of(graph, "Neg")] == ["n2", "n4", "n7", "n10"]
    remove(graph, [graph.nodes[2], graph.nodes[7]])
    graph.nodes.insert(0, gs.Node("Neg", "first"))
    assert [node.name for node in nodes_of(graph, "Neg")] == ["first", "n4", "n10"]
    assert position(graph, graph.nodes[4]) == 4
    with pytest.raises(ValueError, match="not in the graph"):
        position(graph, gs.Node("Neg", "other"))


def test_onnx_graphsurgeon_itself_works_on_the_view() -> None:
    proto = chain(6)
    proto.graph.node.append(helper.make_node("Neg", ["x"], ["unused"], name="dead"))
    model = Model.from_proto(proto)
    graph = model.graph
    assert set(graph.tensors()) == {"x", "unused", *(f"t{i}" for i in range(6))}
    duplicate = graph.copy()
    assert [node.name for node in duplicate.nodes] == [node.name for node in graph.nodes]
    assert len(copy.copy(graph.nodes)) == 7
    graph.cleanup().toposort()
    assert [node.name for node in graph.nodes] == [f"n{i}" for i in range(6)]
    del proto.graph.node[-1]
    assert model.to_proto() == proto


def test_a_removed_node_takes_its_weights_along() -> None:
    nodes = [
        helper.make_node("Add", ["x", "a"], ["y"], name="first"),
        helper.make_node("Add", ["y", "b"], ["z"], name="second"),
    ]
    weights = [tensor("a", np.ones(4)), tensor("b", np.ones(4)), tensor("idle", [0])]
    model = Model.from_proto(make_model(nodes, [info("x", [4])], [info("y", [4])], weights))
    del model.graph.nodes[1]
    # What was idle before is not ours to remove.
    assert [each.name for each in model.to_proto().graph.initializer] == ["a", "idle"]


def test_a_variable_of_the_file_can_become_a_constant_and_back() -> None:
    model = Model.from_proto(chain(3))
    (source,) = model.graph.inputs
    source.to_constant(np.ones((1, 1, 4, 4), np.float32))
    model.graph.inputs = []
    written = model.to_proto()
    assert [each.name for each in written.graph.initializer] == ["x"]
    assert not written.graph.input
    onnx.checker.check_model(written, full_check=True)
    again = Model.from_proto(written)
    (weight,) = again.graph.nodes[0].inputs
    weight.to_variable(np.float32, [1, 1, 4, 4])
    again.graph.inputs = [weight]
    assert not again.to_proto().graph.initializer


def _long_model() -> Model:
    """A Resize early in a chain that ends in a sum with an input of the enlarged size."""
    proto = chain(4500, resize_at=10)
    proto.graph.node.append(helper.make_node("Add", ["t4499", "z"], ["sum"], name="sum"))
    proto.graph.input.append(info("z", [1, 1, 8, 8]))
    proto.graph.output[0].CopyFrom(info("sum", [1, 1, 8, 8]))
    return Model.from_proto(proto)


def test_a_large_model_is_rejected_where_an_edit_does_not_fit_what_was_not_touched() -> None:
    model = _long_model()
    (resize,) = model.resizes()
    assert resize.output_shape == (1, 1, 8, 8)
    resize.node.inputs[2].values = np.array([1, 1, 3, 3], np.float32)
    verdict = examine(model)
    assert verdict.error is not None and "name: sum" in verdict.error


def test_a_large_model_that_was_not_sound_before_is_looked_at_as_a_whole() -> None:
    proto = _long_model().to_proto()
    proto.graph.input[1].CopyFrom(info("z", [1, 1, 5, 5]))
    model = Model.from_proto(proto)
    (resize,) = model.resizes()
    resize.node.attrs["coordinate_transformation_mode"] = "align_corners"
    assert model.types_before() is None
    assert examine(model).error is not None


def test_a_large_model_is_accepted_by_what_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _long_model()
    assert passes.run(model).changes
    seen: list[int] = []
    real = checking._both
    monkeypatch.setattr(
        checking, "_both", lambda data, directory: seen.append(len(data)) or real(data, directory)
    )
    assert examine(model).accepted
    assert len(seen) == 1 and seen[0] < len(model.to_bytes()) / 100


def test_functions_of_one_name_do_not_stop_a_reader() -> None:
    """onnx's shape inference raises its checker's error for these; found by fuzzing."""
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("local", "Up", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    proto = make_model(
        [helper.make_node("Up", ["x"], ["y"], domain="local")],
        [info("x", [2])],
        [info("y", None)],
        functions=[function, function],
        domains={"local": 1},
    )
    model = Model.from_proto(proto)
    (scope, *_) = model.scopes()
    assert model.shape(scope.graph.nodes[0].outputs[0], scope) is None
    assert model.to_bytes() == proto.SerializeToString()

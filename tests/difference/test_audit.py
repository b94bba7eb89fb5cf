"""A rewrite that changes something which it does not list is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import onnx
import pytest
from click.testing import CliRunner
from onnx import helper

import passes
from passes.base import Pass, PassContext, PassResult
from rewriter.cli.rewrite import main
from rewriter.difference import audit
from rewriter.errors import PassError
from rewriter.model import Model
from rewriter.rewriting import rewrite
from tests.model.onnx_models import everything, info, make_model, resize_model, tensor


def _edit_weight(model: Model) -> None:
    weight = next(t for node in model.graph.nodes for t in node.inputs if t.name == "w")
    weight.values = weight.values + 1


def _edit_metadata_of(model: Model) -> None:
    model.graph.doc_string = "smuggled in"


def _edit_node(model: Model) -> None:
    next(node for node in model.graph.nodes if node.op == "Conv").attrs["pads"] = [0, 0, 2, 2]


def _edit_resize(model: Model) -> None:
    next(node for node in model.graph.nodes if node.op == "Resize").attrs["extrapolation_value"] = 7.0


def _drop_node(model: Model) -> None:
    node = next(node for node in model.graph.nodes if node.op == "Relu")
    for reader in list(node.outputs[0].outputs):
        reader.inputs = [node.inputs[0] if t is node.outputs[0] else t for t in reader.inputs]
    node.inputs.clear()
    node.outputs.clear()
    model.graph.nodes.remove(node)


def _edit_input(model: Model) -> None:
    model.graph.inputs[0].shape = ["n", 1, 4, 4]


SMUGGLED = {
    "initializer w": _edit_weight,
    "doc_string": _edit_metadata_of,
    "attribute pads": _edit_node,
    "attribute extrapolation_value": _edit_resize,
    "node removed": _drop_node,
    "input x": _edit_input,
}


def _network(path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Resize", ["r", "", "s"], ["u"], name="up", mode="linear"),
        helper.make_node("Resize", ["u", "", "one"], ["i"], name="same", mode="linear"),
        helper.make_node("Neg", ["i"], ["y"], name="neg"),
    ]
    weights = [tensor("w", [[[[1.0] * 3] * 3]]), tensor("s", [1, 1, 2, 2]), tensor("one", [1, 1, 1, 1])]
    onnx.save(make_model(nodes, [info("x", [1, 1, 4, 4])], [info("y", [1, 1, 8, 8])], weights), path)


@pytest.mark.parametrize("what", SMUGGLED)
def test_a_change_that_is_not_listed_is_found(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Smuggler(Pass):
        name: ClassVar[str] = "smuggler"
        summary: ClassVar[str] = "changes something and does not say so"

        def run(self, model: Model, context: PassContext) -> PassResult:
            SMUGGLED[what](model)
            return PassResult()

    _network(tmp_path / "m.onnx")
    model = Model.load(tmp_path / "m.onnx")
    done = rewrite(model)
    Smuggler().run(model, PassContext(done.intents))
    with pytest.raises(PassError, match="in something that no pass lists") as caught:
        done.save(tmp_path / "out.onnx", check=False, audit=True)
    assert what in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_an_honest_rewrite_passes(tmp_path: Path) -> None:
    _network(tmp_path / "m.onnx")
    result = CliRunner().invoke(
        main, [str(tmp_path / "m.onnx"), "-o", str(tmp_path / "out.onnx"), "--audit", "--json", "-"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["audit"]["unexplained"] == []
    assert len(report["audit"]["differences"]) > 8
    assert "differences, all of them listed changes" in result.stderr
    again = CliRunner().invoke(
        main, [str(tmp_path / "out.onnx"), "-o", str(tmp_path / "again.onnx"), "--audit"]
    )
    assert "audit: the files are identical" in again.output


def test_in_place_and_dry_run(tmp_path: Path) -> None:
    _network(tmp_path / "m.onnx")
    result = CliRunner().invoke(main, [str(tmp_path / "m.onnx"), "--in-place", "--audit"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, [str(tmp_path / "m.onnx"), "--dry-run", "--audit"])
    assert result.exit_code == 2
    assert "--dry-run writes none" in result.stderr


def _models() -> dict[str, Any]:
    from onnx.backend.test.case.node import collect_testcases

    found = {
        case.name: case.model
        for case in collect_testcases(None)
        if any(node.op_type in ("Resize", "Upsample") for node in case.model.graph.node)
    }
    found["everything"] = everything()
    for opset in (9, 10, 11, 13, 18):
        for scales in ([1, 1, 2, 2], [1, 1, 0.5, 3], [1, 1, 1, 1]):
            op = {} if opset > 9 else {"op": "Upsample"}
            proto = resize_model([1, 1, 4, 4], None, scales=scales, opset=max(opset, 10), mode="linear")
            if op:
                proto.graph.node[0].op_type = "Upsample"
                proto.opset_import[0].version = 9
            found[f"{opset} {scales}"] = proto
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("intent", ["preserve", "align_corners"])
def test_every_pass_lists_all_that_it_changes(intent: str, tmp_path: Path) -> None:
    models = _models()
    assert len(models) > 50
    edited = 0
    for name, proto in models.items():
        onnx.save(proto, tmp_path / "m.onnx")
        model = Model.load(tmp_path / "m.onnx")
        result = passes.run(model, passes.names(), intent=intent)
        model.save(tmp_path / "out.onnx")
        found = audit(tmp_path / "m.onnx", tmp_path / "out.onnx", result.changes)
        edited += bool(found.differences.found)
        assert not found.unexplained, (name, [str(entry) for entry in found.unexplained])
    assert edited > 40

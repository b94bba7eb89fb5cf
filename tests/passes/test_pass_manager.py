"""Writing, registering and running passes; a pass that breaks the model is named."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import onnx_graphsurgeon as gs
import pytest

import passes
from passes import Log, Pass, PassContext, PassManager, PassResult
from passes import registry as pass_registry
from rewriter.errors import PassError, UsageError
from rewriter.model import Model
from tests.model.onnx_models import resize_model


def _model() -> Model:
    return Model.from_proto(
        resize_model([1, 1, 4, 4], [1, 1, 8, 8], sizes=[1, 1, 8, 8], mode="linear", nearest_mode="floor")
    )


@dataclass(frozen=True)
class Rename(Pass):
    """An own pass in ten lines."""

    prefix: str = "p/"
    name: ClassVar[str] = "rename"
    summary: ClassVar[str] = "put a prefix before every node name"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        for scope in model.scopes():
            for node in scope.graph.nodes:
                if not node.name.startswith(self.prefix):
                    log.change(
                        scope.path,
                        node.name,
                        "name",
                        node.name,
                        self.prefix + node.name,
                        "asked for",
                        "cleanup",
                    )
                    node.name = self.prefix + node.name
        return log.result()


@dataclass(frozen=True)
class Dangling(Pass):
    name: ClassVar[str] = "dangling"
    summary: ClassVar[str] = "breaks the graph"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        model.graph.nodes[0].inputs[0] = gs.Variable("nowhere")
        log.change("main", "up", "input", "x", "nowhere", "to be caught", "cleanup")
        return log.result()


@dataclass(frozen=True)
class Liar(Pass):
    name: ClassVar[str] = "liar"
    summary: ClassVar[str] = "says respelling, and is not"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        model.graph.nodes[0].attrs["coordinate_transformation_mode"] = "asymmetric"
        log.change("main", "up", "coordinate_transformation_mode", None, "asymmetric", "a lie", "respelling")
        return log.result()


@dataclass(frozen=True)
class Crash(Pass):
    name: ClassVar[str] = "crash"
    summary: ClassVar[str] = "raises"

    def run(self, model: Model, context: PassContext) -> PassResult:
        raise ZeroDivisionError("by design")


def test_an_own_pass_runs_beside_the_built_in_ones() -> None:
    model = _model()
    result = passes.run(model, [Rename(), "explicit-attributes"])
    written = model.to_proto()
    assert written.graph.node[0].name == "p/up"
    assert {change.pass_ for change in result.changes} == {"rename", "explicit-attributes"}
    assert passes.run(model, [Rename(), "explicit-attributes"]).changes == ()


@pytest.mark.parametrize(
    ("broken", "message"), [(Dangling(), "reads 'nowhere' before it is made"), (Crash(), "by design")]
)
def test_a_pass_that_breaks_the_model_is_named(broken: Pass, message: str) -> None:
    with pytest.raises(PassError, match=f"pass {broken.name} .*{message}"):
        PassManager([Rename(), broken]).run(_model())


def test_verify_each_stops_at_the_pass_that_changed_the_numbers() -> None:
    assert PassManager([Rename(), Liar()]).run(_model()).changes
    with pytest.raises(PassError, match="pass liar changed the numbers: output 'y' differs by"):
        PassManager([Rename(), Liar()], verify="each").run(_model())
    assert passes.run(_model(), intent="preserve", verify="each").changes


def test_a_pass_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("rename", f"{__name__}:Rename", pass_registry.ENTRY_POINT_GROUP)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Rename.__module__])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry])
    assert "rename" in passes.names()
    assert passes.get("rename") == Rename()
    with pytest.raises(UsageError, match="two packages register"):
        clash = EntryPoint("normalize-resize", "x:Y", pass_registry.ENTRY_POINT_GROUP)
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [clash])
        passes.names()


def test_unknown_passes_are_named() -> None:
    with pytest.raises(UsageError, match="unknown pass 'nope'"):
        passes.run(_model(), ["nope"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\nnode = 'up'\nintent = 'sideways'", "unknown intent 'sideways'"),
        ("[[rule]]\nnode = 'up'", "has no intent"),
        ("[[rule]]\nnodes = 'up'\nintent = 'preserve'", "unknown key 'nodes'"),
        ("[[rule]]\nsizes = [1.5]\nintent = 'preserve'", "whole numbers"),
        ("rule = 3", r"\[\[rule\]\] tables"),
        ("not toml", "not a TOML file"),
        ("[[rule]]\nnode = 'down'\nintent = 'preserve'", "matches no resize"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(text: str, message: str, tmp_path: Path) -> None:
    from rewriter.errors import RewriterError
    from rewriter.rewriting import rewrite

    rules = tmp_path / "rules.toml"
    rules.write_text(text)
    with pytest.raises(RewriterError, match=message):
        rewrite(_model(), intent=str(rules))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("node = 'u*'", "asymmetric"),
        ("scope = 'main'", "asymmetric"),
        ("mode = 'linear'\nop = 'Resize'", "asymmetric"),
        ("sizes = [8, 8]", "asymmetric"),
        ("sizes = [1, 1, 8, 8]", "asymmetric"),
    ],
)
def test_rules_match_by_every_key_and_the_first_counts(rule: str, expected: str, tmp_path: Path) -> None:
    from rewriter.rewriting import rewrite

    rules = tmp_path / "rules.toml"
    rules.write_text(f"[[rule]]\n{rule}\nintent = '{expected}'\n")
    done = rewrite(_model(), intent=str(rules))
    assert done.resizes[0]["coordinate_transformation_mode"]["after"] == expected
    assert done.resizes[0]["intent_from"] == "rule"
    over = rewrite(_model(), intent="auto", rules=["up=half_pixel"])
    assert over.resizes[0]["coordinate_transformation_mode"]["after"] == "half_pixel"

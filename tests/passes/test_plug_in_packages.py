"""Passes as another package brings them: installed beside ours, found by its entry points, run by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import passes
from passes import PassManager
from rewriter.errors import PassError, UsageError
from rewriter.model import Model
from tests.model.onnx_models import resize_model

ROOT = Path(__file__).resolve().parents[2]

# As docs/passes/index.md shows it.
MODULE = """
from dataclasses import dataclass

from passes import Log, Pass


@dataclass(frozen=True)
class NameResizes(Pass):
    prefix: str = "resize/"
    name = "name-resizes"
    summary = "put a prefix before the name of every resize"

    def run(self, model, context):
        log = Log(self.name)
        for resize in model.resizes():
            if not resize.name.startswith(self.prefix):
                new = self.prefix + resize.name
                log.change(resize.graph_path, resize.name, "name", resize.name, new, "asked for", "cleanup")
                resize.node.name = new
        return log.result()


@dataclass(frozen=True)
class Liar(Pass):
    name = "liar"
    summary = "claims to respell, and samples elsewhere"

    def run(self, model, context):
        log = Log(self.name)
        for resize in model.resizes():
            node = resize.node
            old = node.attrs.get("coordinate_transformation_mode")
            log.change(resize.graph_path, resize.name, "mode", old, "asymmetric", "prettier", "respelling")
            node.attrs["coordinate_transformation_mode"] = "asymmetric"
        return log.result()


class Silent(Liar):
    name = "silent"

    def run(self, model, context):
        super().run(model, context)
        return Log(self.name).result()


class Forgetful(Liar):
    name = "forgetful"

    def run(self, model, context):
        pass


class Misnamed(Liar):
    name = "something-else"


class NoPass:
    pass
"""

ENTRY_POINTS = """[rewriter.passes]
name-resizes = their_passes:NameResizes
liar = their_passes:Liar
silent = their_passes:Silent
forgetful = their_passes:Forgetful
misnamed = their_passes:Misnamed
no-pass = their_passes:NoPass
missing = their_passes:Nowhere
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an installed package of somebody else, on the path."""
    installed = tmp_path / "site"
    metadata = installed / "their_passes-1.0.dist-info"
    metadata.mkdir(parents=True)
    (installed / "their_passes.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-passes\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.delitem(sys.modules, "their_passes", raising=False)
    return installed


def _model() -> Model:
    return Model.from_proto(resize_model([1, 1, 4, 4], [1, 1, 8, 8], sizes=[1, 1, 8, 8], mode="linear"))


def test_their_pass_is_found_and_runs_between_ours(package: Path) -> None:
    assert "name-resizes" in passes.names() and "name-resizes" not in passes.DEFAULT
    model = _model()
    result = passes.run(model, ["normalize-resize", "name-resizes"], verify="each")
    assert [change.pass_ for change in result.changes] == ["normalize-resize", "name-resizes"]
    assert model.to_proto().graph.node[0].name == "resize/up"
    own = type(passes.get("name-resizes"))(prefix="r/")  # type: ignore[call-arg]
    assert passes.run(model, [own]).changes[0].new == "r/resize/up"


def test_verify_each_stops_at_the_pass_that_changed_the_numbers_and_names_it(package: Path) -> None:
    assert passes.run(_model(), ["liar"]).changes  # nothing was asked to look
    with pytest.raises(PassError, match="pass liar changed the numbers: output 'y' differs by"):
        PassManager(["name-resizes", "liar", "explicit-attributes"], verify="each").run(_model())
    with pytest.raises(PassError, match="pass silent changed the model without recording a change"):
        passes.run(_model(), ["silent"], verify="each")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("forgetful", PassError, "returned a NoneType, not a PassResult"),
        ("misnamed", UsageError, "calls itself 'something-else'"),
        ("no-pass", UsageError, "is not a pass; derive it from passes.Pass"),
        ("missing", UsageError, "cannot be loaded: AttributeError: .*Nowhere"),
        ("name-resize", UsageError, "unknown pass 'name-resize', did you mean 'name-resizes'"),
    ],
)
def test_what_is_wrong_with_a_plug_in_is_said(
    name: str, error: type[Exception], message: str, package: Path
) -> None:
    with pytest.raises(error, match=message):
        passes.run(_model(), [name])


def test_the_command_runs_it_by_name(package: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.onnx", tmp_path / "out.onnx"
    source.write_bytes(_model().to_bytes())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(package)])}
    command = [sys.executable, "-m", "rewriter.cli.rewrite", str(source), "-o", str(target)]
    done = subprocess.run(
        [*command, "--passes", "name-resizes", "--json", "-"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [change["pass"] for change in json.loads(done.stdout)["changes"]] == ["name-resizes"]
    assert onnx.load(target).graph.node[0].name == "resize/up"

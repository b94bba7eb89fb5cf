"""Nothing that ONNX's protobuf can say is lost, in a rewrite that does nothing and in one that edits."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from rewriter.cli.rewrite import main
from rewriter.model import Model, loading, skeleton
from tests.model.every_field import UNKNOWN, every_field, fields_set, model_with_every_field


def test_the_model_has_every_field() -> None:
    wanted = every_field(onnx.ModelProto.DESCRIPTOR)
    assert len(wanted) > 25
    assert fields_set(model_with_every_field()) == wanted


@pytest.fixture(params=["small", "large"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model as a file; read whole, or with its tensors left in it."""
    if request.param == "large":
        monkeypatch.setattr(loading, "_SMALL_FILE", 0)
        monkeypatch.setattr(skeleton, "_LARGE", 4)
    (tmp_path / "m.onnx").write_bytes(model_with_every_field().SerializeToString())
    return tmp_path / "m.onnx"


def test_no_edit_gives_identical_bytes(file: Path) -> None:
    data = file.read_bytes()
    assert data.count(UNKNOWN) > 50
    model = Model.load(file)
    for scope in model.scopes():  # make an object of everything
        for node in scope.graph.nodes:
            assert all(isinstance(each.inputs, list) for each in (*node.inputs, *node.outputs))
    assert not model.is_edited
    model.save(file.with_name("out.onnx"))
    assert file.with_name("out.onnx").read_bytes() == data


def test_a_command_with_nothing_to_do_gives_identical_bytes(file: Path) -> None:
    out = file.with_name("out.onnx")
    result = CliRunner().invoke(
        main, [str(file), "-o", str(out), "--no-check", "--passes", "drop-identity-resize"]
    )
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == file.read_bytes()


def test_names_that_are_there_twice_stay(file: Path) -> None:
    proto = model_with_every_field()
    proto.functions[0].attribute.append(proto.functions[0].attribute[0])
    for node in (proto.graph.node[-1], proto.functions[0].node[0]):
        node.attribute.append(node.attribute[0])
    file.write_bytes(proto.SerializeToString())
    model = Model.load(file)
    assert all(len(scope.graph.nodes[:]) for scope in model.scopes())
    assert model.to_bytes() == file.read_bytes()


def test_an_edit_leaves_everything_else(file: Path) -> None:
    model = Model.load(file)
    (resize,) = model.resizes()
    resize.node.attrs["coordinate_transformation_mode"] = "align_corners"
    model.save(file.with_name("out.onnx"))
    expected = model_with_every_field()
    node = next(node for node in expected.graph.node if node.name == "up")
    node.attribute.append(onnx.helper.make_attribute("coordinate_transformation_mode", "align_corners"))
    written = file.with_name("out.onnx").read_bytes()
    assert onnx.ModelProto.FromString(written) == expected
    assert written.count(UNKNOWN) == file.read_bytes().count(UNKNOWN)

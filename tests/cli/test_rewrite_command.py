"""`rewrite` from the outside: exit codes, one sentence per problem, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import helper

from rewriter.cli.rewrite import main
from tests.model.onnx_models import everything, info, make_model, resize_model, run, tensor

MODEL = resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2], mode="linear")


def rewrite(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(MODEL, tmp_path / "in.onnx")
    return tmp_path / "in.onnx"


def test_the_main_job(model: Path, tmp_path: Path) -> None:
    result = rewrite(model, "-o", tmp_path / "out.onnx", "--json", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    written = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert "align_corners" in result.output
    assert "--intent preserve" in result.output and "--set 'up=half_pixel'" in result.output
    report = json.loads((tmp_path / "report.json").read_text())
    (entry,) = report["resizes"]
    assert set(entry) == {
        "node", "graph", "op", "mode", "coordinate_transformation_mode", "nearest_mode", "input_shape",
        "output_shape", "intent", "intent_from", "effect", "max_shift_px", "coreml",
    }  # fmt: skip
    for change in report["changes"]:
        assert {"pass", "graph", "node", "attribute", "old", "new", "why", "effect"} <= set(change)
        assert ("max_shift_px" in change) == (change["effect"] == "correction")
        assert ("certificate" in change) == (change["effect"] != "correction")
    again = rewrite(tmp_path / "out.onnx", "-o", tmp_path / "twice.onnx")
    assert again.exit_code == 0 and "nothing to change" in again.output
    assert (tmp_path / "twice.onnx").read_bytes() == (tmp_path / "out.onnx").read_bytes()


def test_json_on_stdout_is_one_object_and_nothing_else(model: Path) -> None:
    result = rewrite(model, "--dry-run", "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["changes"]
    assert "align_corners" in result.stderr
    failed = rewrite(model.parent / "missing.onnx", "--dry-run", "--json", "-")
    assert failed.exit_code == 2
    error = json.loads(failed.stdout)["error"]
    assert set(error) == {"kind", "message", "file", "node", "remedy"}


def test_a_dry_run_writes_nothing(model: Path) -> None:
    before = model.read_bytes()
    result = rewrite(model, "--dry-run")
    assert result.exit_code == 0 and "nothing written" in result.output
    assert [path.name for path in model.parent.iterdir()] == ["in.onnx"]
    assert model.read_bytes() == before


def test_in_place_and_several_inputs(model: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.onnx"
    second.write_bytes(model.read_bytes())
    result = rewrite(model, second, "-O", tmp_path / "out", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["in.onnx", "second.onnx"]
    assert len(json.loads((tmp_path / "r.json").read_text())["models"]) == 2
    assert rewrite(model, "--in-place").exit_code == 0
    assert model.read_bytes() == (tmp_path / "out" / "in.onnx").read_bytes()
    mixed = rewrite(model, tmp_path / "missing.onnx", "-O", tmp_path / "more")
    assert mixed.exit_code == 2
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["in.onnx"]


def test_passes_can_be_chosen_and_skipped(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    assert rewrite(model, "-o", out, "--passes", "explicit-sizes").exit_code == 0
    assert [a.name for a in onnx.load(out).graph.node[0].attribute] == ["mode"]
    assert (
        rewrite(model, "-o", out, "--skip", "normalize-resize", "--skip", "explicit-attributes").exit_code
        == 0
    )
    assert [a.name for a in onnx.load(out).graph.node[0].attribute] == ["mode"]
    unknown = rewrite(model, "-o", out, "--skip", "nope")
    assert unknown.exit_code == 2 and "unknown pass 'nope'" in unknown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing says where"),
        (["-o", "a.onnx", "--in-place"], "contradict"),
        (["-o", "."], "use -O"),
        (["-o", "a.onnx", "--intent", "sideways"], "unknown intent"),
        (["-o", "a.onnx", "--set", "up"], "NODE-GLOB=MODE"),
        (["-o", "a.onnx", "--set", "down=half_pixel"], "matches no resize"),
        (["-o", "no/such/directory/a.onnx"], "cannot write"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    result = rewrite(model, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 or "error: " in result.stderr.splitlines()[-1]
    assert [path.name for path in model.parent.iterdir()] == ["in.onnx"]


def _bad_files(directory: Path) -> dict[str, tuple[Path, str]]:
    data = everything().SerializeToString()
    contents = {
        "empty": (b"", "empty"),
        "text": (b"this is no model, it is a sentence\n", "not an ONNX model"),
        "zeros": (bytes(500), "not an ONNX model"),
        "pdf": (b"%PDF-1.4\n" + bytes(range(256)), "not an ONNX model"),
        "another message": (helper.make_tensor("t", 1, [1], [1.0]).SerializeToString(), "not an ONNX model"),
        "truncated": (data[: len(data) // 2], "truncated"),
        "cut short": (data[:-4], "truncated"),
        "no graph": (onnx.ModelProto(ir_version=8).SerializeToString(), "no graph"),
    }
    files = {}
    for name, (content, message) in contents.items():
        files[name] = (directory / f"{name}.onnx", message)
        files[name][0].write_bytes(content)
    files["missing"] = (directory / "missing.onnx", "no such file")
    files["directory"] = (directory, "directory")
    return files


def test_files_that_are_not_models_give_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for name, (path, message) in _bad_files(tmp_path / "bad").items():
        result = rewrite(path, "-o", tmp_path / "out.onnx")
        assert result.exit_code == 2, name
        assert message in result.stderr, (name, result.stderr)
        assert len(result.stderr.strip().splitlines()) == 1
        assert str(path) in result.stderr
        assert [entry.name for entry in tmp_path.iterdir()] == ["bad"], name


def test_every_prefix_of_a_model_is_refused(tmp_path: Path) -> None:
    data = MODEL.SerializeToString()
    path = tmp_path / "cut.onnx"
    for stop in range(0, len(data) - 1, 7):
        path.write_bytes(data[:stop])
        result = rewrite(path, "-o", tmp_path / "out.onnx")
        assert result.exit_code == 2, stop
        assert result.stderr.startswith("error: ") and "Traceback" not in result.output
    assert [entry.name for entry in tmp_path.iterdir()] == ["cut.onnx"]


def test_damaged_files_are_refused_or_rewritten_but_never_crash(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    base = everything().SerializeToString()
    path, out = tmp_path / "damaged.onnx", tmp_path / "out.onnx"
    for _ in range(120):
        data = bytearray(base)
        for position in random.integers(0, len(data), int(random.integers(1, 5))):
            data[position] = int(random.integers(256))
        path.write_bytes(bytes(data))
        result = rewrite(path, "-o", out)
        assert result.exit_code in (0, 2), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert out.exists() == (result.exit_code == 0)
        if out.exists():
            onnx.checker.check_model(str(out), full_check=True)
            out.unlink()
        assert [entry.name for entry in tmp_path.iterdir()] == ["damaged.onnx"]


def test_an_invalid_graph_is_the_inputs_fault(tmp_path: Path) -> None:
    bad = make_model(
        [helper.make_node("Relu", ["nowhere"], ["r"]), *MODEL.graph.node],
        list(MODEL.graph.input),
        list(MODEL.graph.output),
        list(MODEL.graph.initializer),
    )
    onnx.save(bad, tmp_path / "bad.onnx")
    result = rewrite(tmp_path / "bad.onnx", "-o", tmp_path / "out.onnx")
    assert result.exit_code == 2
    assert "the input is not a valid model" in result.stderr
    assert not (tmp_path / "out.onnx").exists()
    assert rewrite(tmp_path / "bad.onnx", "-o", tmp_path / "out.onnx", "--no-check").exit_code == 0


def test_operators_that_onnxruntime_lacks_do_not_stop_the_rewrite(tmp_path: Path) -> None:
    custom = helper.make_node("Magic", ["y"], ["z"], name="magic", domain="com.example")
    model = make_model(
        [*MODEL.graph.node, custom],
        list(MODEL.graph.input),
        [info("z", [1, 1, 8, 8])],
        list(MODEL.graph.initializer),
        domains={"com.example": 1},
        value_info=[info("y", [1, 1, 8, 8])],
    )
    onnx.save(model, tmp_path / "in.onnx")
    result = rewrite(tmp_path / "in.onnx", "-o", tmp_path / "out.onnx")
    assert result.exit_code == 0, result.output
    assert "lacks something the model needs" in result.output
    written = onnx.load(tmp_path / "out.onnx")
    assert (
        helper.get_node_attr_value(written.graph.node[0], "coordinate_transformation_mode")
        == b"align_corners"
    )


def test_a_pass_that_makes_the_model_invalid_is_named_and_nothing_is_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from passes.base import Log, PassContext, PassResult
    from passes.resize.explicit_attributes import ExplicitAttributes
    from rewriter.model import Model

    def run_badly(self: ExplicitAttributes, held: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        for resize in held.resizes():
            if resize.node.attrs.get("mode") != "sideways":
                resize.node.attrs["mode"] = "sideways"
                log.change("main", resize.name, "mode", "linear", "sideways", "to be caught", "respelling")
        return log.result()

    monkeypatch.setattr(ExplicitAttributes, "run", run_badly)
    result = rewrite(model, "-o", model.parent / "out.onnx")
    assert result.exit_code == 2
    assert "explicit-attributes" in result.stderr
    assert [path.name for path in model.parent.iterdir()] == ["in.onnx"]


def test_a_model_with_every_optional_field_goes_through(tmp_path: Path) -> None:
    (tmp_path / "in.onnx").write_bytes(everything().SerializeToString())
    result = rewrite(tmp_path / "in.onnx", "-o", tmp_path / "out.onnx", "--intent", "preserve")
    assert result.exit_code == 0, result.output
    feeds = {"x": np.ones((2, 2, 5, 7), np.float32), "cond": np.array(True)}
    expected = run(everything(), feeds)
    np.testing.assert_allclose(
        expected[0], run((tmp_path / "out.onnx").read_bytes(), feeds)[0], rtol=0, atol=1e-6
    )


def test_external_data_is_checked_where_it_will_lie(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    weights = tensor("w", np.ones((1, 1, 64, 64)))
    model = make_model(
        [
            helper.make_node("Mul", ["x", "w"], ["m"]),
            helper.make_node("Resize", ["m", "", "s"], ["y"], name="up", mode="linear"),
        ],
        [info("x", [1, 1, 64, 64])],
        [info("y", [1, 1, 128, 128])],
        [weights, tensor("s", [1, 1, 2, 2])],
    )
    onnx.save(
        model, tmp_path / "a" / "in.onnx", save_as_external_data=True, location="w.bin", size_threshold=1024
    )
    assert rewrite(tmp_path / "a" / "in.onnx", "-o", tmp_path / "b" / "out.onnx").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["out.onnx", "w.bin"]
    onnx.checker.check_model(str(tmp_path / "b" / "out.onnx"), full_check=True)

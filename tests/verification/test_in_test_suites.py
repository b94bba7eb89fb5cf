"""`assert_equivalent`, the action and the hook: verification where other projects run it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from rewriter.verification import assert_equivalent

ROOT = Path(__file__).parents[2]


def upsampler(mode: str) -> onnx.ModelProto:
    resize = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], name="up", mode="linear", coordinate_transformation_mode=mode
    )
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 5, 6])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1, 11, 9])
    sizes = numpy_helper.from_array(np.array([1, 1, 11, 9]), "sizes")
    graph = helper.make_graph([resize], "g", [x], [y], [sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_equal_models_give_the_report(tmp_path: Path) -> None:
    for name in ("a", "b"):
        onnx.save(upsampler("align_corners"), tmp_path / f"{name}.onnx")
    report = assert_equivalent(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert report.passed and len(report.pairs) == 1


def test_a_wrong_mode_is_an_assertion_that_names_the_node(tmp_path: Path) -> None:
    onnx.save(upsampler("align_corners"), tmp_path / "a.onnx")
    onnx.save(upsampler("half_pixel"), tmp_path / "b.onnx")
    with pytest.raises(AssertionError) as caught:
        assert_equivalent(tmp_path / "a.onnx", tmp_path / "b.onnx")
    message = str(caught.value)
    assert "b.onnx does not compute what onnx:a.onnx computes" in message
    assert "node 'up' samples half_pixel, the reference align_corners" in message
    assert "remedy: rewrite" in message


def test_a_case_that_cannot_fail_does_not_pass(tmp_path: Path) -> None:
    model = upsampler("align_corners")
    model.graph.node.append(helper.make_node("Mul", ["y", "nothing"], ["z"]))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    model.graph.output[0].name = "z"
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(AssertionError, match=r"same for all inputs|could have failed"):
        assert_equivalent(tmp_path / "a.onnx", tmp_path / "a.onnx")


def test_the_action_calls_the_command_with_options_that_exist() -> None:
    yaml = pytest.importorskip("yaml")
    from rewriter.cli.main import main

    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (run,) = [step for step in action["runs"]["steps"] if step.get("id") == "verify"]
    used = {word for word in run["run"].replace('"', " ").split() if word.startswith("--")}
    offered = CliRunner().invoke(main, ["verify", "--help"]).output
    assert used and all(option in offered for option in used), used
    mentioned = {part.split("}}")[0].strip() for part in str(action).split("inputs.")[1:]}
    assert {name.strip("'\" ") for name in mentioned} <= set(action["inputs"])


def test_the_hooks_call_commands_that_exist() -> None:
    yaml = pytest.importorskip("yaml")
    from rewriter.cli.rewrite import main

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    for hook in hooks:
        command, *options = hook["entry"].split()
        assert command == "rewrite" and hook["language"] == "python"
        offered = CliRunner().invoke(main, ["--help"]).output
        assert all(option in offered for option in options if option.startswith("--"))

"""Rules, what they match, their error messages; and what is recorded is not overruled by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import helper

import passes
from passes import Log, Pass, PassContext, PassManager, PassResult
from rewriter.cli.rewrite import main
from rewriter.errors import InputError, RewriterError, UsageError
from rewriter.intent import Intents, Rule
from rewriter.model import PROVENANCE_TABLE_KEY, Model
from rewriter.rewriting import rewrite
from tests.model.onnx_models import info, make_model, resize_model, tensor

NAMES = ["decoder/up1", "decoder/up2", "aux/scale"]


def network(recorded: dict[str, dict[str, Any]] | None = None, shape: list[Any] | None = None) -> Model:
    """Three linear half_pixel resizes in a row, each of factor two."""
    nodes, source = [], "x"
    for index, name in enumerate(NAMES):
        target = f"t{index}"
        nodes.append(helper.make_node("Resize", [source, "", "two"], [target], name=name, mode="linear"))
        source = target
    proto = make_model(
        nodes,
        [info("x", shape or [1, 1, 2, 3])],
        [info(source, [None] * 4)],
        [tensor("two", [1, 1, 2, 2])],
    )
    table = {name: {"op": "ResizeBilinear", **flags} for name, flags in (recorded or {}).items()}
    if table:
        proto.metadata_props.add(key=PROVENANCE_TABLE_KEY, value=json.dumps(table))
    return Model.from_proto(proto)


def grids(model: Model) -> list[str]:
    return [resize.coordinate_transformation_mode for resize in model.resizes()]


def with_rules(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return str(path)


# -- what rules match -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('node = "decoder/*"', [1, 1, 0]),
        ('node = "decoder/up[2-9]"', [0, 1, 0]),
        ('scope = "main"', [1, 1, 1]),
        ('mode = "linear"', [1, 1, 1]),
        ('op = "Resize"', [1, 1, 1]),
        ('op = "ResizeBi*"', [0, 0, 1]),
        ("sizes = [4, 6]", [1, 0, 0]),
        ("sizes = [1, 1, 8, 12]", [0, 1, 0]),
        ('sizes = ["*", 24]', [0, 0, 1]),
        ('node = "*"\nsizes = [8, 12]\nop = "Res*"', [0, 1, 0]),
    ],
)
def test_conditions(condition: str, expected: list[int], tmp_path: Path) -> None:
    text = f'[[rule]]\n{condition}\nintent = "asymmetric"\n[[rule]]\nintent = "preserve"\n'
    done = rewrite(network({"aux/scale": {"half_pixel_centers": True}}), intent=with_rules(tmp_path, text))
    assert [entry["intent"] == "asymmetric" for entry in done.resizes] == expected


def test_the_first_rule_wins_and_set_comes_before_the_file(tmp_path: Path) -> None:
    text = '[[rule]]\nnode = "decoder/*"\nintent = "asymmetric"\n[[rule]]\nintent = "half_pixel"\n'
    done = rewrite(network(), intent=with_rules(tmp_path, text), rules=["*up2=align_corners"])
    assert grids(done.model) == ["asymmetric", "align_corners", "half_pixel"]
    change = next(change for change in done.changes if change.new == "asymmetric")
    assert "rule 1 (line 1)" in change.why


def test_a_rule_that_others_forestall_is_no_error_and_one_that_matches_nothing_is(tmp_path: Path) -> None:
    text = '[[rule]]\nintent = "preserve"\n[[rule]]\nnode = "aux/*"\nintent = "asymmetric"\n'
    assert grids(rewrite(network(), intent=with_rules(tmp_path, text)).model) == ["half_pixel"] * 3
    for run in (
        lambda rules: rewrite(network(), rules=rules),
        lambda rules: passes.run(network(), ["normalize-resize"], rules=rules),
    ):
        with pytest.raises(UsageError, match=r"--set 'decodr/up1=preserve' matches no resize, the nearest name is 'decoder/up1'"):  # fmt: skip  # noqa: E501
            run(["decodr/up1=preserve"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[rule]]\nintent = "preserve"\n\n[[rule]]\nnode = "up"\nintent = "half-pixel"',
         r"rule 2 \(line 4\): unknown intent 'half-pixel', did you mean 'half_pixel'"),
        ('[[rule]]\nmode = "bilinear"\nintent = "preserve"', r"rule 1 \(line 1\): unknown mode 'bilinear', did you mean 'linear'"),  # noqa: E501
        ('[[rule]]\nnodes = "up"\nintent = "preserve"', r"unknown key 'nodes', did you mean 'node'"),
        ('[[rules]]\nintent = "preserve"', r"it has 'rules', did you mean 'rule'"),
        ("[[rule]]\nnode = 'up'", r"rule 1 \(line 1\) has no intent"),
        ("[[rule]]\nnode = 3\nintent = 'preserve'", r"rule 1 \(line 1\): node must be a string"),
        ("[[rule]]\nsizes = [0]\nintent = 'preserve'", "whole numbers above 0"),
        ("[[rule]]\nsizes = 'big'\nintent = 'preserve'", "whole numbers above 0"),
        ("[[rule]\nintent = 'preserve'", r"not a TOML file: .*line 1"),
        ("", r"\[\[rule\]\] tables"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_file_and_place(
    text: str, message: str, tmp_path: Path
) -> None:
    rules = with_rules(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        rewrite(network(), intent=rules)
    assert caught.value.file == rules


def test_an_unknown_word_is_told_its_nearest() -> None:
    with pytest.raises(UsageError, match="unknown intent 'align-corners', did you mean 'align_corners'"):
        rewrite(network(), intent="align-corners")
    with pytest.raises(UsageError, match="unknown pass 'normalise-resize', did you mean 'normalize-resize'"):
        passes.run(network(), ["normalise-resize"])


# -- what is recorded -----------------------------------------------------------------------------------------

HALF = {name: {"half_pixel_centers": True} for name in NAMES}
REASON = r"'decoder/up1'.*forces align_corners on a resize that is recorded as half_pixel \(converted from .*--intent"


@dataclass(frozen=True)
class Force(Pass):
    """A pass that somebody wrote to have align_corners everywhere."""

    effect: str = "correction"
    name: ClassVar[str] = "force"
    summary: ClassVar[str] = "align_corners everywhere"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        for resize in model.resizes():
            node = resize.node
            log.change(
                resize.graph_path, resize.name, "coordinate_transformation_mode", "half_pixel", "align_corners",
                "asked for", self.effect,  # type: ignore[arg-type]
            )  # fmt: skip
            node.attrs["coordinate_transformation_mode"] = "align_corners"
        return log.result()


@pytest.mark.parametrize(
    "force",
    [
        lambda model: rewrite(model, rules=["*=align_corners"]),
        lambda model: rewrite(model, rules=["decoder/up1=align_corners"]),
        lambda model: passes.run(model, rules=["*=align_corners"]),
        lambda model: passes.run(model, ["normalize-resize"], rules=[Rule("align_corners")]),
        lambda model: PassManager(
            ["normalize-resize"], PassContext(Intents((Rule("align_corners"),)))
        ).run(model),
        lambda model: passes.run(model, [Force()]),
        lambda model: passes.run(model, [Force("respelling")]),
        lambda model: passes.run(model, ["normalize-resize", Force("cleanup")], rules=["aux/*=asymmetric"]),
    ],
)  # fmt: skip
def test_align_corners_is_not_forced_on_a_recorded_half_pixel(force: Callable[[Model], Any]) -> None:
    with pytest.raises(UsageError, match=REASON):
        force(network(HALF))


@pytest.mark.parametrize("shape", [[1, 1, 2, 3], [1, 1, "H", "W"]])
def test_no_pass_sets_align_corners_by_itself_on_a_recorded_half_pixel(shape: list[Any]) -> None:
    for name in passes.names():
        model = network(HALF, shape)
        result = passes.run(model, [name])
        assert not any(change.effect == "correction" for change in result.changes), name
    model = network(HALF, shape)
    passes.run(model)
    assert grids(model) == ["half_pixel"] * 3


def test_whoever_insists_may(tmp_path: Path) -> None:
    done = rewrite(network(HALF), intent="align_corners")
    assert grids(done.model) == ["align_corners"] * 3
    assert "overrules the recorded half_pixel" in done.changes[0].why
    rules = with_rules(tmp_path, '[[rule]]\nnode = "decoder/*"\nintent = "align_corners"\n')
    done = rewrite(network(HALF), intent=rules)
    assert grids(done.model) == ["align_corners", "align_corners", "half_pixel"]
    done = rewrite(network(HALF), intent="half_pixel", rules=["decoder/up1=align_corners"])
    assert grids(done.model) == ["align_corners", "half_pixel", "half_pixel"]
    passes.run(network(HALF), [Force()], intent="align_corners")


def test_rules_beat_other_records_and_equal_ones_are_no_conflict() -> None:
    assert grids(rewrite(network(HALF), rules=["*=asymmetric"]).model) == ["asymmetric"] * 3
    legacy: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    assert grids(rewrite(network(legacy), rules=["*=align_corners"]).model) == ["align_corners"] * 3
    aligned = {name: {"align_corners": True} for name in NAMES}
    assert grids(rewrite(network(aligned), rules=["*=align_corners"]).model) == ["align_corners"] * 3


# -- the command ----------------------------------------------------------------------------------------------


def _command(tmp_path: Path, model: Model, *arguments: str) -> Result:
    path = tmp_path / "in.onnx"
    path.write_bytes(model.to_bytes())
    return CliRunner().invoke(main, [str(path), "-o", str(tmp_path / "out.onnx"), *arguments])


def test_the_command_refuses_with_the_reason_and_writes_nothing(tmp_path: Path) -> None:
    result = _command(tmp_path, network(HALF), "--set", "*=align_corners")
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    for part in (
        "in.onnx",
        "'decoder/up1'",
        "recorded as half_pixel",
        "ResizeBilinear",
        "--intent align_corners",
    ):
        assert part in line
    assert not (tmp_path / "out.onnx").exists()
    result = _command(tmp_path, network(HALF), "--set", "*=align_corners", "--json", "-")
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "usage" and error["node"] == "decoder/up1" and "--intent" in error["remedy"]
    assert _command(tmp_path, network(HALF), "--intent", "align_corners").exit_code == 0


def test_the_default_says_what_it_did_in_one_line(tmp_path: Path) -> None:
    result = _command(tmp_path, network())
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("default intent: "))
    assert "3 resizes have no recorded intent" in line and "by up to 0.25 px" in line
    assert "--intent preserve" in line and "--set 'decoder/up1=half_pixel'" in line
    for quiet in (["--intent", "align_corners"], ["--intent", "preserve"], ["--set", "*=align_corners"]):
        assert "default intent: " not in _command(tmp_path, network(), *quiet).stdout
    assert "default intent: " not in _command(tmp_path, network(HALF)).stdout


def test_a_repaired_length_is_not_called_a_change_of_the_grid(tmp_path: Path) -> None:
    nearest = resize_model([1, 1, 7, 7], [1, 1, 31, 31], scales=[1, 1, 31 / 7, 31 / 7], mode="nearest")
    result = _command(tmp_path, Model.from_proto(nearest))
    assert result.exit_code == 0 and "default intent: " not in result.stdout


def test_errors_of_rules_are_of_a_kind_that_the_command_reports(tmp_path: Path) -> None:
    rules = with_rules(tmp_path, '[[rule]]\nintent = "sideways"\n')
    with pytest.raises(RewriterError):
        rewrite(network(), intent=rules)
    result = _command(tmp_path, network(), "--intent", rules)
    assert result.exit_code == 2 and "rule 1 (line 1)" in result.stderr
    assert onnx.load(tmp_path / "in.onnx").graph.node

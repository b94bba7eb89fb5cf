"""`rewrite --reference`: what is changed, what is reported, and when nothing is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.rewrite import main
from tests.evidence.random_networks import build, coordinates, golden_image, resizes, scrambled
from tests.evidence.recovery import Arrays, reference_run, save_golden
from tests.verification.small_networks import convolution, network, resize, three_resizes

WRONG = ("half_pixel", "asymmetric", "half_pixel")


def picture(model: onnx.ModelProto) -> np.ndarray:
    return golden_image(model, 4)


def run(
    tmp_path: Path, model: onnx.ModelProto, golden: Path, *options: str
) -> tuple[int, dict[str, Any], Path]:
    source, target, report = tmp_path / "in.onnx", tmp_path / "out.onnx", tmp_path / "report.json"
    target.unlink(missing_ok=True)
    onnx.save(model, source)
    arguments = [str(source), "-o", str(target), "--reference", str(golden), "--json", str(report), *options]
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(report.read_text()), target


def modes(path: Path) -> list[str]:
    return [coordinates(node).s.decode() for node in resizes(onnx.load(path))]


def with_modes(*names: str) -> onnx.ModelProto:
    return three_resizes(names)


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    true = with_modes("align_corners", "align_corners", "asymmetric")
    image = picture(true)
    return save_golden(tmp_path / "golden.npz", image, reference_run(true, image))


def test_modes_are_recovered_and_reported(tmp_path: Path, golden: Path) -> None:
    code, report, target = run(tmp_path, with_modes(*WRONG), golden)
    assert code == 0
    assert modes(target) == ["align_corners", "align_corners", "asymmetric"]
    evidence = report["evidence"]
    assert evidence["reproduced"] and evidence["passed"]
    assert evidence["error_before"] > 0.01 > 1e-5 > evidence["error_after"]
    assert evidence["error_rewritten"] <= 1e-5
    assert evidence["model_runs"] <= evidence["run_limit"] == 40 + 6 * 3
    assert [node["chosen"] for node in evidence["nodes"]] == [
        "linear align_corners",
        "linear align_corners",
        "linear asymmetric",
    ]
    assert all(node["determined"] and node["searched"] for node in evidence["nodes"])
    assert {entry["intent_from"] for entry in report["resizes"]} == {"evidence"}


def test_the_default_does_not_touch_a_model_that_reproduces_the_reference(tmp_path: Path) -> None:
    model = with_modes("half_pixel", "half_pixel", "asymmetric")
    image = picture(model)
    golden = save_golden(tmp_path / "own.npz", image, reference_run(model, image))
    code, _, target = run(tmp_path, model, golden)
    assert code == 0
    assert modes(target) == ["half_pixel", "half_pixel", "asymmetric"]


def test_a_dry_run_writes_nothing(tmp_path: Path, golden: Path) -> None:
    source = tmp_path / "in.onnx"
    onnx.save(with_modes(*WRONG), source)
    before = source.read_bytes()
    done = CliRunner().invoke(main, [str(source), "--dry-run", "--reference", str(golden)])
    assert done.exit_code == 0
    assert "is reproduced" in done.output and "nothing written" in done.output
    assert "default intent" not in done.output
    assert source.read_bytes() == before


def test_other_weights_are_no_evidence(tmp_path: Path, golden: Path) -> None:
    model = with_modes(*WRONG)
    weights = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(weights * np.float32(1.5), model.graph.initializer[0].name)
    )
    code, report, target = run(tmp_path, model, golden)
    assert code == 1
    assert not target.exists()
    assert report["output"] is None
    assert report["changes"] == []
    evidence = report["evidence"]
    assert not evidence["reproduced"] and not evidence["passed"]
    assert not any(node["changed"] or node["determined"] for node in evidence["nodes"])
    assert any("weights" in hint for hint in evidence["hints"])
    assert evidence["model_runs"] <= evidence["run_limit"]


def test_an_explicit_rule_comes_first_and_the_contradiction_is_loud(tmp_path: Path, golden: Path) -> None:
    code, report, target = run(tmp_path, with_modes(*WRONG), golden, "--set", "up1=asymmetric")
    assert modes(target) == ["asymmetric", "align_corners", "asymmetric"]
    assert code == 1
    evidence = report["evidence"]
    assert evidence["reproduced"] and not evidence["passed"]
    assert evidence["error_rewritten"] > evidence["tolerance"]
    assert len(evidence["contradictions"]) == 1
    assert "up1" in evidence["contradictions"][0] and "align_corners" in evidence["contradictions"][0]


def test_provenance_comes_before_evidence_and_the_contradiction_is_loud(tmp_path: Path, golden: Path) -> None:
    model = with_modes(*WRONG)
    record = {"op": "ResizeBilinear", "align_corners": False, "half_pixel_centers": True}
    first = resizes(model)[0]
    entry = first.metadata_props.add()
    entry.key, entry.value = "rewriter.source", json.dumps(record)
    code, report, target = run(tmp_path, model, golden)
    assert modes(target)[0] == "half_pixel"
    assert code == 1
    assert [e["intent_from"] for e in report["resizes"]] == ["provenance", "evidence", "evidence"]
    assert len(report["evidence"]["contradictions"]) == 1


def test_a_node_that_no_output_depends_on_is_undetermined_and_kept(tmp_path: Path) -> None:
    def made(mode: str, side: str) -> onnx.ModelProto:
        model = with_modes(mode, mode, mode)
        dead, sizes = resize("a", "unread", (1, 6, 20, 21), "dead", coordinate_transformation_mode=side)
        model.graph.node.insert(1, dead)
        model.graph.initializer.append(sizes)
        return model

    true = made("align_corners", "align_corners")
    image = picture(true)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(true, image))
    code, report, target = run(tmp_path, made("half_pixel", "half_pixel"), golden)
    assert code == 0
    dead = next(node for node in report["evidence"]["nodes"] if node["node"] == "dead")
    assert not dead["determined"] and not dead["changed"]
    assert "no output" in dead["why"]
    found = {node.name: coordinates(node).s for node in resizes(onnx.load(target))}
    assert found == {"dead": b"half_pixel", **dict.fromkeys(["up1", "up2", "up3"], b"align_corners")}


def test_a_node_whose_effect_is_multiplied_by_zero_is_undetermined(tmp_path: Path) -> None:
    def made(mode: str) -> onnx.ModelProto:
        zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
        return network(
            [
                convolution("x", "a", (3, 4), 0),
                resize("a", "b", (1, 4, 23, 29), "mute", coordinate_transformation_mode=mode),
                (helper.make_node("Mul", ["b", "zero"], ["c"]), zero),
                resize("a", "d", (1, 4, 23, 29), "heard", coordinate_transformation_mode=mode),
                (helper.make_node("Add", ["c", "d"], ["y"]), None),
            ],
            output="y",
        )

    true = made("align_corners")
    image = picture(true)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(true, image))
    code, report, target = run(tmp_path, made("half_pixel"), golden)
    assert code == 0
    assert modes(target) == ["half_pixel", "align_corners"]
    mute, heard = report["evidence"]["nodes"]
    assert not mute["determined"] and heard["determined"]


def test_modes_that_are_the_same_matrix_keep_what_is_there(tmp_path: Path) -> None:
    """Nearest to twice the length, halves rounded down: half_pixel and asymmetric take the same pixels."""

    def made(mode: str) -> onnx.ModelProto:
        return network(
            [
                convolution("x", "a", (3, 4), 0),
                resize(
                    "a",
                    "b",
                    (1, 4, 32, 32),
                    "same",
                    mode="nearest",
                    nearest_mode="round_prefer_floor",
                    coordinate_transformation_mode=mode,
                ),
                resize("b", "y", (1, 4, 41, 45), "other", coordinate_transformation_mode=mode),
            ],
            output="y",
        )

    true = made("half_pixel")
    image = picture(true)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(true, image))
    code, report, target = run(tmp_path, made("asymmetric"), golden)
    assert code == 0
    assert modes(target) == ["asymmetric", "half_pixel"]
    same = report["evidence"]["nodes"][0]
    assert not same["changed"]
    assert "nearest half_pixel round_prefer_floor" in same["equivalent"]


def test_other_names_and_layout_are_paired(tmp_path: Path) -> None:
    true = with_modes("align_corners", "half_pixel", "asymmetric")
    image = picture(true)
    outputs: Arrays = {
        "served/logits": np.ascontiguousarray(reference_run(true, image)["y"].transpose(0, 2, 3, 1))
    }
    golden = save_golden(
        tmp_path / "nhwc.npz", np.ascontiguousarray(image.transpose(0, 2, 3, 1)), outputs, "picture:0"
    )
    code, _, target = run(tmp_path, with_modes(*WRONG), golden)
    assert code == 0
    assert modes(target) == ["align_corners", "half_pixel", "asymmetric"]


def test_another_onnx_file_is_a_reference(tmp_path: Path) -> None:
    reference = tmp_path / "reference.onnx"
    onnx.save(with_modes("align_corners", "half_pixel", "asymmetric"), reference)
    code, report, target = run(tmp_path, with_modes(*WRONG), reference)
    assert code == 0
    assert modes(target) == ["align_corners", "half_pixel", "asymmetric"]
    assert report["evidence"]["model_runs"] <= report["evidence"]["run_limit"]


def test_an_argmax_head_tells_what_it_can(tmp_path: Path) -> None:
    true = build("unet", 3, 5)
    image = golden_image(true, 5)
    _argmax_head(true)
    wrong = scrambled(true, 5)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(true, image))
    code, report, target = run(tmp_path, wrong, golden)
    assert code == 0, report["evidence"]
    repaired = reference_run(onnx.load(target), image)["labels"]
    assert np.array_equal(repaired, reference_run(true, image)["labels"])


def test_a_resize_in_a_subgraph_is_reported_as_not_searched(tmp_path: Path) -> None:
    inner, sizes = resize("a", "t", (1, 4, 20, 20), "inner")
    other, more = resize("a", "e", (1, 4, 20, 20), "other")
    shown = helper.make_tensor_value_info
    branches = [
        helper.make_graph([node], name, [], [shown(out, TensorProto.FLOAT, [1, 4, 20, 20])], [tensor])
        for node, name, out, tensor in ((inner, "then", "t", sizes), (other, "else", "e", more))
    ]
    choice = numpy_helper.from_array(np.array(True), "choice")
    made = network(
        [
            convolution("x", "a", (3, 4), 0),
            (
                helper.make_node("If", ["choice"], ["b"], then_branch=branches[0], else_branch=branches[1]),
                choice,
            ),
            resize("b", "y", (1, 4, 33, 35), "outer"),
        ],
        output="y",
    )
    image = picture(made)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(made, image))
    coordinates(made.graph.node[-1]).s = b"half_pixel"
    code, report, target = run(tmp_path, made, golden)
    assert code == 0
    assert coordinates(onnx.load(target).graph.node[-1]).s == b"align_corners"
    nodes = {node["node"]: node for node in report["evidence"]["nodes"]}
    assert not nodes["inner"]["searched"] and "subgraph" in nodes["inner"]["why"]
    assert nodes["outer"]["determined"] and nodes["outer"]["changed"]


def test_a_reference_that_does_not_fit_is_misuse(tmp_path: Path) -> None:
    golden = save_golden(tmp_path / "g.npz", np.zeros((1, 5, 7, 9), np.float32), {"y": np.zeros((1, 2))})
    code, report, target = run(tmp_path, with_modes(*WRONG), golden)
    assert code == 2
    assert not target.exists()
    assert report["error"]["kind"] == "usage"


def _argmax_head(model: onnx.ModelProto) -> None:
    output = model.graph.output[0]
    n, _, height, width = (axis.dim_value for axis in output.type.tensor_type.shape.dim)
    shape = [n, height, width]
    model.graph.node.append(helper.make_node("ArgMax", [output.name], ["labels"], axis=1, keepdims=0))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("labels", TensorProto.INT64, shape))

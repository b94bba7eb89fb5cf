"""The diagnosis names what is wrong: resizes in every disguise, and causes that are no resize."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.verification import verify
from rewriter.verification.result import Finding, VerificationReport
from tests.verification.small_networks import convolution, network, resize, three_resizes

RIGHT = ("align_corners",) * 3


def _errors(report: VerificationReport) -> list[Finding]:
    return [finding for finding in report.diagnosis if finding.level == "error"]


def _named(report: VerificationReport) -> list[str | None]:
    assert not report.passed
    return [finding.node for finding in _errors(report)]


@pytest.mark.parametrize("wrong", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric"])
def test_names_exactly_the_wrong_resizes(wrong: tuple[int, ...], mode: str) -> None:
    candidate = three_resizes([mode if index in wrong else RIGHT[index] for index in range(3)])
    report = verify(three_resizes(), [candidate])
    assert _named(report) == [f"up{index + 1}" for index in wrong]
    for finding in _errors(report):
        assert finding.reference_semantics == "linear align_corners"
        assert finding.candidate_semantics == f"linear {mode}"


def test_names_different_mistakes_at_different_nodes_against_recorded_outputs(tmp_path: Path) -> None:
    """A golden reference cannot suggest anything: each node has its own mistake."""
    golden = _golden(tmp_path / "golden.npz", three_resizes())
    report = verify(golden, [three_resizes(("half_pixel", "align_corners", "asymmetric"))])
    assert _named(report) == ["up1", "up3"]
    assert [finding.candidate_semantics for finding in _errors(report)] == [
        "linear half_pixel",
        "linear asymmetric",
    ]


def test_says_both_semantics_the_shift_and_the_repair(tmp_path: Path) -> None:
    path = tmp_path / "wrong model.onnx"
    onnx.save(_doubled("half_pixel"), path)
    (finding,) = _errors(verify(_doubled("align_corners"), [path]))
    assert finding.message == (
        "node 'up' samples half_pixel, the reference align_corners: "
        "shifted -0.25 px at the left edge, 0.25 px at the right edge"
    )
    assert finding.shift_px == pytest.approx(0.25)
    assert finding.remedy == f"rewrite '{path}' -o fixed.onnx --intent preserve --set up=align_corners"


def test_an_unnamed_node_goes_by_its_output() -> None:
    candidate = three_resizes(("align_corners", "half_pixel", "align_corners"))
    for node in candidate.graph.node:
        node.name = ""
    assert _named(verify(three_resizes(), [candidate])) == ["e"]


def test_provenance_is_tried_first_and_repairs_without_a_rule() -> None:
    candidate = three_resizes(("align_corners", "half_pixel", "align_corners"))
    record = {"op": "ResizeBilinear", "align_corners": True, "half_pixel_centers": False}
    candidate.metadata_props.add(key="rewriter.sources", value=json.dumps({"up2": record}))
    (finding,) = _errors(verify(three_resizes(), [candidate]))
    assert (finding.node, finding.remedy) == ("up2", "rewrite model.onnx -o fixed.onnx")


def test_a_contradicted_record_is_a_warning_where_the_outputs_agree() -> None:
    candidate = three_resizes()
    record = {"op": "ResizeBilinear", "align_corners": False, "half_pixel_centers": True}
    candidate.metadata_props.add(key="rewriter.sources", value=json.dumps({"up2": record}))
    report = verify(three_resizes(), [candidate])
    assert report.passed
    (finding,) = report.diagnosis
    assert (finding.node, finding.level, finding.reference_semantics) == (
        "up2",
        "warning",
        "linear half_pixel",
    )


@pytest.mark.parametrize(
    ("opset", "op", "semantics"),
    [(9, "Upsample", "linear asymmetric"), (10, "Resize", "linear asymmetric")],
)
def test_operators_without_coordinate_modes(opset: int, op: str, semantics: str) -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    node = helper.make_node(op, ["a", "scales"], ["y"], name="old", mode="linear")
    candidate = network([convolution("x", "a", (3, 4), 0), (node, scales)], output="y", opset=opset)
    reference = network(
        [convolution("x", "a", (3, 4), 0), resize("a", "y", (1, 4, 32, 32), "new")], output="y"
    )
    (finding,) = _errors(verify(reference, [candidate]))
    assert (finding.node, finding.candidate_semantics) == ("old", semantics)
    assert finding.reference_semantics == "linear align_corners"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (
            {
                "mode": "nearest",
                "nearest_mode": "round_prefer_floor",
                "coordinate_transformation_mode": "half_pixel",
            },
            {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
        ),
        ({"mode": "cubic", "cubic_coeff_a": -0.5}, {"mode": "cubic", "cubic_coeff_a": -0.75}),
        ({"mode": "nearest"}, {"mode": "linear"}),
        ({"mode": "linear", "antialias": 1}, {"mode": "linear"}),
    ],
)
def test_other_attributes_than_the_coordinate_mode(wrong: dict[str, Any], right: dict[str, Any]) -> None:
    def model(words: dict[str, Any]) -> onnx.ModelProto:
        return network(
            [convolution("x", "a", (3, 4), 0), resize("a", "y", (1, 4, 11, 27), "node", **words)], output="y"
        )

    report = verify(model(right), [model(wrong)])
    assert _named(report) == ["node"]
    assert _errors(report)[0].reference_semantics != _errors(report)[0].candidate_semantics


def test_a_resize_on_other_axes_and_of_half_precision() -> None:
    """Channels last, float16: the axes that are resized are not the last two."""

    def model(mode: str) -> onnx.ModelProto:
        down = helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16)
        node, sizes = resize("h", "r", (1, 30, 21, 3), "up", coordinate_transformation_mode=mode)
        up = helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT)
        return network([(down, None), (node, sizes), (up, None)], input_shape=(1, 16, 16, 3), output="y")

    report = verify(model("align_corners"), [model("half_pixel")], rtol=5e-3)
    assert _named(report) == ["up"]


def test_a_node_inside_a_function() -> None:
    node = helper.make_node(
        "Resize",
        ["v", "", "", "s"],
        ["w"],
        name="inner",
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    function = helper.make_function("local", "Up", ["v", "s"], ["w"], [node], [helper.make_opsetid("", 18)])
    sizes = numpy_helper.from_array(np.array([1, 3, 30, 21], np.int64), "sizes")
    call = helper.make_node("Up", ["x", "sizes"], ["y"], domain="local", name="call")
    candidate = network([(call, sizes)], output="y", functions=[function])
    candidate.opset_import.append(helper.make_opsetid("local", 1))
    reference = network([resize("x", "y", (1, 3, 30, 21), "up")], output="y")
    (finding,) = _errors(verify(reference, [candidate]))
    assert finding.candidate_semantics == "linear half_pixel"
    assert "inner" in str(finding.node)


def test_a_node_inside_a_subgraph_is_said_to_be_unexamined() -> None:
    def model(mode: str) -> onnx.ModelProto:
        node, sizes = resize("x", "w", (1, 3, 30, 21), "inner", coordinate_transformation_mode=mode)
        branch = helper.make_graph(
            [node], "branch", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, None)]
        )
        condition = numpy_helper.from_array(np.array(True), "yes")
        choice = helper.make_node("If", ["yes"], ["v"], then_branch=branch, else_branch=branch, name="choice")
        last = resize("v", "y", (1, 3, 40, 40), "last")
        return network(
            [(choice, condition), (helper.make_node("Identity", ["x"], ["unused"]), sizes), last], output="y"
        )

    report = verify(model("align_corners"), [model("half_pixel")])
    assert not report.passed
    assert report.diagnosis[0].level == "error"
    assert any(f.node == "inner" and "not examined" in f.message for f in report.diagnosis)


def test_dynamic_shapes_use_the_lengths_of_the_run() -> None:
    def model(mode: str) -> onnx.ModelProto:
        scales = numpy_helper.from_array(np.array([1, 1, 1.5, 2.25], np.float32), "scales")
        node = helper.make_node(
            "Resize",
            ["a", "", "scales"],
            ["y"],
            name="up",
            mode="linear",
            coordinate_transformation_mode=mode,
        )
        parts = [convolution("x", "a", (3, 4), 0), (node, scales)]
        return network(parts, input_shape=(1, 3, "h", "w"), output="y")

    assert verify(model("half_pixel"), [model("half_pixel")]).passed
    assert _named(verify(model("half_pixel"), [model("asymmetric")])) == ["up"]


def test_resizes_that_no_output_shows_are_reported() -> None:
    """The second output pixel of a mean over a resize cannot tell modes apart: the verdict says so."""
    parts = [
        convolution("x", "a", (3, 4), 0),
        resize("a", "b", (1, 4, 32, 32), "shown"),
        resize("a", "c", (1, 4, 24, 24), "hidden"),
        (helper.make_node("Mul", ["c", "tiny"], ["d"]), numpy_helper.from_array(np.float32(1e-7), "tiny")),
        (helper.make_node("ReduceMean", ["d"], ["m"]), None),
        (helper.make_node("Add", ["b", "m"], ["y"]), None),
    ]
    report = verify(network(parts, output="y"), [network(parts, output="y")])
    assert report.passed
    assert [(finding.node, finding.level) for finding in report.diagnosis] == [("hidden", "warning")]


def _doubled(mode: str) -> onnx.ModelProto:
    parts = [
        convolution("x", "a", (3, 4), 0),
        resize("a", "y", (1, 4, 32, 32), "up", coordinate_transformation_mode=mode),
    ]
    return network(parts, output="y")


def _golden(path: Path, model: onnx.ModelProto) -> Path:
    import onnxruntime

    running = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    arrays = {}
    for case, seed in (("one", 1), ("two", 2)):
        x = np.random.default_rng(seed).uniform(size=(1, 3, 16, 16)).astype(np.float32)
        arrays[f"{case}/in/x"] = x
        arrays[f"{case}/out/y"] = running.run(None, {"x": x})[0]
    np.savez(path, **arrays)
    return path

"""`rewriter figure` and the sampling grids that it draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.main import main
from rewriter.figures.comparison import compare_outputs, comparison_figure
from rewriter.figures.grids import sampling_grids
from rewriter.verification.report.figure import Contour


def enlarging(path: Path, mode: str) -> Path:
    """A network that enlarges a picture of 8 × 8 pixels to 32 × 32 and makes two classes of it."""
    nodes = [
        helper.make_node(
            "Resize", ["x", "", "", "sizes"], ["y"], mode="linear", coordinate_transformation_mode=mode
        ),
        helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "enlarging",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 32, 32, 3])],
        [numpy_helper.from_array(np.array([1, 3, 32, 32]), "sizes")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    reference = enlarging(tmp_path / "reference.onnx", "align_corners")
    candidate = enlarging(tmp_path / "candidate.onnx", "half_pixel")
    picture = tmp_path / "picture.npy"
    np.save(picture, np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32))
    return str(reference), str(candidate), str(picture)


def test_grids_are_the_documented_ones() -> None:
    by_label = {grid.label: grid for grid in sampling_grids(3, 6)}
    aligned = by_label["CPU: TensorFlow, align_corners"]
    assert aligned.positions == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2])
    assert by_label["MPSNNResizeBilinear, alignCorners: YES"].positions == aligned.positions
    assert by_label["MPSImageBilinearScale"].positions == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2])
    upsampling = [grid.positions for label, grid in by_label.items() if "Upsampling" in label]
    assert upsampling == [pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2]), [0, 0.5, 1, 1.5, 2, 2]]


def test_upsampling_kernels_have_whole_factors_only() -> None:
    positions = [grid.positions for grid in sampling_grids(3, 5) if "Upsampling" in grid.label]
    assert positions == [[], []]


def test_command_counts_and_draws(files: tuple[str, str, str], tmp_path: Path) -> None:
    reference, candidate, picture = files
    output = tmp_path / "figure.png"
    arguments = ["figure", reference, reference, candidate, "--input", picture, "-o", str(output)]
    result = CliRunner().invoke(main, [*arguments, "--label", "same", "--label", "other", "--json", "-"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["pixels"] == 32 * 32
    assert report["differing"]["same"] == 0
    assert report["differing"]["other"] > 50
    assert output.read_bytes().startswith(b"\x89PNG")


def test_svg_holds_the_labels_and_is_reproducible(files: tuple[str, str, str], tmp_path: Path) -> None:
    reference, candidate, picture = files
    drawn = []
    for name in ("a.svg", "b.svg"):
        output = tmp_path / name
        result = CliRunner().invoke(
            main, ["figure", reference, candidate, "--input", picture, "-o", str(output)]
        )
        assert result.exit_code == 0, result.output
        drawn.append(output.read_text())
    assert drawn[0] == drawn[1]
    assert "<svg" in drawn[0] and "MPSNNResizeBilinear" in drawn[0]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["-o", "figure.gif"], "figure.png"),
        (["-o", "figure.png", "--label", "a", "--label", "b"], "2 labels for 1 candidates"),
        (["-o", "figure.png", "--input", "missing.npy"], "no such file"),
    ],
)
def test_misuse_is_refused(extra: list[str], words: str, files: tuple[str, str, str]) -> None:
    reference, candidate, picture = files
    result = CliRunner().invoke(main, ["figure", reference, candidate, "--input", picture, *extra])
    assert result.exit_code == 2
    assert words in result.output


def test_figures_of_other_shapes_are_refused(tmp_path: Path, files: tuple[str, str, str]) -> None:
    reference, _, picture = files
    other = onnx.load(reference)
    other.graph.node[1].attribute[0].ints[:] = [0, 1, 2, 3]
    del other.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(other, tmp_path / "other.onnx")
    arguments = ["figure", reference, str(tmp_path / "other.onnx"), "--input", picture, "-o", "x.png"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2


def test_the_contour_of_a_candidate_is_drawn() -> None:
    field = np.zeros((16, 16))
    field[4:12, 4:12] = 1
    image, reference = np.zeros((16, 16, 1)), Contour("reference", field, "#facc15")
    without = comparison_figure(image, reference, [], file_format="svg")
    drawn = comparison_figure(
        image, reference, [Contour("moved", np.roll(field, 2, 0), "#123456")], file_format="svg"
    )
    assert b"#123456" in drawn and b"#123456" not in without
    assert compare_outputs(reference, [Contour("moved", np.roll(field, 2, 0), "#123456")]) == {"moved": 32}

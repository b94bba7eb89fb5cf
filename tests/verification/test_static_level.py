"""`rewriter verify --level static`: a flipped attribute is found without running anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner, Result

from rewriter.cli.verify import command
from tests.model.onnx_models import resize_model

RECORD = {
    "framework": "tensorflow",
    "op": "ResizeBilinear",
    "name": "net/up",
    "align_corners": True,
    "half_pixel_centers": False,
    "size": [9, 8],
}


def model(
    grid: str = "align_corners", *, recorded: bool = True, shape: list[Any] | None = None, **words: Any
) -> onnx.ModelProto:
    before = shape or [1, 2, 5, 4]
    after = [None] * 4 if shape else [1, 2, 9, 8]
    proto = resize_model(
        before,
        after,
        sizes=[1, 2, 9, 8],
        mode="linear",
        opset=18,
        coordinate_transformation_mode=grid,
        **words,
    )
    node = next(node for node in proto.graph.node if node.op_type == "Resize")
    node.name = "net/up"
    if recorded:
        proto.ir_version = 10
        entry = node.metadata_props.add()
        entry.key, entry.value = "rewriter.source", json.dumps(RECORD)
    return proto


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments), "--level", "static"], catch_exceptions=False)


def saved(proto: onnx.ModelProto, path: Path) -> Path:
    onnx.save(proto, path)
    return path


def test_what_is_recorded_and_done_passes(tmp_path: Path) -> None:
    result = verify(saved(model(), tmp_path / "m.onnx"))
    assert result.exit_code == 0 and "verified, statically" in result.output


@pytest.mark.parametrize("shape", [None, ["n", 2, "h", "w"]])
def test_a_flipped_attribute_is_found_and_the_remedy_repairs_it(
    shape: list[Any] | None, tmp_path: Path
) -> None:
    from rewriter.cli.rewrite import main

    flipped = saved(model("half_pixel", shape=shape), tmp_path / "m.onnx")
    result = verify(flipped, "--json", tmp_path / "r.json")
    assert result.exit_code == 1
    (finding,) = json.loads((tmp_path / "r.json").read_text())["verification"]["diagnosis"]
    assert finding["node"] == "net/up"
    assert finding["candidate_semantics"] == "linear half_pixel"
    assert finding["reference_semantics"] == "linear align_corners"
    assert (finding["shift_px"] is None) == (shape is not None)
    assert finding["remedy"] == "rewrite m.onnx -o fixed.onnx"
    fixed = tmp_path / "fixed.onnx"
    assert CliRunner().invoke(main, [str(flipped), "-o", str(fixed)]).exit_code == 0
    assert verify(fixed).exit_code == 0


def test_another_spelling_of_the_same_is_no_finding(tmp_path: Path) -> None:
    """From one pixel every grid is the same."""
    proto = model("asymmetric", shape=[1, 2, 1, 1])
    assert verify(saved(proto, tmp_path / "m.onnx")).exit_code == 0


def test_a_reference_stands_in_for_a_record(tmp_path: Path) -> None:
    good = saved(model(recorded=False), tmp_path / "good.onnx")
    bad = saved(model("half_pixel", recorded=False), tmp_path / "bad.onnx")
    assert verify(good, good).exit_code == 0
    result = verify(good, bad)
    assert result.exit_code == 1 and "the reference's node of this name samples" in " ".join(
        result.output.split()
    )


def test_a_file_that_could_not_have_failed_does_not_pass(tmp_path: Path) -> None:
    result = verify(saved(model(recorded=False), tmp_path / "m.onnx"))
    assert result.exit_code == 2 and "nothing can be checked without running it" in result.output


def test_it_runs_nothing(tmp_path: Path) -> None:
    path = saved(model("half_pixel"), tmp_path / "m.onnx")
    code = (
        "import sys\nfrom rewriter.cli.main import main\n"
        f"try:\n    main(['verify', {str(path)!r}, '--level', 'static'])\n"
        "except SystemExit as end:\n    code = end.code\n"
        "assert code == 1, code\n"
        "loaded = {'onnxruntime', 'tensorflow', 'coremltools', 'keras'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(__file__).parents[2]
    )


def test_options_that_run_something_are_misuse(tmp_path: Path) -> None:
    path = saved(model(), tmp_path / "m.onnx")
    result = verify(path, "--inputs", "x.npz")
    assert result.exit_code == 2 and "--inputs has no use" in result.output

"""Where float16 overflows, underflows or changes the largest entry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("coremltools")
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

from rewriter.cli.simulate import command
from rewriter.coreml.simulator import load
from rewriter.coreml.simulator.float16_report import Float16Report, compare_precisions
from tests.coreml.simulator.packages import save_program


def _report(package: Path, x: np.ndarray) -> Float16Report:
    return compare_precisions(load(package), load(package, precision="float32"), {"x": x})


def _squares(directory: Path, precision: str = "float16") -> Path:
    def build(x: object) -> object:
        return mb.sqrt(x=mb.mul(x=x, y=x, name="squares"), name="y")

    return save_program(directory, {"x": (1, 4)}, build, precision=precision)


def test_overflow_and_underflow_are_counted_where_they_begin(tmp_path: Path) -> None:
    report = _report(_squares(tmp_path), np.float32([[1e-4, 1, 300, 400]]))
    found = [(f.kind, f.entries, f.size) for f in report.findings if f.tensor == "squares_cast_fp16"]
    # 300² and 400² are above 65504; (1e-4)² is below the smallest subnormal, 6e-8, by more than half.
    assert sorted(found) == [("overflow", 2, 4), ("underflow", 1, 4)]
    assert report.first_overflow == "squares_cast_fp16"


def test_lost_argmax(tmp_path: Path) -> None:
    package = save_program(tmp_path, {"x": (1, 3)}, lambda x: mb.relu(x=x, name="y"), precision="float16")
    # Between 2048 and 4096 float16 has only even numbers: both are 2048, and the first one wins.
    lost = _report(package, np.float32([[2048, 2048.9, 1]]))
    assert [(f.tensor, f.kind, f.entries, f.size) for f in lost.findings] == [("y", "argmax", 1, 1)]
    kept = _report(package, np.float32([[2, 1, 3]]))
    assert kept.findings == ()
    assert kept.largest_difference == {"y": 0.0}


def test_command_reports_and_refuses(tmp_path: Path) -> None:
    half = tmp_path / "half"
    single = tmp_path / "single"
    half.mkdir()
    single.mkdir()
    inputs, output, report = tmp_path / "in.npz", tmp_path / "out.npz", tmp_path / "report.json"
    np.savez(inputs, x=np.float32([[1e-4, 1, 300, 400]]))
    files = ["--inputs", str(inputs), "-o", str(output), "--float16-report"]
    done = CliRunner().invoke(command, [str(_squares(half)), *files, "--json", str(report)])
    assert done.exit_code == 0, done.output
    assert "float16: squares_cast_fp16: overflow in 2 of 4" in done.output
    assert json.loads(report.read_text())["float16"][""]["first_overflow"] == "squares_cast_fp16"
    refused = CliRunner().invoke(command, [str(_squares(single, "float32")), *files])
    assert refused.exit_code == 2
    assert "nothing is rounded to float16" in refused.output

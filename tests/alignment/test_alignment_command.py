"""`rewriter alignment`: text, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from rewriter.cli.main import main
from tests.alignment.grid_networks import Builder


@pytest.fixture
def skip_connection(tmp_path: Path) -> Path:
    builder = Builder(32)
    down = builder.conv("x", 3, 2, 1, pads=[1, 0, 1, 0])
    total = builder.node("Add", [builder.resize(down, 32, "half_pixel"), "x"])
    path = tmp_path / "skip.onnx"
    onnx.save(builder.model(total), path)
    return path


def test_a_gap_is_a_report_and_no_failure(skip_connection: Path) -> None:
    result = CliRunner().invoke(main, ["alignment", str(skip_connection)])
    assert result.exit_code == 0
    assert "1 of 2 pairs of branches (per axis) meet on different pixels" in result.stdout
    assert "gap: +0.5 px everywhere" in result.stdout
    assert "asymmetric at 'resize_t1' closes it" in result.stdout


def test_the_same_as_json(skip_connection: Path) -> None:
    result = CliRunner().invoke(main, ["alignment", str(skip_connection), "--json", "-"])
    report = json.loads(result.stdout)
    (merge,) = report["merges"]
    assert (merge["op"], merge["axis"], merge["input"], merge["input_axis"]) == ("Add", 2, "x", 2)
    assert merge["gap_px"] == {"left": 0.5, "centre": 0.5, "right": 0.5, "max": 0.5}
    assert merge["branches"][0]["exact"] == {"scale": "1", "offset": "-1/2"}
    assert merge["closes"][0]["coordinate_transformation_mode"] == "asymmetric"
    assert report["aligned_merges"] == 1
    assert report["unknown"] == []


def test_a_missing_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["alignment", str(tmp_path / "none.onnx"), "--json", "-"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "bad_input"

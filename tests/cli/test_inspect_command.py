"""`rewriter inspect` and `rewriter passes`."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

import passes
from rewriter.cli.main import main
from tests.model.onnx_models import everything, info, resize_model


def test_inspect_says_what_each_resize_computes(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2], mode="linear"), path)
    result = CliRunner().invoke(main, ["inspect", str(path), "--json", "-"])
    assert result.exit_code == 0, result.output
    (entry,) = json.loads(result.stdout)["resizes"]
    assert entry["semantics"] == "linear half_pixel"
    assert "tf.image.resize" in entry["habit"]
    assert entry["shift_against_align_corners"] == pytest.approx(
        {"left": -0.25, "centre": 0.0, "right": 0.25, "max": 0.25}
    )
    assert set(entry["coreml"]) == {"iOS15", "iOS16", "iOS17", "iOS18"}
    assert entry["coreml"]["iOS17"]["parameters"]["sampling_mode"] == "UNALIGN_CORNERS"
    assert "UNALIGN_CORNERS" in CliRunner().invoke(main, ["inspect", str(path)]).output


def test_inspect_of_unknown_lengths_and_of_invalid_nodes_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(resize_model([1, 1, "H", "W"], [1, 1, None, None], scales=[1, 1, 2, 2], mode="linear"), path)
    entry = json.loads(CliRunner().invoke(main, ["inspect", str(path), "--json", "-"]).stdout)["resizes"][0]
    assert "not known" in entry["problem"] and entry["coreml"]["iOS17"] is None
    broken = resize_model([1, 1, 4, 4], None, sizes=[8, 8], mode="linear")
    broken.graph.output[0].CopyFrom(info("y", [1, 1, 8, 8]))
    onnx.save(broken, path)
    entry = json.loads(CliRunner().invoke(main, ["inspect", str(path), "--json", "-"]).stdout)["resizes"][0]
    assert "2 sizes for 4 axes" in entry["problem"]


def test_inspect_of_a_model_without_resizes_and_of_no_model(tmp_path: Path) -> None:
    proto = everything()
    del proto.graph.node[2]
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    assert "no Resize" in CliRunner().invoke(main, ["inspect", str(path)]).output
    missing = CliRunner().invoke(main, ["inspect", str(tmp_path / "none.onnx")])
    assert missing.exit_code == 2 and "no such file" in missing.stderr


def test_passes_lists_every_pass() -> None:
    result = CliRunner().invoke(main, ["passes", "--json", "-"])
    assert result.exit_code == 0
    assert [entry["name"] for entry in json.loads(result.stdout)["passes"]] == list(passes.names())

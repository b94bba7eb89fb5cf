"""The image-op matrix: a seeded sample has nothing wrong, the command counts and fails as it should."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from rewriter.cli.main import main
from rewriter.scoreboards import image_op_report, image_ops
from rewriter.scoreboards.image_op_cases import cases
from tests.tensorflow.tensorflow_networks import tf


def _told(outcomes):
    return [f"{outcome.case.name}: {outcome.reason}" for outcome in outcomes if outcome.verdict == "wrong"]


def test_nothing_in_a_sample_is_wrong(tmp_path):
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    arguments = ["--sample", "60", "--seed", "11", "-o", str(page), "--json", str(report)]
    result = CliRunner().invoke(main, ["scoreboard", "image-ops", *arguments])
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text())
    assert len(found["cases"]) == 60 == sum(found["counts"].values())
    assert found["counts"]["wrong"] == 0 and found["counts"]["right"] > 45
    assert all(case["reason"] for case in found["cases"] if case["verdict"] == "refused")
    assert f"**{found['counts']['right']} right" in page.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int32", "float16", "float64"])
def test_nothing_in_the_whole_matrix_is_wrong(dtype):
    outcomes = image_ops.measure([case for case in cases() if case.dtype == dtype])
    assert not _told(outcomes)
    right = sum(outcome.verdict == "right" for outcome in outcomes)
    assert right > 0.8 * len(outcomes)


def test_the_matrix_holds_what_it_promises():
    everything = list(cases())
    assert len({case.name for case in everything}) == len(everything) > 5000
    families = {case.family for case in everything}
    assert {"tf.image.resize", "tf.image.crop_and_resize", "UpSampling3D", "Resizing"} <= families
    first, again, other = ([case.name for case in image_ops.sample(20, seed)] for seed in (5, 5, 6))
    assert first == again != other


def _one():
    return next(case for case in cases() if case.name == "tf.image.resize bilinear, float32, static, odd")


def test_a_wrong_conversion_is_found(monkeypatch):
    """The measure can fail: a graph that computes another resize is reported, with its error."""
    from rewriter.scoreboards import image_ops as module

    other = replace(_one(), op=lambda x, size: tf.image.resize(x, size, method="nearest"))
    genuine = module._converted
    monkeypatch.setattr(module, "_converted", lambda heads: genuine([other]))
    [outcome] = image_ops.measure([_one()])
    assert outcome.verdict == "wrong" and outcome.error > 0.05
    assert "WRONG" in "\n".join(image_op_report.lines([outcome]))
    monkeypatch.setattr(module, "sample", lambda number, seed: [_one()])
    result = CliRunner().invoke(main, ["scoreboard", "image-ops"])
    assert result.exit_code == 1 and "1 wrong" in result.output


def test_an_error_that_is_no_number_is_wrong():
    expected = np.ones((2, 2), np.float32)
    outcome = image_ops._judged(_one(), {"converted": np.full((2, 2), np.nan, np.float32)}, expected)
    assert outcome.verdict == "wrong"


def test_what_tensorflow_cannot_trace_is_refused_with_its_reason():
    def fails(x, size):
        raise ValueError("no such picture")

    [outcome] = image_ops.measure([replace(_one(), op=fails, options="broken")][:1])
    assert outcome.verdict == "refused" and "no such picture" in outcome.reason

"""The onnx wheel's tests: each is right, or refused with a reason; nothing is silently wrong."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper

from rewriter.errors import UnsupportedError
from rewriter.scoreboards.onnx_node_tests import SUITES, TestCase, collect, frozen, measured, try_case

RIGHT_AT_LEAST = 950
"""Of the 1,006 tests in scope; raise it when more are right."""


@functools.cache
def node_tests() -> dict[str, TestCase]:
    return collect("node")


def _sampled(name: str) -> bool:
    return hashlib.sha1(name.encode()).digest()[0] % 6 == 0


def test_the_denominator_is_the_one_that_others_are_measured_by() -> None:
    assert len(node_tests()) == 1006


@pytest.mark.parametrize("name", [name for name in node_tests() if _sampled(name)])
def test_is_right_or_refused(name: str, tmp_path: Path) -> None:
    outcome = try_case(node_tests()[name], tmp_path)
    assert outcome.is_right or (outcome.verdict == "refused" and outcome.reason), outcome


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_scoreboard(suite: str) -> None:
    outcomes = list(measured(list(collect(suite).values())))
    wrong = [outcome for outcome in outcomes if outcome.verdict == "wrong"]
    assert not wrong
    if suite == "node":
        assert sum(outcome.is_right for outcome in outcomes) >= RIGHT_AT_LEAST


@pytest.mark.parametrize(
    "name", [name for name in node_tests() if name.startswith(("test_resize", "test_upsample"))]
)
def test_resizes_are_right(name: str, tmp_path: Path) -> None:
    assert try_case(node_tests()[name], tmp_path).is_right


def test_a_resize_that_is_read_in_two_ways_is_refused_unless_somebody_is_right() -> None:
    from rewriter.coreml.lowering import lower

    model = frozen(node_tests()["test_resize_downsample_scales_linear_align_corners"])
    with pytest.raises(UnsupportedError, match="--reading"):
        lower(model)
    entries = [
        lower(model, reading=reading).resizes[0]["semantics"] for reading in ("onnxruntime", "onnx.reference")
    ]
    assert entries[0] != entries[1]


def test_the_backend_runs_a_node_and_a_model() -> None:
    from rewriter.coreml import backend

    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    x = np.array([[1.0, -2.0, 3.0]], np.float32)
    (y,) = backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [x])
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    case = node_tests()["test_add"]
    np.testing.assert_allclose(
        backend.run_model(case.model, list(case.inputs))[0], case.outputs[0], rtol=1e-6
    )
    assert isinstance(case.model, onnx.ModelProto)


def test_the_command_counts_a_sample(tmp_path: Path) -> None:
    from rewriter.cli.main import main

    page = tmp_path / "page.md"
    arguments = [
        "scoreboard",
        "onnx-node-tests",
        "--suite",
        "node",
        "--sample",
        "6",
        "--jobs",
        "1",
        "-o",
        str(page),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "node: 6 tests" in result.output and "| node | 6 |" in page.read_text()

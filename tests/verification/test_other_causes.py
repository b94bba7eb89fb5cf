"""Differences that are no resize are told as what they are; outputs that prove nothing never pass."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification import verify
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.function import FunctionRunner
from tests.verification.small_networks import convolution, network, resize

IMAGE = TensorSpec("image", (1, 12, 12, 3), np.dtype(np.float32))


def _runner(function) -> FunctionRunner:  # type: ignore[no-untyped-def]
    def run(inputs: Arrays) -> Arrays:
        return {"y": np.asarray(function(inputs["image"]))}

    return FunctionRunner(run, getattr(function, "__name__", "f"), [IMAGE])


def _map(x: np.ndarray) -> np.ndarray:
    """Not symmetric in anything: channels, height and width all differ."""
    weights = np.arange(1, 4, dtype=np.float32) / 3
    return np.sin(2 * x * weights) + 0.3 * np.roll(x, 1, axis=1)[..., ::-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: _map(x)[..., [2, 0, 1]], "reordering its channels"),
        (lambda x: _map(x).swapaxes(1, 2), "swapping its height and width"),
        (lambda x: _map(x)[:, ::-1], "flipping it vertically"),
        (lambda x: 2 * _map(x) + 0.5, "times 2 plus 0.5"),
        (lambda x: _map(x / 255), "multiplied by 255"),
        (lambda x: _map(x * 2 - 1), "mapped from [-1, 1] to [0, 1]"),
        (lambda x: _map(x[..., ::-1]), "reversed in its channels"),
    ],
)
def test_layout_scale_and_preprocessing(change, words: str) -> None:  # type: ignore[no-untyped-def]
    report = verify(_runner(_map), [_runner(change)])
    assert not report.passed
    assert words in report.diagnosis[0].message


def test_what_nothing_explains_is_said_plainly() -> None:
    report = verify(_runner(_map), [_runner(lambda x: np.cos(3 * x) * x[:, ::-1])])
    assert not report.passed
    assert "no cause was found" in report.diagnosis[0].message


def test_nan_is_named_with_its_output() -> None:
    report = verify(_runner(_map), [_runner(lambda x: np.where(x > 0.9, np.nan, _map(x)))])
    assert not report.passed
    assert "output 'y'" in report.diagnosis[0].message and "NaN" in report.diagnosis[0].message


def test_a_wrong_output_shape_is_a_finding() -> None:
    report = verify(_runner(_map), [_runner(lambda x: _map(x)[:, :5])])
    assert not report.passed
    assert "shape [1, 5, 12, 3] instead of [1, 12, 12, 3]" in report.diagnosis[0].message


@pytest.mark.parametrize(
    "dead",
    [
        lambda x: np.ones_like(x),
        lambda x: np.broadcast_to(np.arange(3, dtype=np.float32), x.shape),  # constant per channel
        lambda x: np.where(np.isfinite(x), np.inf, 0.0),
    ],
)
def test_a_reference_that_ignores_its_input_never_passes(dead) -> None:  # type: ignore[no-untyped-def]
    report = verify(_runner(dead), [_runner(dead)])
    assert not report.passed
    assert not any(output.informative for case in report.pairs[0].cases for output in case.outputs)
    assert "nothing could be verified" in report.diagnosis[0].message


def test_networks_for_other_ranges_are_woken_up() -> None:
    """Dead for inputs in [0, 1] and [-1, 1], alive for [0, 255]."""
    report = verify(_runner(lambda x: np.maximum(x - 10, 0)), [_runner(lambda x: np.maximum(x - 10, 0))])
    assert report.passed
    assert all("[0, 255]" in case.name for case in report.pairs[0].cases)


def test_a_candidate_that_cannot_run_fails_and_the_others_are_still_compared() -> None:
    good = network([convolution("x", "a", (3, 4), 0), resize("a", "y", (1, 4, 32, 32), "up")], output="y")
    wrong = onnx.ModelProto()
    wrong.CopyFrom(good)
    shape = numpy_helper.from_array(np.array([1, 5, 32, 32], np.int64), "shape")
    wrong.graph.node[-1].output[0] = "z"
    wrong.graph.node.append(helper.make_node("Reshape", ["z", "shape"], ["y"]))
    wrong.graph.initializer.append(shape)
    report = verify(good, [wrong, good])
    assert [pair.passed for pair in report.pairs] == [False, True]
    assert "cannot run case" in report.diagnosis[0].message


def test_the_tolerance_is_that_of_the_lower_precision() -> None:
    noisy = _runner(lambda x: _map(x) + 1e-3 * np.sin(40 * x))
    assert not verify(_runner(_map), [noisy]).passed
    noisy.precision = "float16"
    assert verify(_runner(_map), [noisy]).passed
    assert verify(noisy, [_runner(_map)]).passed
    assert not verify(noisy, [_runner(_map)], rtol=1e-4).passed
    assert verify(noisy, [_runner(_map)], rtol=1e-4, atol=0.01).passed


@pytest.mark.parametrize("options", [{"rtol": -1.0}, {"atol": float("nan")}, {"rtol": float("inf")}])
def test_impossible_tolerances(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        verify(_runner(_map), [_runner(_map)], **options)  # type: ignore[arg-type]

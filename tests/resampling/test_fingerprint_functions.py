"""Fingerprints of Python functions: what is no resize and why, what no word describes, how few calls it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rewriter.errors import InputError
from rewriter.resampling import AxisResize
from rewriter.resampling.fingerprint import fingerprint
from rewriter.resampling.fingerprint.calling import Prober
from rewriter.resampling.fingerprint.recovery import recover


def resizing(
    *lengths: int, kernel: str = "linear", coordinates: str = "half_pixel", **options: Any
) -> Callable[[np.ndarray], np.ndarray]:
    """A resize of the axes after the first, in float64, independent of any framework."""

    def function(x: np.ndarray) -> np.ndarray:
        y = x.astype(np.float64)
        for axis, length in enumerate(lengths, start=1):
            matrix = AxisResize(x.shape[axis], length, kernel, coordinates, **options).matrix()
            y = np.moveaxis(np.tensordot(matrix, y, axes=(1, axis)), 0, axis)
        return y.astype(x.dtype)

    return function


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: np.maximum(x, 0), "not linear"),
        (lambda x: x * x, "not linear"),
        (lambda x: np.clip(x, -2, 2), "not linear"),
        (lambda x: x[..., 0], "rank changes"),
        (lambda x: x[..., ::-1], "mixes or reorders the entries of axis 3"),
        (lambda x: x @ np.array([[1, 2], [3, 4]], np.float32), "axis 3"),
        (lambda x: x - x.mean(axis=(1, 2, 3), keepdims=True), "constant"),
        (lambda x: x + np.arange(x.shape[1], dtype=np.float32)[:, None, None], "differ from pixel to pixel"),
        (lambda x: x + np.roll(np.roll(x, 1, 1), 1, 2), "not separable"),
        (lambda x: x - x.mean(axis=0, keepdims=True) + x.mean(), "other images of its batch"),
        (lambda x: x / max(np.abs(x).max(), 1e-9), "batch"),
        (lambda x: x / np.maximum(np.abs(x).max(axis=(1, 2, 3), keepdims=True), 1e-9), "not linear"),
        (lambda x: x * np.float32("nan"), "not finite"),
    ],
)
def test_what_is_no_resize_and_why(function: Callable, reason: str) -> None:
    found = fingerprint(function, (1, 9, 7, 2))
    assert found.kind == "not_a_resize"
    assert reason in found.reason
    assert found.matches == ()


def test_the_identity() -> None:
    assert fingerprint(lambda x: x.copy(), (1, 9, 7, 2)).kind == "identity"


def test_a_fixed_size_that_happens_to_be_the_input_s() -> None:
    found = fingerprint(resizing(9, 7), (1, 9, 7, 2))
    assert found.kind == "resize"
    assert found.layout == "NHWC"


def test_gain_and_offset_are_reported_with_the_resize() -> None:
    inner = resizing(20, 5)
    found = fingerprint(lambda x: inner(x) / 255 + 3, (1, 9, 7, 2))
    assert found.kind == "resize"
    assert found.gain == pytest.approx(1 / 255, rel=1e-4)
    assert found.offset == pytest.approx(3)
    assert "3 is added" in found.reason


def test_axes_in_another_order() -> None:
    inner = resizing(20, 5)
    found = fingerprint(lambda x: np.moveaxis(inner(x), -1, 1), (1, 9, 7, 2))
    assert found.kind == "resize"
    assert "axes come out in the order [0, 3, 1, 2]" in found.reason


@pytest.mark.parametrize(
    ("shape", "lengths", "layout"), [((1, 9, 2), (20,), "NWC"), ((1, 5, 6, 7, 2), (8, 9, 4), "NDHWC")]
)
def test_other_ranks(shape: tuple[int, ...], lengths: tuple[int, ...], layout: str) -> None:
    found = fingerprint(resizing(*lengths, coordinates="align_corners"), shape)
    assert found.layout == layout
    text = "Resize(mode='linear', coordinate_transformation_mode='align_corners')"
    assert text in found.words("onnx")


def test_one_pixel_axes() -> None:
    """To one pixel, align_corners takes the first one and half_pixel the middle."""
    first = fingerprint(resizing(1, 1, coordinates="align_corners"), (1, 9, 7, 2))
    middle = fingerprint(resizing(1, 1, coordinates="align_corners_centred"), (1, 9, 7, 2))
    assert "resize_bilinear(sampling_mode='STRICT_ALIGN_CORNERS')" in first.words("coreml")
    assert "resize_bilinear(sampling_mode='ALIGN_CORNERS')" not in first.words("coreml")
    assert "resize_bilinear(sampling_mode='ALIGN_CORNERS')" in middle.words("coreml")
    wide = fingerprint(resizing(8, 7), (1, 1, 9, 2))
    assert wide.kind == "resize"


def test_words_of_core_ml_alone() -> None:
    found = fingerprint(resizing(20, 5, coordinates="offset_corners"), (1, 9, 7, 2))
    assert "resize_bilinear(sampling_mode='OFFSET_CORNERS')" in found.words("coreml")
    assert {match.word.framework for match in found.matches} == {"coreml"}


def test_what_no_word_describes_has_a_nearest_one_and_a_shift() -> None:
    linear = resizing(26, coordinates="align_corners")
    cubic = resizing(26, kernel="cubic", coordinates="half_pixel")
    found = fingerprint(lambda x: 0.7 * linear(x) + 0.3 * cubic(x), (1, 13, 2))
    assert found.kind == "unnamed"
    assert "mode='linear', coordinate_transformation_mode='align_corners'" in found.nearest[0].text or (
        "ResizeBilinear(align_corners=True" in found.nearest[0].text
    )
    assert 0.02 < found.nearest[0].difference < 0.3
    # 0.3 of the weight lies where half_pixel looks: further in at both edges where the axis shrinks.
    shift = found.nearest[0].shift
    assert shift.centre == pytest.approx(0, abs=1e-6)
    assert shift.left == pytest.approx(-shift.right, abs=1e-6)
    assert 0.05 < shift.left <= shift.max < 0.2
    assert found.grid[1][1] == pytest.approx(0.5, abs=0.02)
    assert "nearest is" in found.describe()


def test_a_size_that_cannot_be_changed_leaves_words_apart_and_says_where() -> None:
    """At 8 → 16 nearest words coincide that differ elsewhere."""
    inner = resizing(16, 16, kernel="nearest", coordinates="asymmetric", rounding="floor")

    def rigid(x: np.ndarray) -> np.ndarray:
        if x.shape != (1, 8, 8, 1):
            raise ValueError("only 1, 8, 8, 1")
        return inner(x)

    rigid_one, free = fingerprint(rigid, (1, 8, 8, 1)), fingerprint(inner, (1, 8, 8, 1))
    assert len(rigid_one.probes) == 1
    assert rigid_one.untold is not None
    assert set(free.words("onnx")) < set(rigid_one.words("onnx"))
    wanted = "Resize(mode='nearest', coordinate_transformation_mode='asymmetric', nearest_mode='floor')"
    assert free.words("onnx") == [wanted]


def test_few_calls_where_batches_are_taken_and_none_where_not() -> None:
    inner = resizing(20, 5)

    def one_at_a_time(x: np.ndarray) -> np.ndarray:
        if x.shape[0] != 1:
            raise ValueError("one image at a time")
        return inner(x)

    batched, single = fingerprint(inner, (1, 9, 7, 2)), fingerprint(one_at_a_time, (1, 9, 7, 2))
    assert batched.words() == single.words()
    assert batched.calls <= 11 * len(batched.probes)
    assert single.calls > 3 * batched.calls


def test_long_axes_take_combs_and_ramps_instead_of_one_impulse_per_pixel() -> None:
    matrix = AxisResize(1000, 700, "cubic", "half_pixel", antialias=True).matrix()
    calls = []

    def function(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return np.einsum("pn,bnc->bpc", matrix, x).astype(np.float32)

    found = recover(Prober(function, (1, 1000, 1)))
    assert np.abs(found.axes[1].matrix - matrix).max() < 1e-5
    assert sum(calls) < 60


def test_combs_that_do_not_explain_the_function_give_way_to_impulses() -> None:
    shuffled = np.random.default_rng(0).permutation(100)
    found = recover(Prober(lambda x: x[:, shuffled], (1, 100, 1)))
    assert (found.axes[1].matrix == np.eye(100)[shuffled]).all()


def test_a_function_that_fails_at_the_given_shape_is_bad_input() -> None:
    def refuses(x: np.ndarray) -> np.ndarray:
        raise ValueError("not today")

    with pytest.raises(InputError, match="not today"):
        fingerprint(refuses, (1, 8, 8, 1))


def test_results_are_plain_data() -> None:
    import json

    found = fingerprint(resizing(20, 5), (1, 9, 7, 2))
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["kind"] == "resize"
    assert {word["framework"] for word in data["words"]} >= {"tensorflow", "onnx", "coreml", "pytorch"}
    assert data["words"][0]["max_weight_difference"] <= data["words"][0]["tolerance"]
    assert data["layout"] == "NHWC"

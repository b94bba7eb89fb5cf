"""Every mode of onnxruntime's Resize, identified from sessions alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.resampling.fingerprint import fingerprint

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
KERNELS: list[dict[str, Any]] = [
    *(
        {"mode": "nearest", "nearest_mode": rounding}
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ),
    {"mode": "linear"},
    *({"mode": "linear", "antialias": 1, "exclude_outside": exclude} for exclude in (0, 1)),
    *(
        {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": exclude, "antialias": antialias}
        for a, exclude, antialias in itertools.product((-0.75, -0.5, -0.6), (0, 1), (0, 1))
    ),
]
LENGTHS: dict[str, dict[str, Any]] = {
    "enlarged": {"sizes": [1, 2, 29, 31]},
    "reduced": {"sizes": [1, 2, 7, 12]},
    "scaled": {"scales": [1, 1, 1.7, 0.6]},
}
ROI = [0, 0, 0.1, 0.25, 1, 1, 0.8, 0.85]
CASES = list(itertools.product(COORDINATES, KERNELS, LENGTHS))
SAMPLE = random.Random(4).sample(CASES, 24)


def session_of(attributes: dict[str, Any], element: int = TensorProto.FLOAT, **lengths: Any) -> Callable:
    """A Resize of opset 19 on inputs of any length."""
    given = {
        name: np.array(values, np.int64 if name == "sizes" else np.float32)
        for name, values in lengths.items()
    }
    names = ["x", *(name if name in given else "" for name in ("roi", "scales", "sizes"))]
    rank = len(next(iter(values for name, values in given.items() if name != "roi")))
    graph = helper.make_graph(
        [helper.make_node("Resize", names, ["y"], **attributes)],
        "resize",
        [helper.make_tensor_value_info("x", element, [f"n{axis}" for axis in range(rank)])],
        [helper.make_tensor_value_info("y", element, [None] * rank)],
        [numpy_helper.from_array(value, name) for name, value in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def _name(case: Any) -> str:
    return "-".join(str(part) for part in case.values()) if isinstance(case, dict) else str(case)


def _check(coordinates: str, kernel: dict[str, Any], lengths: str) -> None:
    attributes = {**kernel, "coordinate_transformation_mode": coordinates}
    given = dict(LENGTHS[lengths])
    if coordinates == "tf_crop_and_resize":
        given["roi"] = ROI
    found = fingerprint(session_of(attributes, **given), (1, 2, 17, 23))
    assert found.kind == "resize", found.describe()
    assert found.layout == "NCHW"
    words = [dict(match.word.arguments) for match in found.matches if match.word.op == "Resize"]
    wanted = {name: value for name, value in attributes.items() if value != 0 or name == "mode"}
    named = [word for word in words if all(word.get(name) == value for name, value in wanted.items())]
    named = [
        word for word in named if all(word.get(name, 0) == attributes.get(name, 0) for name in ("antialias",))
    ]
    assert named, (wanted, words)
    if lengths == "scaled" and coordinates not in ("align_corners", "tf_crop_and_resize"):
        assert named[0]["scales"] == pytest.approx((1.7, 0.6))
    if coordinates == "tf_crop_and_resize":
        blends = kernel["mode"] != "nearest"
        assert named[0]["roi"] == pytest.approx((0.1, 0.25, 0.8, 0.85), abs=1e-4 if blends else 3e-2)


@pytest.mark.parametrize(("coordinates", "kernel", "lengths"), SAMPLE, ids=_name)
def test_a_sample_of_all_modes(coordinates: str, kernel: dict[str, Any], lengths: str) -> None:
    _check(coordinates, kernel, lengths)


@pytest.mark.slow
@pytest.mark.parametrize(("coordinates", "kernel", "lengths"), CASES, ids=_name)
def test_all_modes(coordinates: str, kernel: dict[str, Any], lengths: str) -> None:
    _check(coordinates, kernel, lengths)


def test_words_that_mean_the_same_at_all_lengths_are_both_named() -> None:
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": "tf_half_pixel_for_nn",
        "nearest_mode": "floor",
    }
    found = fingerprint(session_of(attributes, sizes=[1, 2, 29, 31]), (1, 2, 17, 23))
    both = (("tf_half_pixel_for_nn", "floor"), ("half_pixel", "round_prefer_ceil"))
    for coordinates, rounding in both:
        text = f"coordinate_transformation_mode='{coordinates}', nearest_mode='{rounding}'"
        assert any(text in word for word in found.words("onnx"))
    assert not any("round_prefer_floor" in word for word in found.words("onnx"))


def test_an_unusual_coefficient_is_measured() -> None:
    attributes = {"mode": "cubic", "coordinate_transformation_mode": "align_corners", "cubic_coeff_a": -0.42}
    found = fingerprint(session_of(attributes, sizes=[1, 2, 29, 31]), (1, 2, 17, 23))
    assert [dict(match.word.arguments)["cubic_coeff_a"] for match in found.matches] == [-0.42]


def test_bytes_that_are_truncated() -> None:
    attributes = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
    function = session_of(attributes, TensorProto.UINT8, sizes=[1, 2, 29, 31])
    found = fingerprint(function, (1, 2, 17, 23), dtype=np.uint8)
    assert "Resize(mode='linear', coordinate_transformation_mode='asymmetric')" in found.words("onnx")
    assert not any("half_pixel" in word for word in found.words("onnx"))

"""Resizes in the neuralnetwork format: which form each policy takes, and that every form computes the resize."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.neuralnetwork import lower_network
from rewriter.coreml.neuralnetwork.custom_resize import LARGE_MATRICES
from rewriter.errors import UnsupportedError, UsageError


def resize_model(
    shape: list[int],
    sizes: list[int] | None = None,
    *,
    scales: list[float] | None = None,
    axes: list[int] | None = None,
    roi: list[float] | None = None,
    element_type: int = TensorProto.FLOAT,
    **attributes: Any,
) -> onnx.ModelProto:
    if axes is not None:
        attributes["axes"] = axes
    constants = {}
    if sizes is not None:
        constants["sizes"] = np.array(sizes, dtype=np.int64)
    if scales is not None:
        constants["scales"] = np.array(scales, dtype=np.float32)
    if roi is not None:
        constants["roi"] = np.array(roi, dtype=np.float32)
    inputs = ["x", *(name if name in constants else "" for name in ("roi", "scales", "sizes"))]
    while not inputs[-1]:
        inputs.pop()
    graph = helper.make_graph(
        [helper.make_node("Resize", inputs, ["y"], name="resize", **attributes)],
        "resize",
        [helper.make_tensor_value_info("x", element_type, shape)],
        [helper.make_tensor_value_info("y", element_type, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


MODES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "aligned corners",
        {"mode": "linear", "coordinate_transformation_mode": "align_corners", "sizes": [9, 11]},
        {"iOS13 never": "resizeBilinear", "iOS14 never": "resizeBilinear", "iOS13 auto": "resizeBilinear"},
    ),
    (
        "asymmetric",
        {"mode": "linear", "coordinate_transformation_mode": "asymmetric", "sizes": [9, 11]},
        {"iOS13 never": "resizeBilinear"},
    ),
    (
        "half pixel, whole factors",
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "sizes": [10, 18]},
        {"iOS13 never": "batchedMatmul", "iOS14 never": "upsample"},
    ),
    (
        "half pixel, fractional",
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "sizes": [7, 11]},
        {"iOS13 never": "batchedMatmul", "iOS14 never": "batchedMatmul", "iOS14 auto": "batchedMatmul"},
    ),
    (
        "cubic",
        {
            "mode": "cubic",
            "coordinate_transformation_mode": "half_pixel",
            "sizes": [7, 4],
            "cubic_coeff_a": -0.5,
        },
        {"iOS14 never": "batchedMatmul"},
    ),
    (
        "nearest, whole factors",
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
            "sizes": [10, 12],
        },
        {"iOS13 never": "upsample"},
    ),
    (
        "nearest, fractional",
        {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "sizes": [8, 9]},
        {"iOS13 never": "gather", "iOS13 auto": "gather"},
    ),
    (
        "antialias",
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "sizes": [3, 4], "antialias": 1},
        {"iOS13 never": "batchedMatmul"},
    ),
    (
        "fractional scales",
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "scales": [1.7, 2.3]},
        {"iOS14 never": "batchedMatmul"},
    ),
]


def layers(model: onnx.ModelProto, **options: Any) -> set[str]:
    return set(lower_network(model, **options).operator_counts)


@pytest.mark.parametrize("mode", MODES, ids=[mode[0] for mode in MODES])
def test_every_form_equals_onnxruntime(mode: Any, run_network: Any, run_onnxruntime: Any) -> None:
    _, attributes, _ = mode
    model = resize_model([2, 3, 5, 6], axes=[2, 3], **attributes)
    x = np.random.default_rng(1).standard_normal((2, 3, 5, 6)).astype(np.float32)
    wanted = run_onnxruntime(model, {"x": x})["y"]
    for target, policy in (("iOS13", "never"), ("iOS14", "never"), ("iOS13", "always")):
        found = run_network(model, {"x": x}, target=target, custom_layer=policy)["y"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5, err_msg=f"{target} {policy}")


@pytest.mark.parametrize("mode", MODES, ids=[mode[0] for mode in MODES])
def test_the_policy_chooses_the_layer(mode: Any) -> None:
    _, attributes, expected = mode
    model = resize_model([1, 3, 5, 6], axes=[2, 3], **attributes)
    for choice, layer in expected.items():
        target, policy = choice.split()
        assert layer in layers(model, target=target, custom_layer=policy), choice
    assert "custom" in layers(model, custom_layer="always")


def test_auto_takes_the_custom_layer_where_matrices_are_large() -> None:
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "axes": [2, 3]}
    small = resize_model([1, 1, 100, 100], [333, 333], **attributes)
    large = resize_model([1, 1, 400, 400], [333, 333], **attributes)
    assert 4 * 2 * 100 * 333 < LARGE_MATRICES < 4 * 2 * 400 * 333
    assert "custom" not in layers(small, custom_layer="auto")
    network = lower_network(large, custom_layer="auto")
    assert "custom" in network.operator_counts and network.uses_custom_layer
    assert "custom" not in layers(large, custom_layer="never")


def test_channels_last(run_network: Any, run_onnxruntime: Any) -> None:
    model = resize_model(
        [1, 5, 6, 3], [1, 8, 11, 3], mode="linear", coordinate_transformation_mode="half_pixel"
    )
    x = np.random.default_rng(2).standard_normal((1, 5, 6, 3)).astype(np.float32)
    wanted = run_onnxruntime(model, {"x": x})["y"]
    for policy in ("never", "always"):
        found = run_network(model, {"x": x}, custom_layer=policy)["y"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (
            resize_model(
                [1, 2, 5, 6],
                [1, 2, 7, 9],
                roi=[0, 0, 0.1, 0.2, 1, 1, 1.2, 0.9],
                mode="linear",
                coordinate_transformation_mode="tf_crop_and_resize",
            ),
            "outside",
        ),
        (
            resize_model(
                [1, 2, 5, 6], [1, 4, 7, 9], mode="linear", coordinate_transformation_mode="align_corners"
            ),
            "more than two axes",
        ),
        (
            resize_model(
                [1, 2, 5, 6],
                [1, 2, 7, 9],
                element_type=TensorProto.INT32,
                mode="linear",
                coordinate_transformation_mode="align_corners",
            ),
            "integers",
        ),
    ],
    ids=["crop", "three axes", "integers"],
)
def test_always_refuses_what_the_layer_cannot_compute(model: onnx.ModelProto, cause: str) -> None:
    with pytest.raises(UnsupportedError, match=cause) as caught:
        lower_network(model, custom_layer="always")
    assert caught.value.node == "resize"
    assert "custom" not in layers(model, custom_layer="auto")


def test_certificates_name_the_form() -> None:
    model = resize_model(
        [1, 3, 5, 6], [9, 11], axes=[2, 3], mode="linear", coordinate_transformation_mode="align_corners"
    )
    (native,) = lower_network(model, custom_layer="never").resizes
    (custom,) = lower_network(model, custom_layer="always").resizes
    assert native["certificate"]["expressed_as"] == "resize_bilinear STRICT_ALIGN_CORNERS"
    assert custom["kind"] == "custom" and custom["certificate"]["equal"]
    assert custom["parameters"]["target_height"] == 9


def test_misuse() -> None:
    model = resize_model([1, 3, 5, 6], [9, 11], axes=[2, 3], mode="linear")
    with pytest.raises(UsageError, match="policy"):
        lower_network(model, custom_layer="sometimes")
    with pytest.raises(UsageError, match="iOS13 and iOS14"):
        lower_network(model, target="iOS15")


def test_identity_needs_no_layer() -> None:
    model = resize_model([1, 3, 5, 6], [5, 6], axes=[2, 3], mode="linear")
    assert "custom" not in layers(model, custom_layer="always")

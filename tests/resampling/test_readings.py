"""The readings of the Resize specification against the implementations that they are named after."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling import AxisResize, OnnxResize, TensorResize
from rewriter.resampling.disagreements import disagreements
from tests.resampling.onnx_cases import Case, random_case, run_onnxruntime


def _reference(case: Case, x: np.ndarray) -> np.ndarray:
    """onnx.reference on one Resize."""
    given = {
        "roi": None if case.roi is None else np.array(case.roi, np.float32),
        "scales": None if case.scales is None else np.array(case.scales, np.float32),
        "sizes": None if case.sizes is None else np.array(case.sizes, np.int64),
    }
    names = ["x", *(name if value is not None else "" for name, value in given.items())]
    node = helper.make_node("Resize", names, ["y"], **case.attributes)
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in given.items() if value is not None],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)])
    return ReferenceEvaluator(model).run(None, {"x": x})[0]


def _decided(resize: TensorResize) -> np.ndarray:
    """Pixels that float64 arithmetic does not put on another side: no coordinate on a pixel, a tie or the border."""
    masks = []
    for axis in resize.axes:
        x = np.array([float(value) for value in axis.source_coordinates()])
        close = np.abs(2 * x - np.round(2 * x)) < 1e-5
        masks.append(~close | axis.is_identity)
    return functools.reduce(np.multiply.outer, masks)


def test_the_reading_of_onnx_reference() -> None:
    rng = np.random.default_rng(0)
    compared = differing = refused = 0
    for _ in range(900):
        case = random_case(rng)
        if case.op != "Resize" or case.opset < 18:
            continue
        x = rng.normal(size=case.shape).astype(np.float32)
        if min(case.node().output_shape(case.shape)) < 1:
            continue
        try:
            resize = case.node().semantics(case.shape, reading="onnx.reference")
        except UnsupportedError:
            assert set(disagreements(case.node(), case.shape, "onnx.reference")) & {"R5", "R6"}
            if case.node().output_shape(case.shape) == case.shape:
                continue  # It looks at the mode only of axes that change.
            with pytest.raises(Exception):  # noqa: B017 - whatever it raises
                _reference(case, x)
            refused += 1
            continue
        y = _reference(case, x)
        assert y.shape == resize.output_shape
        decided = _decided(resize)
        if case.attributes.get("exclude_outside") and not np.isfinite(y).all():
            continue
        np.testing.assert_allclose(resize.apply(x)[decided], y[decided], atol=1e-4, err_msg=str(case))
        named = disagreements(case.node(), case.shape, "onnx.reference")
        specified = case.node().semantics(case.shape)
        if not named:
            np.testing.assert_allclose(specified.apply(x)[decided], y[decided], atol=1e-4)
        differing += bool(named)
        compared += 1
    assert compared > 150
    assert differing > 10
    assert refused > 10


def test_the_two_node_tests_of_the_wheel_that_take_the_fractional_length() -> None:
    """What the onnx wheel expects of test_resize_downsample_scales_linear_align_corners, and what the text says."""
    x = np.array([[[[1, 2, 3, 4], [5, 6, 7, 8]]]], np.float32)
    node = OnnxResize.from_attributes(
        "Resize",
        19,
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        scales=[1, 1, 0.6, 0.6],
    )
    # Two columns: the text and onnxruntime put the last one on the last input pixel, which is what aligning means;
    # the fractional length 2.4 puts it beyond.
    text = node.semantics(x.shape).apply(x)
    np.testing.assert_allclose(text, [[[[1, 4]]]], atol=1e-6)
    reference = node.semantics(x.shape, reading="onnx.reference").apply(x)
    np.testing.assert_allclose(reference, [[[[1.0, 3.142857]]]], atol=1e-5)
    case = Case(
        "Resize",
        19,
        x.shape,
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        scales=(1, 1, 0.6, 0.6),
    )
    np.testing.assert_allclose(run_onnxruntime([case], [x])[0], text, atol=1e-6)
    np.testing.assert_allclose(_reference(case, x), reference, atol=1e-5)
    assert disagreements(node, x.shape) == ()
    assert disagreements(node, x.shape, "onnx.reference") == ("R1",)


def test_output_length_of_a_scale_that_float32_rounds_up() -> None:
    node = OnnxResize.from_attributes("Resize", 13, {"mode": "linear"}, scales=[float(np.float32(5 / 3))])
    assert node.output_shape([3], "onnxruntime") == (5,)
    assert node.output_shape([3]) == (4,)
    assert disagreements(node, [3]) == ("O1",)


def test_a_declared_length_overrules_every_reading() -> None:
    node = OnnxResize.from_attributes(
        "Resize", 13, {"mode": "linear"}, scales=[1.0, float(np.float32(5 / 3))]
    )
    for reading in ("specification", "onnxruntime", "onnx.reference"):
        assert node.semantics([2, 3], [2, 5], reading).output_shape == (2, 5)


def test_unknown_readings_are_misuse() -> None:
    node = OnnxResize.from_attributes("Resize", 13, {"mode": "linear"}, sizes=[4])
    with pytest.raises(UsageError, match="reading"):
        node.semantics([2], reading="torch")
    with pytest.raises(UsageError):
        disagreements(node, [2], "torch")


def test_the_default_reading_gives_axis_resizes() -> None:
    node = OnnxResize.from_attributes("Resize", 13, {"mode": "linear"}, sizes=[4, 6])
    assert all(isinstance(axis, AxisResize) for axis in node.semantics([2, 6]).axes)


def test_a_template_is_the_map_at_any_lengths() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        case = random_case(rng)
        node = case.node()
        if case.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
            with pytest.raises(UnsupportedError):
                node.template()
        if case.sizes is None or "keep_aspect_ratio_policy" in case.attributes:
            continue
        resize = node.semantics(case.shape)
        for axis in resize.axes:
            if axis.n_in == axis.n_out or axis.coordinates == "tf_crop_and_resize":
                continue
            assert replace(node.template(), n_in=axis.n_in, n_out=axis.n_out).rows == axis.rows

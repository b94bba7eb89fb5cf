"""Files that plain tf2onnx wrote wrongly, repaired, against TensorFlow."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest
import tf2onnx

import passes
from rewriter.model import Model
from tests.tensorflow.tensorflow_networks import random_input, relative_error, run, tf

SHAPE = (2, 7, 10, 3)


def _exported(operation, opset=13):
    """What tf2onnx makes of it, errors logged and ignored as its API does."""
    function = tf.function(operation, input_signature=[tf.TensorSpec(SHAPE, "float32", name="x")])
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        model, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=opset
        )
    finally:
        logger.setLevel(level)
    return model


def _repaired(exported, name):
    model = Model.from_proto(exported)
    result = passes.run(model, [name])
    written = onnx.ModelProto.FromString(model.to_bytes())
    onnx.checker.check_model(written, full_check=True)
    again = Model.from_bytes(model.to_bytes())
    assert not passes.run(again, [name]).changes
    return written, result


def _output(model, x):
    return next(iter(run(model, {"x": x}).values()))


@pytest.mark.parametrize("flags", [{}, {"align_corners": True}], ids=str)
def test_bicubic_with_old_flags(flags):
    def operation(x):
        return tf.compat.v1.image.resize_bicubic(x, (14, 20), **flags)

    exported, x = _exported(operation), random_input(SHAPE)
    assert relative_error(_output(exported, x), operation(x)) > 1e-2
    repaired, result = _repaired(exported, "repair-bicubic")
    assert relative_error(_output(repaired, x), operation(x)) < 1e-3
    assert {change.attribute: change.new for change in result.changes} == {
        "cubic_coeff_a": -0.75,
        "exclude_outside": 0,
    }
    assert all(change.effect == "correction" for change in result.changes)


def test_bicubic_with_half_pixel_centers_is_left_alone_also_where_it_was_set_to_align_corners():
    exported = _exported(lambda x: tf.image.resize(x, (14, 20), method="bicubic"))
    assert not _repaired(exported, "repair-bicubic")[1].changes
    [node] = [node for node in exported.graph.node if node.op_type == "Resize"]
    for attribute in node.attribute:
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = b"align_corners"
    assert not _repaired(exported, "repair-bicubic")[1].changes


def test_bicubic_of_another_producer_is_left_alone():
    exported = _exported(lambda x: tf.compat.v1.image.resize_bicubic(x, (14, 20)))
    exported.producer_name = "somebody"
    assert not _repaired(exported, "repair-bicubic")[1].changes


def test_nearest_crops_round_halves_up():
    # Rows 0, 1.5, 3, 4.5, 6 of seven, and columns 0, 4.5, 9 of ten.
    def operation(x):
        return tf.image.crop_and_resize(x, [[0.0, 0.0, 1.0, 1.0]], [1], (5, 3), method="nearest")

    exported, x = _exported(operation), random_input(SHAPE)
    assert np.abs(_output(exported, x) - operation(x)).max() > 0.1
    repaired, result = _repaired(exported, "repair-crop-and-resize")
    np.testing.assert_array_equal(_output(repaired, x), operation(x))
    assert [(change.attribute, change.new) for change in result.changes] == [
        ("nearest_mode", "round_prefer_ceil")
    ]
    assert len(result.notes) == 1


def test_bilinear_crops_are_left_alone():
    exported = _exported(lambda x: tf.image.crop_and_resize(x, [[0.0, 0.0, 1.0, 1.0]], [1], (5, 3)))
    assert not _repaired(exported, "repair-crop-and-resize")[1].changes


@pytest.mark.parametrize(
    ("method", "antialias"),
    [
        ("bilinear", True),
        ("bicubic", True),
        ("lanczos3", False),
        ("lanczos5", True),
        ("gaussian", True),
        ("mitchellcubic", False),
    ],
)
def test_scale_and_translate_becomes_what_it_computes(method, antialias):
    def operation(x):
        return tf.nn.relu(tf.image.resize(2.0 * x, (4, 13), method=method, antialias=antialias))

    exported, x = _exported(operation), random_input(SHAPE)
    assert any(node.op_type == "ScaleAndTranslate" for node in exported.graph.node)
    repaired, result = _repaired(exported, "repair-scale-and-translate")
    assert relative_error(_output(repaired, x), operation(x)) < 1e-6
    assert [change.attribute for change in result.changes] == ["op_type"]


def test_scale_and_translate_of_unknown_lengths_is_left_alone_and_said_to_be():
    exported = _exported(lambda x: tf.image.resize(x, (4, 13), method="lanczos3"))
    exported.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"
    model = Model.from_proto(exported)
    result = passes.run(model, ["repair-scale-and-translate"])
    assert not result.changes and "height" in result.notes[0].message

"""Image ops that no ONNX Resize computes: gathers, matrices and sums that agree with TensorFlow, or a refusal."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.convert import convert
from tests.tensorflow.tensorflow_networks import (
    keras,
    random_input,
    relative_error,
    resizes,
    run,
    signature_of,
    tf,
)

OPEN = (None, None, None, 3)
BOXES = [[0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.8, 1.0], [-0.25, 0.5, 1.25, 0.5], [0.9, 1.0, 0.1, 0.0]]
INDEX = [1, 0, 1, 0]


def _converted(tmp_path, operation, shape, dtype="float32", **options):
    tf.saved_model.save(signature_of(operation, shape, dtype), str(tmp_path / "saved"))
    return convert(tmp_path / "saved", **options)


def _agrees(model, operation, x, tolerance=1e-6):
    for optimised in (False, True):
        error = relative_error(run(model, {"x": x}, optimised)["y"], operation(x))
        assert error <= tolerance


def _ops(model):
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(("size", "target"), [((2, 4), (82, 94)), ((26, 5), (44, 7)), ((4, 2), (75, 41))])
@pytest.mark.parametrize("flags", [{}, {"align_corners": True}, {"half_pixel_centers": True}], ids=str)
def test_nearest_copies_the_pixels_that_tensorflow_copies(tmp_path, size, target, flags):
    def operation(x):
        return tf.compat.v1.image.resize_nearest_neighbor(x, target, **flags)

    x = random_input((2, *size, 3))
    _agrees(_converted(tmp_path, operation, x.shape), operation, x, 0)


@pytest.mark.parametrize("dtype", ["float64", "int64", "int16", "uint16", "int8", "uint8", "float16"])
@pytest.mark.parametrize("shape", [(1, 5, 4, 3), OPEN], ids=["static", "open"])
def test_nearest_of_every_type(tmp_path, dtype, shape):
    def operation(x):
        return tf.image.resize(x, (9, 3), method="nearest")

    x = random_input((1, 5, 4, 3), dtype)
    _agrees(_converted(tmp_path, operation, shape, dtype), operation, x, 0)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize("crop", [(7, 5), (6, 9), (1, 4), (1, 1)])
def test_crops_are_tensorflow_s_bit_for_bit(tmp_path, method, crop, opset):
    """Also crops as long as the image (6 × 9), boxes that end at 1, beyond the image, flipped and empty ones."""

    def operation(x):
        return tf.image.crop_and_resize(x, BOXES, INDEX, crop, method=method, extrapolation_value=0.25)

    x = random_input((2, 6, 9, 3))
    for shape in (x.shape, OPEN):
        model = _converted(tmp_path, operation, shape, opset=opset)
        _agrees(model, operation, x, 0)
        assert not _ops(model) & {"Loop", "Resize"}


@pytest.mark.parametrize("number", [0, 1, 5])
def test_crops_of_boxes_and_sizes_computed_when_the_model_runs(tmp_path, number):
    module = tf.Module()

    def cropped(x, boxes):
        index = tf.zeros(tf.shape(boxes)[0], tf.int32)
        return {"y": tf.image.crop_and_resize(x, boxes, index, tf.shape(x)[1:3] + 1)}

    module.call = tf.function(
        cropped,
        input_signature=[tf.TensorSpec(OPEN, name="x"), tf.TensorSpec((None, 4), name="boxes")],
    )
    tf.saved_model.save(module, str(tmp_path))
    model = convert(tmp_path)
    x = random_input((1, 4, 5, 3))
    boxes = np.random.default_rng(3).uniform(-0.2, 1.2, (number, 4)).astype(np.float32)
    y = run(model, {"x": x, "boxes": boxes}, True)["y"]
    np.testing.assert_array_equal(y, cropped(x, boxes)["y"])
    assert y.shape == (number, 5, 6, 3)


def test_integer_factors_of_area_are_an_average_pool(tmp_path):
    def operation(x):
        return tf.image.resize(x, (2, 3), method="area")

    model = _converted(tmp_path, operation, (2, 6, 12, 3))
    assert "AveragePool" in _ops(model) and "MatMul" not in _ops(model)
    _agrees(model, operation, random_input((2, 6, 12, 3)))


def test_an_axis_of_unchanged_length_costs_no_product(tmp_path):
    def operation(x):
        return tf.image.resize(x, (6, 5), antialias=True)

    model = _converted(tmp_path, operation, (2, 6, 12, 3))
    assert [node.op_type for node in model.graph.node].count("MatMul") == 1
    _agrees(model, operation, random_input((2, 6, 12, 3)))


@pytest.mark.parametrize("batch", [2, None])
def test_weights_are_constants_where_only_the_batch_is_open(tmp_path, batch):
    def operation(x):
        return tf.image.resize(x, (5, 13), method="mitchellcubic")

    model = _converted(tmp_path, operation, (batch, 9, 8, 3))
    assert [node.op_type for node in model.graph.node] == ["Transpose", "MatMul", "MatMul", "Transpose"]
    _agrees(model, operation, random_input((2, 9, 8, 3)))


def test_one_open_length_leaves_the_other_constant(tmp_path):
    def operation(x):
        return tf.image.resize(x, (5, 13), antialias=True)

    model = _converted(tmp_path, operation, (None, 9, None, 3))
    assert any(tensor.dims == [5, 9] for tensor in model.graph.initializer)
    _agrees(model, operation, random_input((2, 9, 20, 3)))


@pytest.mark.parametrize("shape", [(1, 9, 8, 3), (None, 9, 8, 3), OPEN, (2, 9, 8, 1)], ids=str)
@pytest.mark.parametrize("target", [(4, 5), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bicubic_that_shrinks_loads_with_optimisations(tmp_path, shape, target, dtype):
    """onnxruntime would move the Transpose through the Resize, and has no such kernel."""

    def operation(x):
        return tf.image.resize(x, target, method="bicubic")

    model = _converted(tmp_path, operation, shape, dtype)
    assert len(resizes(model)) == 1
    _agrees(model, operation, random_input((shape[0] or 1, 9, 8, shape[3]), dtype), 1e-3)


@pytest.mark.parametrize("options", [{"antialias": True}, {"interpolation": "area"}, {}], ids=str)
def test_whole_numbers_of_resizing_are_tensorflow_s(options):
    image = keras.Input((23, 30, 3), dtype="uint8", name="x")
    layer = keras.layers.Resizing(10, 41, dtype="uint8", **options)
    model = convert(keras.Model(image, layer(image)))
    x = random_input((4, 23, 30, 3), "uint8")
    [y] = run(model, {"x": x}, True).values()
    np.testing.assert_array_equal(y, layer(x))


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_whole_numbers_at_run_time_lengths(tmp_path, method):
    def operation(x):
        return tf.cast(tf.image.resize(x, 2 * tf.shape(x)[1:3] - 3, method=method), tf.int32)

    model = _converted(tmp_path, operation, OPEN, "uint8")
    _agrees(model, operation, random_input((2, 9, 8, 3), "uint8"), 0)


@pytest.mark.parametrize("method", ["area", "lanczos3"])
def test_whole_numbers_that_cannot_be_exact_are_refused_by_name(tmp_path, method):
    def operation(x):
        return tf.round(tf.image.resize(x, (5, 5), method=method, name="thumb"))

    op = "ResizeArea" if method == "area" else "ScaleAndTranslate"
    with pytest.raises(UnsupportedError, match="whole numbers") as caught:
        _converted(tmp_path, operation, OPEN)
    assert op in str(caught.value.node) and "pin" in str(caught.value.remedy)
    x = random_input((1, 7, 9, 3))
    _agrees(_converted(tmp_path, operation, x.shape), operation, 100 * x, 0)


def test_too_many_taps_are_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="sums 320 pixels") as caught:
        _converted(
            tmp_path,
            lambda x: tf.cast(tf.image.resize(x, (5, 5), method="area"), tf.uint8),
            (1, 1600, 1600, 1),
        )
    assert "ResizeArea" in str(caught.value.node)


def test_a_scale_that_tensorflow_rejects_is_refused(tmp_path):
    def operation(x):
        return tf.raw_ops.ScaleAndTranslate(images=x, size=[4, 4], scale=[0.0, 1.0], translation=[0.0, 0.0])

    with pytest.raises(UnsupportedError, match="scale") as caught:
        _converted(tmp_path, operation, (1, 4, 4, 3))
    assert "ScaleAndTranslate" in str(caught.value.node)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_ops_in_a_loop(tmp_path, opset):
    def operation(x):
        return tf.map_fn(lambda y: tf.image.resize(y, (5, 4), antialias=True), x)

    x = random_input((3, 9, 6, 3))
    model = _converted(tmp_path, operation, x.shape, opset=opset)
    onnx.checker.check_model(model, full_check=True)
    _agrees(model, operation, x)

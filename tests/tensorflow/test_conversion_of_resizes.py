"""Every TensorFlow resize op: its ONNX node computes what the kernel computes, or is refused by name."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.load import load_saved_model
from tests.tensorflow.tensorflow_networks import (
    random_input,
    relative_error,
    resizes,
    run,
    shape_of,
    signature_of,
    tf,
)

V1 = {
    "ResizeBilinear": tf.compat.v1.image.resize_bilinear,
    "ResizeNearestNeighbor": tf.compat.v1.image.resize_nearest_neighbor,
    "ResizeBicubic": tf.compat.v1.image.resize_bicubic,
}
V2 = {"ResizeBilinear": "bilinear", "ResizeNearestNeighbor": "nearest", "ResizeBicubic": "bicubic"}
FLAGS = [{}, {"align_corners": True}, {"half_pixel_centers": True}]
# The bicubic kernel looks its weights up in a table of 1,024 entries; ONNX computes them.
TOLERANCE = {"ResizeBilinear": 1e-5, "ResizeNearestNeighbor": 0, "ResizeBicubic": 4e-3}


def _converted(tmp_path, operation, shape, dtype="float32", **options):
    module = signature_of(operation, shape, dtype)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    return convert(tmp_path / "saved", **options)


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("op", V1)
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_tf1_kernels(tmp_path, op, flags, opset):
    def operation(x):
        return V1[op](x, (11, 9), name="decoder/up", **flags)

    model = _converted(tmp_path, operation, (2, 5, 12, 3), opset=opset)
    x = random_input((2, 5, 12, 3))
    assert relative_error(run(model, {"x": x})["y"], operation(x)) <= TOLERANCE[op]
    [node] = resizes(model)
    record = {
        "framework": "tensorflow",
        "op": op,
        "name": node.name,
        "align_corners": flags.get("align_corners", False),
        "half_pixel_centers": flags.get("half_pixel_centers", False),
        "size": [11, 9],
    }
    assert "decoder/up" in node.name
    assert {entry.key: json.loads(entry.value) for entry in node.metadata_props} == {
        "rewriter.source": record
    }
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {
        "rewriter.sources": {node.name: record}
    }
    assert model.ir_version >= 10
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset


@pytest.mark.parametrize("op", V2)
def test_tf2_image_resize(tmp_path, op):
    def operation(x):
        return tf.image.resize(x, (13, 4), method=V2[op])

    model = _converted(tmp_path, operation, (1, 6, 7, 2))
    x = random_input((1, 6, 7, 2))
    assert relative_error(run(model, {"x": x})["y"], operation(x)) <= TOLERANCE[op]
    source = json.loads(resizes(model)[0].metadata_props[0].value)
    assert (source["op"], source["align_corners"], source["half_pixel_centers"]) == (op, False, True)


@pytest.mark.parametrize("op", V2)
@pytest.mark.parametrize("opset", [11, 17, 18])
def test_size_known_only_at_run_time(tmp_path, op, opset):
    def operation(x):
        return V1[op](x, 2 * tf.shape(x)[1:3] + 1, align_corners=True)

    model = _converted(tmp_path, operation, (None, None, None, 3), opset=opset)
    for shape in [(1, 5, 4, 3), (2, 3, 8, 3)]:
        x = random_input(shape)
        assert relative_error(run(model, {"x": x})["y"], operation(x)) <= TOLERANCE[op]
    if op == "ResizeNearestNeighbor":  # no Resize copies TensorFlow's pixels at all lengths
        assert resizes(model) == []
    else:
        assert json.loads(resizes(model)[0].metadata_props[0].value)["size"] is None


@pytest.mark.parametrize("flags", [{}, {"align_corners": True}, {"half_pixel_centers": True}])
def test_nearest_at_run_time_lengths_copies_the_pixels_of_tensorflow(tmp_path, flags):
    module = tf.Module()
    module.call = tf.function(
        lambda x, size: {"y": tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, **flags)},
        input_signature=[
            tf.TensorSpec((None, None, None, 1), tf.float32, name="x"),
            tf.TensorSpec((2,), tf.int32, name="size"),
        ],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.call)
    model = convert(tmp_path / "saved")
    # Pairs of lengths at which TensorFlow's float32 scale picks a neighbour of the exact pixel are among these.
    pairs = [(2, 82), (4, 75), (7, 31), (3, 41), (10, 70), (61, 122), (80, 120), (41, 82), (1, 9), (9, 1)]
    for n, m in pairs:
        x = np.arange(n * n, dtype=np.float32).reshape(1, n, n, 1)
        size = np.array([m, m + 1], np.int32)
        wanted = tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, **flags)
        np.testing.assert_array_equal(run(model, {"x": x, "size": size})["y"], wanted)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float64"])
@pytest.mark.parametrize("op", ["ResizeBilinear", "ResizeBicubic"])
def test_images_of_other_types_give_float32(tmp_path, op, dtype):
    def operation(x):
        return V1[op](x, (9, 5), half_pixel_centers=True)

    model = _converted(tmp_path, operation, (1, 4, 4, 3), dtype)
    x = random_input((1, 4, 4, 3), dtype)
    y = run(model, {"x": x})["y"]
    assert y.dtype == np.float32
    assert relative_error(y, operation(x)) <= TOLERANCE[op]


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_nearest_keeps_the_type(tmp_path, dtype):
    def operation(x):
        return V1["ResizeNearestNeighbor"](x, (9, 5), half_pixel_centers=True)

    model = _converted(tmp_path, operation, (1, 4, 4, 3), dtype)
    x = random_input((1, 4, 4, 3), dtype)
    np.testing.assert_array_equal(run(model, {"x": x})["y"], operation(x))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "target"), [((7, 3), (31, 5)), ((41, 14), (1, 480)), ((5, 28), (7, 416)), ((1, 2), (6, 4))]
)
@pytest.mark.parametrize("opset", [11, 18])
def test_no_pixel_is_lost_where_float32_scales_would_lose_one(tmp_path, size, target, channels, opset):
    def operation(x):
        return tf.compat.v1.image.resize_bilinear(x, target, align_corners=True)

    shape = (1, *size, channels)
    model = _converted(tmp_path, operation, shape, opset=opset)
    assert shape_of(onnx.shape_inference.infer_shapes(model).graph.output[0]) == (1, *target, channels)
    assert resizes(model)[0].input[2] == "" or _constant(model, resizes(model)[0].input[2]).size == 0
    x = random_input(shape)
    assert relative_error(run(model, {"x": x})["y"], operation(x)) <= 1e-5


def _constant(model, name):
    return next(onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


def _inside_a_branch(x):
    return tf.cond(
        tf.reduce_sum(x) > 0,
        lambda: tf.compat.v1.image.resize_bilinear(x, (8, 8), align_corners=True),
        lambda: tf.compat.v1.image.resize_bilinear(x, (8, 8), half_pixel_centers=True),
    )


def test_resizes_in_branches(tmp_path):
    model = _converted(tmp_path, _inside_a_branch, (1, 4, 4, 2))
    for x in (np.abs(random_input((1, 4, 4, 2))), -np.abs(random_input((1, 4, 4, 2)))):
        assert relative_error(run(model, {"x": x})["y"], _inside_a_branch(x)) <= 1e-5
    sources = json.loads(model.metadata_props[0].value).values()
    assert sorted(source["align_corners"] for source in sources) == [False, True]


WITHOUT_A_RESIZE = {
    "ResizeArea": lambda x: tf.compat.v1.image.resize_area(x, (3, 4), name="shrink"),
    "antialias": lambda x: tf.image.resize(x, (3, 3), antialias=True),
    "lanczos3": lambda x: tf.image.resize(x, (9, 9), method="lanczos3"),
    "CropAndResize": lambda x: tf.image.crop_and_resize(x, [[0.1, 0.1, 0.9, 0.9]], [0], (4, 4)),
    "in a branch": lambda x: tf.cond(
        tf.reduce_sum(x) > 0,
        lambda: tf.compat.v1.image.resize_area(x, (8, 8)),
        lambda: tf.compat.v1.image.resize_bilinear(x, (8, 8)),
    ),
}


@pytest.mark.parametrize("opset", [11, 18])
@pytest.mark.parametrize("case", WITHOUT_A_RESIZE)
def test_ops_that_no_resize_computes(tmp_path, case, opset):
    operation = WITHOUT_A_RESIZE[case]
    model = _converted(tmp_path, operation, (1, 6, 6, 3), opset=opset)
    for x in (random_input((1, 6, 6, 3)), np.abs(random_input((1, 6, 6, 3)))):
        for optimised in (False, True):
            assert relative_error(run(model, {"x": x}, optimised)["y"], operation(x)) <= 1e-5


def test_refuses_ops_that_onnx_has_not(tmp_path):
    with pytest.raises(UnsupportedError, match="Digamma"):
        _converted(tmp_path, tf.math.digamma, (1, 4))


def test_refuses_ops_that_onnx_has_not_in_a_branch(tmp_path):
    with pytest.raises(UnsupportedError, match="Digamma"):
        _converted(
            tmp_path, lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.math.digamma(x), lambda: x), (1, 4)
        )


def test_other_signature_is_named(tmp_path):
    module = signature_of(lambda x: x + 1, (1, 4))
    tf.saved_model.save(module, str(tmp_path), signatures={"double": module.call})
    model = convert(load_saved_model(tmp_path, "double"))
    np.testing.assert_array_equal(run(model, {"x": np.ones((1, 4), np.float32)})["y"], np.full((1, 4), 2))

"""Every TensorFlow op and function that resizes, against its own kernel."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rewriter.errors import UnsupportedError
from rewriter.resampling import TensorResize
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.filtered import FILTERS
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.keras import resizing, upsampling
from rewriter.resampling.tensorflow_ops import (
    IMAGE_RESIZE_METHODS,
    crop_and_resize,
    image_resize,
    image_resize_v1,
    resize_op,
    scale_and_translate,
    tflite_resize,
)

tf = pytest.importorskip("tensorflow")


def _image(rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    height, width, out_height, out_width = (int(v) for v in rng.integers(1, 25, size=4))
    x = rng.uniform(size=(1, height, width, 1)).astype(np.float32)
    return x, (height, width), (out_height, out_width)


def _apply(axes, x: np.ndarray, extrapolation_value: float = 0.0) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The maps of height and width on an NHWC image of one channel."""
    return TensorResize(tuple(axes), extrapolation_value).apply(x[0, :, :, 0])


def _assert_computes(axes, x: np.ndarray, y: np.ndarray, extrapolation_value: float = 0.0) -> None:  # type: ignore[no-untyped-def]
    """The kernel's output `y` [1, h, w, 1] is that of the exact maps, but for ties that float32 decides otherwise.

    Every pixel of such rows is still what the float32 arithmetic of the algebra gives.
    """
    exact, in_float32 = (_weights(axes, arithmetic) for arithmetic in ("exact", "float32"))
    got = y[0, :, :, 0]
    assert got.shape == (len(exact[0]), len(exact[1]))
    for (rows, columns), tolerance in ((in_float32, 2e-5), (exact, 1e-2)):
        wanted = rows @ x[0, :, :, 0].astype(np.float64) @ columns.T
        inside = np.logical_and.outer(rows.any(axis=1), columns.any(axis=1))
        wanted = np.where(inside, wanted, extrapolation_value)
        decided = np.logical_and.outer(
            *(np.abs(a - b).max(axis=1) < 4e-3 for a, b in zip(exact, in_float32, strict=True))
        )
        decided |= tolerance < 1e-3
        np.testing.assert_allclose(got[decided], wanted[decided], atol=tolerance)
        assert decided.mean() > 0.5 or min(got.shape) < 4


def _weights(axes, arithmetic: str) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    if arithmetic == "exact":
        return axes[0].matrix(), axes[1].matrix()
    rows, columns = (kernel_matrix(axis, "tensorflow").astype(np.float64) for axis in axes)
    return rows, columns


@pytest.mark.parametrize("align_corners", [False, True])
def test_resize_area(align_corners: bool) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        x, image, size = _image(rng)
        axes = [resize_op("ResizeArea", n, m, align_corners) for n, m in zip(image, size, strict=True)]
        y = tf.raw_ops.ResizeArea(images=x, size=size, align_corners=align_corners).numpy()
        _assert_computes(axes, x, y)


def test_integer_area_is_the_mean_of_blocks() -> None:
    matrix = AreaAxis(12, 4).matrix()
    np.testing.assert_allclose(matrix, np.repeat(np.eye(4), 3, axis=1) / 3, atol=1e-15)


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crop_and_resize(method: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(80):
        x, image, size = _image(rng)
        box = rng.integers(-2, 11, size=4) / 8
        y = tf.raw_ops.CropAndResize(
            image=x, boxes=[box], box_ind=[0], crop_size=size, method=method, extrapolation_value=-3.0
        ).numpy()
        _assert_computes(crop_and_resize(image, box, size, method), x, y, -3.0)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", sorted(FILTERS))
def test_scale_and_translate(kernel: str, antialias: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        x, image, size = _image(rng)
        scale = rng.integers(2, 24, size=2) / 8
        shift = rng.integers(-12, 12, size=2) / 8
        axes = scale_and_translate(image, size, scale, shift, kernel, antialias)
        y = tf.raw_ops.ScaleAndTranslate(
            images=x, size=size, scale=scale, translation=shift, kernel_type=kernel, antialias=antialias
        ).numpy()
        _assert_computes(axes, x, y)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("preserve", [False, True])
@pytest.mark.parametrize("method", IMAGE_RESIZE_METHODS)
def test_tf_image_resize(method: str, preserve: bool, antialias: bool) -> None:
    rng = np.random.default_rng(4)
    for _ in range(12):
        x, image, size = _image(rng)
        try:
            y = tf.image.resize(x, size, method, preserve_aspect_ratio=preserve, antialias=antialias).numpy()
        except (ValueError, tf.errors.InvalidArgumentError):
            assert preserve  # the smaller side rounds to nothing
            with pytest.raises(UnsupportedError):
                image_resize(image, size, method, preserve, antialias)
            continue
        axes = image_resize(image, size, method, preserve, antialias)
        assert tuple(axis.n_out for axis in axes) == y.shape[1:3]
        _assert_computes(axes, x, y)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area"])
def test_tf1_image_resize(method: str, align_corners: bool) -> None:
    rng = np.random.default_rng(5)
    for case in range(15):
        x, image, size = _image(rng)
        size = image if case == 0 else size
        y = tf.compat.v1.image.resize(x, size, method, align_corners=align_corners).numpy()
        axes = image_resize_v1(image, size, method, align_corners)
        _assert_computes(axes, x, y)


@pytest.mark.parametrize(
    ("align_corners", "half_pixel_centers"), [(False, False), (True, False), (False, True)]
)
@pytest.mark.parametrize("op", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_tflite(op: str, align_corners: bool, half_pixel_centers: bool) -> None:
    kernel = tf.raw_ops.ResizeBilinear if op == "RESIZE_BILINEAR" else tf.raw_ops.ResizeNearestNeighbor
    rng = np.random.default_rng(6)
    for image, size in (((5, 7), (10, 3)), ((4, 6), (8, 18))):
        x = rng.uniform(size=(1, *image, 1)).astype(np.float32)

        @tf.function(input_signature=[tf.TensorSpec(x.shape, tf.float32)])
        def resize(v, size=size):  # type: ignore[no-untyped-def]
            return kernel(
                images=v, size=size, align_corners=align_corners, half_pixel_centers=half_pixel_centers
            )

        converter = tf.lite.TFLiteConverter.from_concrete_functions([resize.get_concrete_function()], resize)
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
        interpreter.allocate_tensors()
        assert op in {detail["op_name"] for detail in interpreter._get_ops_details()}
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        axes = [
            tflite_resize(op, n, m, align_corners, half_pixel_centers)
            for n, m in zip(image, size, strict=True)
        ]
        np.testing.assert_allclose(_apply(axes, x), y[0, :, :, 0], atol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_keras_upsampling_2d(interpolation: str, data_format: str) -> None:
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(7).uniform(size=(2, 3, 5, 4)).astype(np.float32)
    layer = keras.layers.UpSampling2D((3, 2), data_format=data_format, interpolation=interpolation)
    wanted = upsampling(x.shape, (3, 2), interpolation, data_format).apply(x)
    np.testing.assert_allclose(
        wanted, np.asarray(layer(x)), atol=5e-3 if interpolation == "bicubic" else 1e-5
    )


def test_keras_upsampling_1d_and_3d() -> None:
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(8).uniform(size=(2, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        upsampling(x.shape, 3).apply(x), np.asarray(keras.layers.UpSampling1D(3)(x))
    )
    x = np.random.default_rng(9).uniform(size=(1, 2, 3, 2, 2)).astype(np.float32)
    layer = keras.layers.UpSampling3D((2, 1, 3), data_format="channels_first")
    np.testing.assert_array_equal(
        upsampling(x.shape, (2, 1, 3), data_format="channels_first").apply(x), np.asarray(layer(x))
    )
    with pytest.raises(UnsupportedError):
        upsampling((1, 4, 3), 2, "bilinear")
    with pytest.raises(UnsupportedError):
        upsampling((1, 4, 3), 2, data_format="channels_first")


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "area"])
def test_keras_resizing(interpolation: str, fit: str) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(10)
    off = 0
    for (data_format, antialias), _ in itertools.product(
        [("channels_last", False), ("channels_first", False), ("channels_last", True)], range(8)
    ):
        height, width, out_height, out_width = (int(v) for v in rng.integers(2, 20, size=4))
        shape = (2, height, width, 3) if data_format == "channels_last" else (2, 3, height, width)
        shape = shape if rng.uniform() < 0.7 else shape[1:]
        x = rng.uniform(size=shape).astype(np.float32)
        options = {
            "interpolation": interpolation,
            "antialias": antialias,
            "data_format": data_format,
            "crop_to_aspect_ratio": fit == "crop",
            "pad_to_aspect_ratio": fit == "pad",
            "fill_value": 0.25 if fit == "pad" else 0.0,
        }
        y = np.asarray(keras.layers.Resizing(out_height, out_width, **options)(x))
        wanted = resizing(shape, out_height, out_width, **options).apply(x)
        assert wanted.shape == y.shape
        off += bool(np.abs(wanted - y).max() > (8e-3 if interpolation == "bicubic" else 1e-4))
    assert off <= (2 if interpolation == "nearest" else 0)

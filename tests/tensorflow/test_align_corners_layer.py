"""The Keras layer against TensorFlow's own kernels."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.errors import UsageError
from rewriter.tensorflow.environment import import_tensorflow
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

tf = import_tensorflow("to test")
import keras  # noqa: E402

KERNELS = {
    "bilinear": tf.compat.v1.image.resize_bilinear,
    "nearest": tf.compat.v1.image.resize_nearest_neighbor,
    "bicubic": tf.compat.v1.image.resize_bicubic,
}


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"factor": 2}, (10, 14)),
        ({"factor": (3, 1)}, (15, 7)),
        ({"size": (31, 9)}, (31, 9)),
        ({"factor": np.int64(2)}, (10, 14)),
    ],
)
def test_computes_what_the_kernel_computes(interpolation, arguments, size):
    x = _pictures(2, 5, 7, 3)
    layer = AlignCornersUpsampling2D(**arguments, interpolation=interpolation)
    expected = KERNELS[interpolation](x, size, align_corners=True)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


def test_corners_stay_and_linear_ramps_stay_linear():
    ramp = np.linspace(0, 1, 5, dtype=np.float32)[None, :, None, None] * np.ones((1, 5, 4, 1), np.float32)
    y = np.asarray(AlignCornersUpsampling2D(size=(17, 4))(ramp))[0, :, 0, 0]
    np.testing.assert_allclose(y, np.linspace(0, 1, 17), atol=1e-6)


@pytest.mark.parametrize("interpolation", KERNELS)
def test_height_and_width_known_only_at_run_time(interpolation):
    image = keras.Input((None, None, 2))
    output = AlignCornersUpsampling2D((2, 3), interpolation=interpolation)(image)
    assert output.shape == (None, None, None, 2)
    x = _pictures(1, 6, 5, 2)
    expected = KERNELS[interpolation](x, (12, 15), align_corners=True)
    model = keras.Model(image, output)
    np.testing.assert_array_equal(model(x), expected)
    np.testing.assert_array_equal(tf.function(model)(tf.constant(x)), expected)


@pytest.mark.parametrize("interpolation", KERNELS)
def test_mixed_precision_computes_in_float32_and_returns_float16(interpolation):
    layer = AlignCornersUpsampling2D(2, interpolation=interpolation, dtype="mixed_float16")
    x = _pictures(1, 4, 4, 2).astype(np.float16)
    y = layer(x)
    assert y.dtype == tf.float16
    expected = KERNELS[interpolation](x.astype(np.float32), (8, 8), align_corners=True)
    np.testing.assert_array_equal(y, np.asarray(expected).astype(np.float16))


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize(("interpolation", "result"), [("bilinear", "float32"), ("nearest", None)])
def test_averages_of_whole_numbers_are_not_cut_off(dtype, interpolation, result):
    layer = AlignCornersUpsampling2D(size=(7, 9), interpolation=interpolation)
    image = keras.Input((4, 4, 2), dtype=dtype)
    output = layer(image)
    x = np.random.default_rng(5).integers(0, 200, (1, 4, 4, 2)).astype(dtype)
    expected = KERNELS[interpolation](x, (7, 9), align_corners=True)
    for y in (layer(x), keras.Model(image, output)(x)):
        assert y.dtype == output.dtype == (result or dtype)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    "arguments",
    [{"factor": (2, 3), "interpolation": "nearest"}, {"size": (9, 11), "interpolation": "bicubic"}],
)
def test_survives_saving(tmp_path, suffix, arguments):
    image = keras.Input((4, 5, 2))
    model = keras.Model(image, AlignCornersUpsampling2D(**arguments, name="up")(image))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    loaded = keras.saving.load_model(path)
    x = _pictures(1, 4, 5, 2)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.get_layer("up").get_config() == model.get_layer("up").get_config()


@pytest.mark.parametrize(
    "arguments",
    [
        {"factor": 0},
        {"factor": (2, -1)},
        {"factor": 1.5},
        {"factor": (2, 1.5)},
        {"factor": (1, 2, 3)},
        {"factor": True},
        {"size": (0, 4)},
        {"size": (4,)},
        {"size": 8},
        {"size": (4, "x")},
        {"interpolation": "area"},
    ],
)
def test_refuses_bad_arguments(arguments):
    with pytest.raises(UsageError):
        AlignCornersUpsampling2D(**arguments)


def test_refuses_an_input_that_is_no_batch_of_images():
    with pytest.raises(ValueError, match="ndim"):
        AlignCornersUpsampling2D(2)(_pictures(4, 4, 3))

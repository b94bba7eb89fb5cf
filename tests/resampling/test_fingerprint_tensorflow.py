"""TensorFlow's and Keras' resizes, identified from their callables alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rewriter.resampling.filtered import FILTERS
from rewriter.resampling.fingerprint import Fingerprint, fingerprint

FLAGS = ((False, False), (True, False), (False, True))
SHAPE, SIZES = (1, 9, 11, 2), ([20, 7], [5, 22])


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


def _identify(
    function: Callable[[np.ndarray], Any], shape: tuple[int, ...] = SHAPE, **how: Any
) -> Fingerprint:
    found = fingerprint(function, shape, **how)
    assert found.kind == "resize", found.describe()
    return found


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("op", ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"])
def test_the_three_ops_with_their_flags(tf: Any, op: str, flags: tuple[bool, bool]) -> None:
    align, centred = flags
    kernel = getattr(tf.raw_ops, op)
    found = _identify(
        lambda x: kernel(images=x, size=[20, 7], align_corners=align, half_pixel_centers=centred)
    )
    named = [text for text in found.words("tensorflow") if text.startswith(op)]
    assert named == [f"{op}(align_corners={align}, half_pixel_centers={centred})"]
    assert found.layout == "NHWC"
    grid = "align_corners" if align else "half_pixel" if centred else "asymmetric"
    assert any(f"coordinate_transformation_mode='{grid}'" in text for text in found.words("onnx"))


@pytest.mark.parametrize("align_corners", [False, True])
def test_resize_area(tf: Any, align_corners: bool) -> None:
    found = _identify(lambda x: tf.raw_ops.ResizeArea(images=x, size=[20, 7], align_corners=align_corners))
    assert f"ResizeArea(align_corners={align_corners})" in found.words("tensorflow")
    assert found.words("onnx") == []


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", FILTERS)
def test_scale_and_translate(tf: Any, kernel: str, antialias: bool) -> None:
    def function(x: np.ndarray) -> Any:
        size = [20, 7]
        scale = [m / n for m, n in zip(size, x.shape[1:3], strict=True)]
        return tf.raw_ops.ScaleAndTranslate(
            images=x, size=size, scale=scale, translation=[0.0, 0.0], kernel_type=kernel, antialias=antialias
        )

    named = [text for text in _identify(function).words("tensorflow") if text.startswith("ScaleAnd")]
    assert named == [f"ScaleAndTranslate(kernel_type='{kernel}', antialias={antialias})"]


@pytest.mark.parametrize("kernel", ["lanczos3", "triangle", "gaussian", "mitchellcubic"])
def test_scale_and_translation_are_measured(tf: Any, kernel: str) -> None:
    found = _identify(
        lambda x: tf.raw_ops.ScaleAndTranslate(
            images=x, size=[24, 20], scale=[1.3, 0.8], translation=[-2.0, 1.5], kernel_type=kernel
        ),
        (1, 17, 23, 2),
    )
    word = f"ScaleAndTranslate(kernel_type='{kernel}', antialias=True, scale=(1.3, 0.8), translation=(-2.0, 1.5))"
    assert word in found.words("tensorflow")


@pytest.mark.parametrize("box", [(0.1, 0.2, 0.9, 0.7), (0.0, 0.0, 1.0, 1.0), (-0.1, 0.3, 0.6, 1.25)])
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_crop_and_resize(tf: Any, method: str, box: tuple[float, ...]) -> None:
    found = _identify(
        lambda x: tf.raw_ops.CropAndResize(
            image=x, boxes=[box], box_ind=[0], crop_size=[31, 26], method=method, extrapolation_value=7.0
        ),
        (1, 17, 23, 1),
    )
    crops = [match for match in found.matches if match.word.op == "CropAndResize"]
    assert dict(crops[0].word.arguments)["method"] == method
    # What is copied determines the box up to a fraction of a pixel, what is blended nearly exactly.
    assert dict(crops[0].word.arguments)["box"] == pytest.approx(
        box, abs=1e-6 if method == "bilinear" else 2e-2
    )
    assert found.extrapolation == (7.0 if min(box) < 0 or max(box) > 1 else None)


@pytest.mark.parametrize(
    ("method", "antialias"),
    [
        *itertools.product(
            ("bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"), (False, True)
        ),
        ("nearest", False),
        ("area", False),
    ],
)
def test_tf_image_resize(tf: Any, method: str, antialias: bool) -> None:
    found = _identify(lambda x: tf.image.resize(x, [20, 7], method=method, antialias=antialias))
    flag = "" if method in ("nearest", "area") else f", antialias={antialias}"
    assert f"tf.image.resize(method='{method}'{flag})" in found.words("tensorflow")
    assert f"tf.image.resize(method='{method}', antialias={not antialias})" not in found.words("tensorflow")


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_keras_upsampling2d(interpolation: str) -> None:
    keras = pytest.importorskip("keras")
    found = _identify(keras.layers.UpSampling2D((2, 3), interpolation=interpolation), (1, 6, 5, 2))
    assert f"UpSampling2D(interpolation='{interpolation}')" in found.words("keras")
    assert found.same_here  # other words differ from it only where factors are not whole


def test_keras_upsampling_in_one_and_three_dimensions() -> None:
    keras = pytest.importorskip("keras")
    line = _identify(keras.layers.UpSampling1D(3), (1, 9, 2))
    assert ("UpSampling1D()" in line.words("keras"), line.layout) == (True, "NWC")
    volume = _identify(keras.layers.UpSampling3D((2, 1, 3)), (1, 5, 4, 3, 2))
    assert "UpSampling3D()" in volume.words("keras")
    assert volume.spatial == (1, 3)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"])
def test_keras_resizing(interpolation: str, antialias: bool) -> None:
    keras = pytest.importorskip("keras")
    found = _identify(keras.layers.Resizing(20, 7, interpolation=interpolation, antialias=antialias))
    flag = "" if interpolation in ("nearest", "area") else f", antialias={antialias}"
    assert f"Resizing(interpolation='{interpolation}'{flag})" in found.words("keras")


def test_channels_first_layers(tf: Any) -> None:
    def function(x: np.ndarray) -> Any:
        image = tf.raw_ops.ResizeBilinear(images=np.moveaxis(x, 1, -1), size=[20, 7], half_pixel_centers=True)
        return np.moveaxis(image.numpy(), -1, 1)

    assert _identify(function, (1, 2, 9, 11)).layout == "NCHW"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "float16"])
def test_other_element_types(tf: Any, dtype: str) -> None:
    nearest = _identify(
        lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=[20, 7], align_corners=True), dtype=dtype
    )
    assert "ResizeNearestNeighbor(align_corners=True, half_pixel_centers=False)" in nearest.words()
    linear = _identify(
        lambda x: tf.raw_ops.ResizeBilinear(images=x, size=[20, 7], half_pixel_centers=True), dtype=dtype
    )
    assert "ResizeBilinear(align_corners=False, half_pixel_centers=True)" in linear.words()


def test_kernels_that_round_to_half_precision(tf: Any) -> None:
    def function(x: np.ndarray) -> np.ndarray:
        return tf.image.resize(x, [20, 7], method="bicubic").numpy().astype(np.float16)

    found = _identify(function, dtype=np.float16)
    assert "ResizeBicubic(align_corners=False, half_pixel_centers=True)" in found.words("tensorflow")

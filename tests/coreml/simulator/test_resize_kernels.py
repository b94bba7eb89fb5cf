"""Saved resize operators, simulated, against TensorFlow's kernels that coremltools documents as their equals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

from rewriter.coreml.simulator import load
from tests.coreml.simulator.packages import save_program

tf = pytest.importorskip("tensorflow")

SIZES = [(5, 7, 9, 13), (8, 6, 3, 5), (4, 4, 8, 12), (1, 3, 4, 1), (7, 5, 7, 1), (6, 9, 13, 9)]


def run(directory: Path, x: np.ndarray, build: Any) -> dict[str, np.ndarray]:
    return load(save_program(directory, {"x": x.shape}, build)).predict({"x": x})


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 2, height, width)).astype(np.float32)


def nhwc(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), SIZES)
def test_bilinear(tmp_path: Path, height: int, width: int, rows: int, columns: int) -> None:
    x = image(height, width)
    flags = {
        "DEFAULT": {"align_corners": False, "half_pixel_centers": False},
        "STRICT_ALIGN_CORNERS": {"align_corners": True, "half_pixel_centers": False},
        "UNALIGN_CORNERS": {"align_corners": False, "half_pixel_centers": True},
    }

    def build(x):
        for mode in flags:
            yield mb.resize_bilinear(
                x=x, target_size_height=rows, target_size_width=columns, sampling_mode=mode, name=mode
            )
            yield mb.resize(
                x=x,
                shape=[rows, columns],
                resized_dims=np.uint32(2),
                interpolation_mode="LINEAR",
                sampling_mode=mode,
                name=f"resize_{mode}",
            )

    found = run(tmp_path, x, lambda x: list(build(x)))
    for mode, spelled in flags.items():
        want = tf.raw_ops.ResizeBilinear(images=nhwc(x), size=[rows, columns], **spelled).numpy()
        np.testing.assert_allclose(nhwc(found[mode]), want, atol=2e-5)
        np.testing.assert_allclose(nhwc(found[f"resize_{mode}"]), want, atol=2e-5)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), SIZES)
def test_upsampling(tmp_path: Path, height: int, width: int, rows: int, columns: int) -> None:
    x = image(height, width)
    # The factor is nudged up, as coremltools' TensorFlow frontend does, so that the floor gives the wanted length.
    factors = {
        "scale_factor_height": np.float32((rows + 1e-4) / height),
        "scale_factor_width": np.float32((columns + 1e-4) / width),
    }

    def build(x):
        return [
            mb.upsample_bilinear(x=x, align_corners=True, **factors, name="aligned"),
            mb.upsample_bilinear(x=x, align_corners=False, **factors, name="half_pixel"),
            mb.upsample_bilinear(
                x=x, align_corners=False, half_pixel_centers=False, **factors, name="legacy"
            ),
            mb.upsample_nearest_neighbor(x=x, **factors, name="nearest"),
        ]

    found = run(tmp_path, x, build)
    for name, align_corners, half_pixel in [
        ("aligned", True, False),
        ("half_pixel", False, True),
        ("legacy", False, False),
    ]:
        want = tf.raw_ops.ResizeBilinear(
            images=nhwc(x), size=[rows, columns], align_corners=align_corners, half_pixel_centers=half_pixel
        ).numpy()
        np.testing.assert_allclose(nhwc(found[name]), want, atol=2e-5)
    want = tf.raw_ops.ResizeNearestNeighbor(images=nhwc(x), size=[rows, columns]).numpy()
    np.testing.assert_array_equal(nhwc(found["nearest"]), want)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), SIZES[:4])
def test_nearest_is_half_pixel(tmp_path: Path, height: int, width: int, rows: int, columns: int) -> None:
    x = image(height, width)

    def build(x):
        return mb.resize_nearest_neighbor(x=x, target_size_height=rows, target_size_width=columns, name="y")

    want = tf.raw_ops.ResizeNearestNeighbor(
        images=nhwc(x), size=[rows, columns], half_pixel_centers=True
    ).numpy()
    np.testing.assert_array_equal(nhwc(run(tmp_path, x, build)["y"]), want)


def test_crops(tmp_path: Path) -> None:
    x = image(6, 8)
    boxes = np.array(
        [[0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], [-0.2, 0.3, 0.5, 1.3], [0.9, 0.8, 0.2, 0.1]], np.float32
    )

    def build(x):
        return mb.crop_resize(
            x=x,
            boxes=boxes,
            box_indices=np.zeros(4, np.int32),
            target_height=5,
            target_width=3,
            normalized_coordinates=True,
            sampling_mode="ALIGN_CORNERS",
            pad_value=np.float32(7),
            name="y",
        )

    want = tf.image.crop_and_resize(nhwc(x), boxes, [0] * 4, [5, 3], extrapolation_value=7).numpy()
    np.testing.assert_allclose(nhwc(run(tmp_path, x, build)["y"]), want, atol=2e-5)


def test_offset_corners_grid(tmp_path: Path) -> None:
    """The grid points that coremltools' documentation lists for 2 -> 5 and 2 -> 6."""
    x = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)

    def build(x):
        return [
            mb.resize_bilinear(
                x=x, target_size_height=1, target_size_width=n, sampling_mode="OFFSET_CORNERS", name=f"to_{n}"
            )
            for n in (5, 6)
        ]

    found = run(tmp_path, x, build)
    np.testing.assert_allclose(found["to_5"].ravel(), [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)
    np.testing.assert_allclose(found["to_6"].ravel(), [0.08, 0.25, 0.42, 0.58, 0.75, 0.92], atol=5e-3)

"""The TensorFlow vocabulary against TensorFlow's own kernels."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.errors import UnsupportedError
from rewriter.resampling import TensorResize
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.tensorflow import TF_RESIZES, onnx_attributes, tf_resize

FLAGS = [(False, False), (True, False), (False, True)]


@pytest.mark.parametrize("op", TF_RESIZES)
@pytest.mark.parametrize(("align_corners", "half_pixel_centers"), FLAGS)
def test_equals_the_kernel(op: str, align_corners: bool, half_pixel_centers: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(7)
    # TensorFlow tabulates its bicubic weights at 1/1024 pixel; nearest may round a float32 tie the other way.
    tolerance = 5e-3 if op == "ResizeBicubic" else 5e-5
    off = 0
    for _ in range(40):
        h, w, out_h, out_w = (int(v) for v in rng.integers(1, 41, size=4))
        x = rng.uniform(size=(1, h, w, 2)).astype(np.float32)
        kernel = getattr(tf.raw_ops, op)
        y = kernel(
            images=x,
            size=[out_h, out_w],
            align_corners=align_corners,
            half_pixel_centers=half_pixel_centers,
        ).numpy()
        resize = TensorResize(
            (
                AxisResize(1, 1),
                tf_resize(op, h, out_h, align_corners, half_pixel_centers),
                tf_resize(op, w, out_w, align_corners, half_pixel_centers),
                AxisResize(2, 2),
            )
        )
        off += bool(np.abs(resize.apply(x) - y).max() > tolerance)
    assert off <= (1 if op == "ResizeNearestNeighbor" else 0)


def test_area_and_contradictory_flags_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="ResizeArea"):
        tf_resize("ResizeArea", 4, 2)
    with pytest.raises(UnsupportedError, match="rejects"):
        onnx_attributes("ResizeBilinear", True, True)

"""The float32 arithmetic against the kernels: impulses give the weights that they really use, bit for bit."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rewriter.errors import UnsupportedError
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.filtered import FILTERS, IRRATIONAL_FILTERS, FilteredAxis
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.float32_tensorflow import BICUBIC_TABLE_SIZE
from rewriter.resampling.tensorflow_ops import crop_and_resize, resize_op, scale_and_translate
from tests.resampling.onnx_cases import COORDINATES, MODES, ROUNDINGS, Case, run_onnxruntime


def _onnx_case(rng: np.random.Generator) -> Case | None:
    """Axis 2 of [1, n, n, 1] resized; None where nothing would be."""
    n, m = int(rng.integers(1, 40)), int(rng.integers(1, 60))
    mode, coordinates = str(rng.choice(MODES)), str(rng.choice(COORDINATES))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = str(rng.choice(ROUNDINGS))
    else:
        attributes["antialias"] = int(rng.integers(2))
        attributes["exclude_outside"] = (
            int(rng.integers(2)) if mode == "cubic" or attributes["antialias"] else 0
        )
        # Coefficients whose cubic is exactly 0 at distance 1 and 2, so that the axis of length 1 is not weighted.
        attributes["cubic_coeff_a"] = float(rng.choice([-0.5, -0.75]))
    roi = None
    if coordinates == "tf_crop_and_resize":
        start, end = (0.0, 1.0) if rng.uniform() < 0.5 else np.sort(rng.uniform(-0.2, 1.2, size=2))
        roi = (0.0, 0.0, float(start), 0.0, 1.0, 1.0, float(end), 1.0)
    shape = (1, n, n, 1)
    if rng.uniform() < 0.4:
        scale = np.float32(m / n * rng.uniform(0.95, 1.05))
        m = int(scale * np.float32(n))
        case = Case("Resize", 19, shape, attributes, scales=(1.0, 1.0, float(scale), 1.0), roi=roi)
    else:
        case = Case("Resize", 19, shape, attributes, sizes=(1, n, m, 1), roi=roi)
    return None if m in (0, n) else case


def test_onnxruntime_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    drawn = (_onnx_case(rng) for _ in range(1000))
    cases = [case for case in drawn if case is not None]
    assert len(cases) > 900
    impulses = [np.eye(case.shape[1], dtype=np.float32).reshape(case.shape) for case in cases]
    inexact = 0
    for case, y in zip(cases, run_onnxruntime(cases, impulses), strict=True):
        axis = case.node().semantics(case.shape, y.shape).axes[2]
        weights = kernel_matrix(axis, "onnxruntime")
        np.testing.assert_array_equal(weights, y[0, :, :, 0].T)
        inexact += bool(np.any(weights != axis.matrix("float32")))
    assert inexact > 300  # rounding the exact weights once would not do


def _impulses(n: int) -> np.ndarray:
    """An NHWC image whose channel c is an impulse at row c."""
    return np.eye(n, dtype=np.float32).reshape(1, n, 1, n)


@pytest.mark.parametrize(
    ("op", "align_corners", "half_pixel_centers"),
    [
        (op, *flags)
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
        for flags in ((False, False), (True, False), (False, True))
    ],
)
def test_tensorflow_resize_bit_for_bit(op: str, align_corners: bool, half_pixel_centers: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(1)
    for _ in range(80):
        n, m = int(rng.integers(1, 40)), int(rng.integers(1, 60))
        flags = {"align_corners": align_corners, "half_pixel_centers": half_pixel_centers}
        y = getattr(tf.raw_ops, op)(images=_impulses(n), size=[m, 1], **flags).numpy()
        axis = resize_op(op, n, m, **flags)
        np.testing.assert_array_equal(kernel_matrix(axis, "tensorflow"), y[0, :, 0, :])


@pytest.mark.parametrize("align_corners", [False, True])
def test_tensorflow_area_bit_for_bit(align_corners: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(2)
    for _ in range(80):
        n, m = int(rng.integers(1, 40)), int(rng.integers(1, 60))
        y = tf.raw_ops.ResizeArea(images=_impulses(n), size=[m, 1], align_corners=align_corners).numpy()
        weights = kernel_matrix(AreaAxis(n, m, align_corners), "tensorflow")
        np.testing.assert_array_equal(weights, y[0, :, 0, :])


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_tensorflow_crop_bit_for_bit(method: str) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(3)
    for _ in range(100):
        n, m = int(rng.integers(1, 40)), int(rng.integers(1, 60))
        start, end = (
            rng.uniform(-0.2, 1.2, size=2) if rng.uniform() < 0.5 else rng.integers(-1, 6, size=2) / 4
        )
        box = [start, 0.0, end, 0.0]
        y = tf.raw_ops.CropAndResize(
            image=_impulses(n), boxes=[box], box_ind=[0], crop_size=[m, 1], method=method
        ).numpy()
        rows, _ = crop_and_resize((n, 1), box, (m, 1), method)
        np.testing.assert_array_equal(kernel_matrix(rows, "tensorflow"), y[0, :, 0, :])


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", sorted(FILTERS))
def test_tensorflow_scale_and_translate(kernel: str, antialias: bool) -> None:
    """Bit for bit; Lanczos to 3e-7, as its sines are not rounded alike."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(4)
    for _ in range(60):
        n, m = int(rng.integers(1, 40)), int(rng.integers(1, 60))
        scale = float(rng.uniform(0.2, 3)) if rng.uniform() < 0.5 else m / n
        shift = float(rng.uniform(-2, 2)) if rng.uniform() < 0.5 else 0.0
        y = tf.raw_ops.ScaleAndTranslate(
            images=_impulses(n),
            size=[m, 1],
            scale=[scale, 1],
            translation=[shift, 0],
            kernel_type=kernel,
            antialias=antialias,
        ).numpy()[0, :, 0, :]
        rows, _ = scale_and_translate((n, 1), (m, 1), (scale, 1), (shift, 0), kernel, antialias)
        tolerance = 3e-7 if kernel in IRRATIONAL_FILTERS and kernel != "gaussian" else 0
        np.testing.assert_allclose(kernel_matrix(rows, "tensorflow"), y, rtol=0, atol=tolerance)


def test_the_bicubic_table_moves_weights_by_up_to_four_thousandths() -> None:
    axis = resize_op("ResizeBicubic", 37, 101, half_pixel_centers=True)
    difference = np.abs(kernel_matrix(axis, "tensorflow") - axis.matrix()).max()
    assert 1e-4 < difference < 2 / BICUBIC_TABLE_SIZE


def test_what_a_library_has_no_kernel_for_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="torch"):
        kernel_matrix(AxisResize(4, 8), "torch")
    for axis, library in (
        (AreaAxis(4, 2), "onnxruntime"),
        (FilteredAxis(4, 2), "onnxruntime"),
        (AxisResize(4, 8, coordinates="offset_corners"), "onnxruntime"),
        (AxisResize(4, 8, coordinates="pytorch_half_pixel"), "tensorflow"),
        (AxisResize(4, 2, antialias=True), "tensorflow"),
    ):
        with pytest.raises(UnsupportedError):
            kernel_matrix(axis, library)

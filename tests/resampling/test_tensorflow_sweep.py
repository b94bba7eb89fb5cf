"""Random resizes against TensorFlow's kernels: every disagreement is a documented one.

python -m pytest tests/resampling/test_tensorflow_sweep.py -m slow -s     5,000 kernel calls, prints the counts
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.disagreements import tensorflow_disagreements
from rewriter.resampling.filtered import FILTERS
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.tensorflow_ops import crop_and_resize, resize_op, scale_and_translate

tf = pytest.importorskip("tensorflow")

Axes = tuple[AxisMap, AxisMap]
Drawn = tuple[str, Axes, Callable[[np.ndarray], Any]]
EXTRAPOLATION = -5.0


def _draw(rng: np.random.Generator, image: tuple[int, int], size: tuple[int, int]) -> Drawn:
    """A random op: its name, its maps, and its kernel."""
    kind = int(rng.integers(6))
    if kind < 3:
        return _plain_op(rng, image, size)
    if kind == 3:
        method = str(rng.choice(["bilinear", "nearest"]))
        box = rng.uniform(-0.2, 1.2, size=4) if rng.uniform() < 0.5 else rng.integers(-1, 6, size=4) / 4

        def crop(x: np.ndarray) -> Any:
            return tf.raw_ops.CropAndResize(
                image=x,
                boxes=[box],
                box_ind=[0],
                crop_size=size,
                method=method,
                extrapolation_value=EXTRAPOLATION,
            )

        return f"CropAndResize {method}", crop_and_resize(image, box, size, method), crop
    kernel, antialias = str(rng.choice(sorted(FILTERS))), bool(rng.integers(2))
    ratio = [m / n for n, m in zip(image, size, strict=True)]
    scale = ratio if kind == 4 else list(rng.uniform(0.2, 3, size=2))
    shift = [0.0, 0.0] if kind == 4 else list(rng.uniform(-2, 2, size=2))

    def translate(x: np.ndarray) -> Any:
        return tf.raw_ops.ScaleAndTranslate(
            images=x, size=size, scale=scale, translation=shift, kernel_type=kernel, antialias=antialias
        )

    axes = scale_and_translate(image, size, scale, shift, kernel, antialias)
    return f"ScaleAndTranslate {kernel}", axes, translate


def _plain_op(rng: np.random.Generator, image: tuple[int, int], size: tuple[int, int]) -> Drawn:
    op = str(rng.choice(["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"]))
    choices = [{}, {"align_corners": True}, {"half_pixel_centers": True}][: 2 if op == "ResizeArea" else 3]
    flags = choices[int(rng.integers(len(choices)))]
    rows, columns = (resize_op(op, n, m, **flags) for n, m in zip(image, size, strict=True))
    return op, (rows, columns), lambda x: getattr(tf.raw_ops, op)(images=x, size=size, **flags)


def _sweep(count: int, seed: int) -> Counter[str]:
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    for _ in range(count):
        height, width, out_height, out_width = (int(v) for v in rng.integers(1, (40, 40, 60, 60)))
        name, axes, kernel = _draw(rng, (height, width), (out_height, out_width))
        x = rng.uniform(0.5, 1.0, size=(1, height, width, 1)).astype(np.float32)
        y = kernel(x).numpy()[0, :, :, 0]
        named = tensorflow_disagreements(axes)
        extrapolation = EXTRAPOLATION if name.startswith("Crop") else 0.0
        difference = _difference(y, x, [axis.matrix() for axis in axes], extrapolation)
        own = _difference(y, x, [kernel_matrix(axis, "tensorflow") for axis in axes], extrapolation)
        assert own < 2e-5, f"{name}: the float32 arithmetic is off by {own}"
        assert named or difference < 3e-4, f"not explained, off by {difference}: {name} {axes}"
        counts["+".join(named) or "agree"] += 1
        counts[f"{name}: visible"] += bool(named) and difference > 1e-5
        counts[f"{name}: claimed"] += bool(named)
    return counts


def _difference(y: np.ndarray, x: np.ndarray, matrices: list[np.ndarray], extrapolation: float) -> float:
    rows, columns = (matrix.astype(np.float64) for matrix in matrices)
    inside = np.logical_and.outer(rows.any(axis=1), columns.any(axis=1))
    wanted = np.where(inside, rows @ x[0, :, :, 0].astype(np.float64) @ columns.T, extrapolation)
    return float(np.abs(wanted - y).max())


def _check(counts: Counter[str], count: int) -> None:
    classes = {key: value for key, value in counts.items() if ":" not in key}
    assert sum(classes.values()) == count
    claimed = sum(value for key, value in counts.items() if key.endswith(": claimed"))
    visible = sum(value for key, value in counts.items() if key.endswith(": visible"))
    # A claimed row can lie where the other axis extrapolates; nearly every claim is a visible difference.
    assert claimed == count - classes["agree"]
    assert visible >= 0.97 * claimed


def test_every_disagreement_with_tensorflow_is_documented() -> None:
    counts = _sweep(500, seed=12)
    _check(counts, 500)
    assert {"T2", "T3", "T4"} <= {name for key in counts if ":" not in key for name in key.split("+")}


@pytest.mark.slow
def test_every_disagreement_with_tensorflow_is_documented_in_5000_calls() -> None:
    counts = _sweep(5000, seed=2026)
    classes = {key: n for key, n in counts.most_common() if ":" not in key}
    claimed, visible = (
        sum(n for key, n in counts.items() if key.endswith(end)) for end in (": claimed", ": visible")
    )
    print(f"\nTensorFlow, 5,000 calls: {classes}; {visible} of {claimed} visible in the values")
    _check(counts, 5000)
    assert {"T1", "T2", "T3", "T4"} <= {name for key in counts if ":" not in key for name in key.split("+")}

"""Random single-node models against onnxruntime, optimisations off: every disagreement is a documented one.

python -m pytest tests/resampling/test_onnxruntime_sweep.py -m slow -s     20,000 models, prints the counts
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from rewriter.resampling import AxisResize, TensorResize
from rewriter.resampling.disagreements import DISAGREEMENTS, disagreements
from rewriter.resampling.float32 import kernel_matrix
from tests.resampling.onnx_cases import Case, random_case, refused_by_onnxruntime, run_onnxruntime

TOLERANCE = 2e-4  # of float32 arithmetic, on values of N(0, 1)
BATCH = 200


def _cases(count: int, seed: int) -> tuple[dict[int, list[Case]], list[Case]]:
    """`count` cases by opset, and those that onnxruntime refuses to run."""
    rng = np.random.default_rng(seed)
    by_opset: dict[int, list[Case]] = defaultdict(list)
    refused: list[Case] = []
    while sum(map(len, by_opset.values())) < count:
        case = random_case(rng)
        if refused_by_onnxruntime(case):
            refused.append(case)
        else:
            by_opset[case.opset].append(case)
    return by_opset, refused


def _sweep(count: int, seed: int) -> Counter[str]:
    """Counts of cases by the disagreements that apply; fails where the algebra and onnxruntime differ otherwise."""
    counts: Counter[str] = Counter()
    rng = np.random.default_rng(seed)
    by_opset, _ = _cases(count, seed)
    for cases in by_opset.values():
        for first in range(0, len(cases), BATCH):
            batch = cases[first : first + BATCH]
            inputs = [rng.normal(size=case.shape).astype(np.float32) for case in batch]
            for case, x, y in zip(batch, inputs, run_onnxruntime(batch, inputs), strict=True):
                counts["+".join(_judge(case, x, y)) or "agree"] += 1
    return counts


def _judge(case: Case, x: np.ndarray, y: np.ndarray) -> tuple[str, ...]:
    """The disagreements that apply; there is a difference if and only if there is one of them."""
    node = case.node()
    named = disagreements(node, case.shape)
    assert set(named) <= set(DISAGREEMENTS)
    agree = _agrees_with_specification(case, x, y)
    assert agree or named, f"not explained: {case}"
    assert not (agree and named), f"{named} claims a difference where there is none: {case}"
    if not agree:
        assert _explained_by_value(case, x, y, named), f"{named} does not explain the values: {case}"
    return named


def _agrees_with_specification(case: Case, x: np.ndarray, y: np.ndarray) -> bool:
    node = case.node()
    shape = node.output_shape(case.shape)
    return shape == y.shape and bool(np.abs(node.semantics(case.shape).apply(x) - y).max() < TOLERANCE)


def _explained_by_value(case: Case, x: np.ndarray, y: np.ndarray, named: tuple[str, ...]) -> bool:
    """Whether onnxruntime's reading, in its own float32 arithmetic, gives its values."""
    resize = case.node().semantics(case.shape, reading="onnxruntime")
    result = _in_float32(resize, x)
    if "O6" in named:
        n, h, w, c = result.shape
        outside = _outside(resize)
        filled = np.broadcast_to(outside[0, :, :, 0], (n * c, h, w)).reshape(result.shape)
        # The right pixels keep what the kernel computed beyond the edge, which nothing documents.
        known = filled | ~outside
        result = np.where(filled, resize.extrapolation_value, result)
        return result.shape == y.shape and bool(np.abs(result - y)[known].max() < TOLERANCE)
    return result.shape == y.shape and np.allclose(result, y, atol=10 * TOLERANCE, equal_nan=True)


def _outside(resize: TensorResize) -> np.ndarray:
    """True where the float32 kernel extrapolates."""
    mask = np.zeros((1,) * len(resize.axes), dtype=bool)
    for index, axis in enumerate(resize.axes):
        if isinstance(axis, AxisResize) and axis.coordinates != "tf_crop_and_resize":
            continue
        empty = ~kernel_matrix(axis, "onnxruntime").any(axis=1)
        mask = mask | empty.reshape([-1 if k == index else 1 for k in range(len(resize.axes))])
    return np.broadcast_to(mask, resize.output_shape)


def _in_float32(resize: TensorResize, x: np.ndarray) -> np.ndarray:
    y = x.astype(np.float64)
    for index in resize.resized_axes:
        matrix = kernel_matrix(resize.axes[index], "onnxruntime").astype(np.float64)
        y = np.moveaxis(np.tensordot(matrix, y, axes=(1, index)), 0, index)
    return np.where(_outside(resize), resize.extrapolation_value, y)


def test_every_disagreement_with_onnxruntime_is_documented() -> None:
    counts = _sweep(1500, seed=20)
    assert sum(counts.values()) == 1500
    # The sample is large enough to meet most of them, and most cases agree.
    assert counts["agree"] > 1000
    assert {"O1", "O2", "O3", "O4", "O7", "O8"} <= {name for key in counts for name in key.split("+")}


@pytest.mark.slow
def test_every_disagreement_with_onnxruntime_is_documented_in_20000_models() -> None:
    counts = _sweep(20_000, seed=2026)
    print("\nonnxruntime, 20,000 models:", dict(counts.most_common()))
    assert sum(counts.values()) == 20_000
    seen = {name for key in counts for name in key.split("+")}
    assert {"O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8"} <= seen


def test_onnxruntime_refuses_what_the_generator_leaves_out() -> None:
    _, refused = _cases(600, seed=3)
    assert len(refused) >= 10
    for case in refused[:15]:
        if min(case.node().output_shape(case.shape, "onnxruntime")) < 1:
            continue
        with pytest.raises(Exception, match=r"(?i)only supports|resize|scale"):
            run_onnxruntime([case], [np.zeros(case.shape, np.float32)])


CROP = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": -7.0}
EXAMPLES = {
    # 3 x float32(5/3) is 5 in float32 and just below it exactly.
    "O1": Case("Resize", 13, (2, 3), {"mode": "linear"}, scales=(1.0, float(np.float32(5 / 3)))),
    "O2": Case(
        "Resize",
        13,
        (1, 7),
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "tf_half_pixel_for_nn",
            "nearest_mode": "ceil",
        },
        sizes=(1, 7),
    ),
    "O3": Case("Resize", 13, (4, 3), CROP, sizes=(4, 6), roi=(0.25, 0.0, 0.75, 1.0)),
    "O4": Case(
        "Resize",
        18,
        (2, 3, 4, 3),
        {"mode": "linear", "axes": [-2, -1], "keep_aspect_ratio_policy": "not_smaller"},
        sizes=(6, 5),
    ),
    "O5": Case("Resize", 18, (3, 3), {"mode": "linear", "antialias": 1}, scales=(1.25, 0.5)),
    "O6": Case(
        "Resize",
        18,
        (1, 4, 5, 2),
        {**CROP, "antialias": 1},
        sizes=(1, 3, 4, 2),
        roi=(0.0, -0.5, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0),
    ),
    "O7": Case(
        "Resize",
        13,
        (1, 7),
        {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "ceil"},
        sizes=(1, 19),
    ),
    "O8": Case("Resize", 13, (1, 7), CROP, sizes=(9, 10), roi=(0.0, float(np.float32(0.03)), 1.0, 1.0)),
    "O12": Case(
        "Resize",
        18,
        (1, 1, 14, 4),
        {
            "mode": "cubic",
            "coordinate_transformation_mode": "tf_half_pixel_for_nn",
            "antialias": 1,
            "exclude_outside": 1,
            "axes": [2, 3],
            "keep_aspect_ratio_policy": "not_smaller",
        },
        sizes=(16, 9),
    ),
}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_one_example_of_each_disagreement(name: str) -> None:
    case = EXAMPLES[name]
    x = np.random.default_rng(0).normal(size=case.shape).astype(np.float32)
    assert _judge(case, x, run_onnxruntime([case], [x])[0]) == (name,)


def test_a_copied_axis_still_extrapolates_in_the_antialias_code() -> None:
    case = Case(
        "Resize",
        11,
        (2, 3, 8, 1),
        {**CROP, "mode": "cubic", "exclude_outside": 1},
        scales=(1.0, 1.1880084, 4.375, 1.0),
        roi=(0.0, 0.9, 0.09, 0.0, 1.0, 1.13, 0.25, 1.0),
    )
    x = np.random.default_rng(1).normal(size=case.shape).astype(np.float32)
    y = run_onnxruntime([case], [x])[0]
    assert (y == -7.0).any()
    assert "O5" in _judge(case, x, y)

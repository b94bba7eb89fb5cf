"""The metrics: what decides, what does not, and what NaN, infinity, constants and shapes mean."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rewriter.verification.metrics import compare_outputs, constant_over_cases, distance
from rewriter.verification.result import CaseResult, OutputResult, PairResult, VerificationReport


def compared(reference, candidate, tolerance: float = 1e-4, atol: float | None = None) -> OutputResult:
    return compare_outputs("y", np.asarray(reference), np.asarray(candidate), tolerance=tolerance, atol=atol)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-3, 5, shape)


def test_max_rel_is_the_largest_difference_over_the_range():
    reference = np.array([-2.0, 0.0, 6.0])
    result = compared(reference, reference + np.array([0.0, 0.4, -0.1]))
    assert result.max_abs == pytest.approx(0.4)
    assert result.max_rel == pytest.approx(0.4 / 8)
    assert result.psnr == pytest.approx(10 * math.log10(64 / ((0.16 + 0.01) / 3)))
    assert not result.passed


def test_equal_arrays():
    result = compared(noise(2, 3), noise(2, 3))
    assert result.passed and result.max_abs == result.max_rel == 0
    assert result.psnr == math.inf and result.cosine == pytest.approx(1)
    assert result.to_json()["psnr"] is None  # JSON has no infinity


@pytest.mark.parametrize(("error", "passed"), [(0.99e-4, True), (1.01e-4, False)])
def test_one_value_decides_however_many_agree(error, passed):
    reference = np.linspace(0, 1, 100_000)
    candidate = reference.copy()
    candidate[500] += error
    result = compared(reference, candidate)
    assert result.passed is passed
    assert result.cosine > 0.999999 and result.psnr > 100


def test_an_absolute_bound_suffices_on_its_own():
    reference = np.array([0.0, 1e-6])
    candidate = reference + 1e-7
    assert not compared(reference, candidate).passed
    assert compared(reference, candidate, atol=2e-7).passed
    assert not compared(reference, candidate, atol=0.5e-7).passed


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_must_be_the_same_at_the_same_place(special):
    reference = noise(4)
    reference[1] = special
    assert compared(reference, reference.copy()).passed
    assert compared(reference, reference.copy()).max_rel == 0
    moved = np.roll(reference, 1)
    for candidate in (moved, noise(4)):
        result = compared(reference, candidate)
        assert not result.passed and result.max_rel == math.inf
        assert result.note is not None and "NaN or infinity" in result.note
    assert not compared(noise(4), reference).passed


def test_infinity_of_the_other_sign_fails():
    assert not compared([1.0, math.inf, 2.0], [1.0, -math.inf, 2.0]).passed
    assert not compared([1.0, math.nan, 2.0], [1.0, math.inf, 2.0]).passed


def test_an_absolute_bound_forgives_no_nan():
    assert not compared([0.0, 1.0], [0.0, math.nan], atol=1e9).passed


def test_other_values_beside_nan_still_count():
    result = compared([math.nan, 0.0, 1.0], [math.nan, 0.0, 0.5])
    assert not result.passed and result.max_rel == pytest.approx(0.5)


@pytest.mark.parametrize("constant", [0.0, 3.5, 1e30])
def test_a_constant_reference_proves_nothing(constant):
    reference = np.full((2, 3), constant)
    result = compared(reference, reference)
    assert not result.informative and result.note is not None
    pair = PairResult("a", "b", False, "float32", (CaseResult("c", (result,)),))
    assert not pair.passed
    assert not VerificationReport((pair,)).passed


def test_a_constant_reference_still_shows_a_wrong_candidate():
    assert not compared(np.full(4, 2.0), np.full(4, 3.0)).passed


def test_one_informative_case_beside_constant_ones_is_enough():
    idle, telling = compared(np.zeros(4), np.zeros(4)), compared(noise(4), noise(4))
    cases = (CaseResult("idle", (idle,)), CaseResult("telling", (telling,)))
    assert PairResult("a", "b", False, "float32", cases).passed


def test_nothing_compared_is_no_pass():
    assert not PairResult("a", "b", False, "float32", ()).passed
    assert not VerificationReport(()).passed


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2, 3, 1)])
def test_another_shape_fails_without_broadcasting(shape):
    result = compared(np.zeros((2, 3)), np.zeros(shape))
    assert not result.passed and result.note == f"shape {list(shape)} instead of [2, 3]"
    assert result.to_json()["max_rel"] is None


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_whole_numbers_are_judged_by_the_share_that_differs(dtype):
    reference = np.arange(100).reshape(10, 10).astype(dtype)
    candidate = reference.copy()
    candidate[5, 5] = 0 if candidate[5, 5] else 1
    result = compared(reference, candidate)
    assert result.max_rel == pytest.approx(0.01) and not result.passed
    assert compared(reference, reference).passed


def test_large_whole_numbers_and_unsigned_ones_do_not_wrap():
    assert compared(np.array([0, 255], np.uint8), np.array([255, 0], np.uint8)).max_abs == 255


def test_half_precision_is_compared_exactly():
    reference = np.array([0.0, 60000.0], np.float16)
    result = compared(reference, -reference)
    assert result.max_abs == 120000 and math.isfinite(result.max_rel)


def test_argmax_agreement_and_mask_overlap():
    labels = np.array([[[0, 0, 1, 1], [0, 0, 1, 1]]])
    moved = np.array([[[0, 1, 1, 1], [0, 0, 1, 1]]])
    result = compared(np.eye(2)[labels], np.eye(2)[moved])
    assert result.argmax_agreement == pytest.approx(7 / 8)
    assert result.mask_iou == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_one_channel_has_no_classes():
    result = compared(noise(1, 4, 4, 1), noise(1, 4, 4, 1))
    assert result.argmax_agreement is None and result.mask_iou is None
    scores = compared(noise(2, 10), noise(2, 10))
    assert scores.argmax_agreement == 1 and scores.mask_iou is None


def test_scalars_and_empty_arrays_prove_nothing():
    for array in (np.float32(3.0), np.zeros((0, 4)), np.zeros((0, 2, 2, 3))):
        result = compared(array, array)
        assert result.passed and not result.informative
        json.dumps(result.to_json(), allow_nan=False)


def test_the_average_orders_where_the_largest_difference_cannot():
    reference = {"y": noise(8)}
    near, far = {"y": reference["y"].copy()}, {"y": reference["y"] + 1}
    near["y"][0] += 1
    first, second = distance(reference, near), distance(reference, far)
    assert first.largest == pytest.approx(second.largest) and first < second


def test_an_output_that_no_input_changes():
    assert constant_over_cases([noise(4), noise(4) + 1e-9])
    assert not constant_over_cases([noise(4), noise(4) + 1e-2])
    assert not constant_over_cases([noise(4)])

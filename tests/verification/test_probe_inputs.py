"""The built-in inputs: the same for every run, in range, for every layout and element type."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.tensorspec import TensorSpec
from rewriter.verification.probes import probe_cases

FLOAT = np.dtype(np.float32)


def spec(*shape: int | None, dtype: object = FLOAT, name: str = "image") -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(dtype))


def arrays(*specs: TensorSpec, **options) -> list[np.ndarray]:
    return [array for case in probe_cases(specs, **options).values() for array in case.values()]


def test_the_same_seed_gives_the_same_inputs():
    first, again, other = (arrays(spec(1, 16, 16, 3), seed=seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_cases_differ_from_each_other():
    found = arrays(spec(1, 16, 16, 3))
    assert len(found) >= 5
    assert all(not np.array_equal(a, b) for k, a in enumerate(found) for b in found[:k])


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (2, 7, 5, 1), (1, 3, 16, 20), (1, 1, 1, 3), (1, 10), (4,)])
def test_values_are_in_range_and_not_constant(shape):
    for array in arrays(spec(*shape)):
        assert array.shape == shape and array.dtype == FLOAT
        assert array.min() >= 0 and array.max() <= 1


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (1, 3, 16, 16)])
def test_every_channel_varies(shape):
    axis = shape.index(3)
    for array in arrays(spec(*shape)):
        for plane in np.moveaxis(array, axis, 0):
            assert np.ptp(plane) > 0.1


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255)])
def test_another_range(low, high):
    found = arrays(spec(1, 16, 16, 3), low=low, high=high)
    assert min(array.min() for array in found) == pytest.approx(low, abs=0.01 * (high - low))
    assert max(array.max() for array in found) == pytest.approx(high, abs=0.01 * (high - low))


def test_both_layouts_of_an_image_hold_the_same_picture():
    last, first = (probe_cases([spec(*shape)]) for shape in ((1, 12, 14, 3), (1, 3, 12, 14)))
    for case in last:
        np.testing.assert_array_equal(last[case]["image"].transpose(0, 3, 1, 2), first[case]["image"])


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.int32, 1), (np.int64, 1), (np.bool_, 1)])
def test_integers(dtype, largest):
    for array in arrays(spec(1, 16, 16, 3, dtype=dtype)):
        assert array.dtype == dtype
        assert array.min() >= 0 and 0 < array.max() <= largest


def test_lengths_that_nobody_fixes():
    found = arrays(spec(None, None, None, 3), side=48)
    assert {array.shape for array in found} == {(1, 48, 48, 3)}


def test_several_inputs_are_all_fed():
    cases = probe_cases([spec(1, 8, 8, 3), spec(1, 5, name="vector")])
    assert all(set(case) == {"image", "vector"} for case in cases.values())


def test_a_ramp_rises_evenly():
    ramp = probe_cases([spec(1, 9, 9, 3)])["ramp"]["image"][0]
    np.testing.assert_allclose(ramp[4, :, 0], np.linspace(0, 1, 9), atol=1e-6)
    np.testing.assert_allclose(ramp[:, 4, 1], np.linspace(0, 1, 9), atol=1e-6)

"""Every sample network is alive, converts exactly, and would show a wrong resize."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest

from models import REGISTRY, build, sample_input
from rewriter.model import Model
from rewriter.resampling.proof import compare
from rewriter.tensorflow.convert import convert
from tests.tensorflow.tensorflow_networks import relative_error, resizes, run

TOLERANCE = {"mobilenetv2_unet": 2e-5}  # fifty layers of float32 in another order of summation
OTHER_MODES = ("align_corners", "half_pixel", "asymmetric")
RESIZES = {
    "segmenter": 4,
    "segmenter_tf_image": 4,
    "segmenter_upsampling2d": 2,  # nearest is a repetition, not a resize, in Keras
    "odd_sizes": 2,
    "mobilenetv2_unet": 5,
    "deeplabv3plus": 3,
}


@cache
def _network(name):
    return build(name)


@cache
def _converted(name):
    return convert(_network(name), shapes={"image": sample_input(name).shape})


def _eager(name, seed=0):
    return np.asarray(_network(name)(sample_input(name, seed), training=False))


@pytest.mark.parametrize("name", REGISTRY)
def test_alive(name):
    first, second = _eager(name, 0), _eager(name, 1)
    assert np.isfinite(first).all() and np.ptp(first) > 0.05
    assert np.abs(first - second).max() > 0.05 * np.ptp(first)
    assert first.shape[:3] == sample_input(name).shape[:3]


@pytest.mark.parametrize("name", REGISTRY)
def test_converts_exactly(name):
    model = _converted(name)
    assert len(resizes(model)) == RESIZES[name]
    assert all([entry.key for entry in node.metadata_props] == ["rewriter.source"] for node in resizes(model))
    for seed in (0, 1):
        [output] = run(model, {"image": sample_input(name, seed)}).values()
        assert relative_error(output, _eager(name, seed)) <= TOLERANCE.get(name, 1e-5)


def _with_mode(model, index, mode):
    changed = copy.deepcopy(model)
    for attribute in resizes(changed)[index].attribute:
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = mode.encode()
    return changed


def _semantics(model):
    return [node.spelling().semantics(node.input_shape) for node in Model.from_proto(model).resizes()]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_resize_matters(name):
    model = _converted(name)
    image = {"image": sample_input(name)}
    [expected] = run(model, image).values()
    semantics = _semantics(model)
    for index, node in enumerate(resizes(model)):
        flips = 0
        for mode in OTHER_MODES:
            flipped = _with_mode(model, index, mode)
            if compare(semantics[index], _semantics(flipped)[index]).equal:
                continue
            flips += 1
            [output] = run(flipped, image).values()
            assert relative_error(output, expected) > 1e-3, (node.name, mode)
        # Three modes, of which one is its own; from a single pixel they are all the same.
        assert flips == (0 if semantics[index].input_shape[2:] == (1, 1) else 2), node.name


def test_sample_inputs_are_seeded():
    for name in REGISTRY:
        assert sample_input(name).dtype == np.float32
        np.testing.assert_array_equal(sample_input(name, 3), sample_input(name, 3))
        assert np.abs(sample_input(name, 3) - sample_input(name, 4)).max() > 0.1
        assert sample_input(name).min() >= 0 and sample_input(name).max() <= 1


@pytest.mark.parametrize("name", ["odd_sizes", "mobilenetv2_unet", "deeplabv3plus"])
def test_random_networks_are_the_same_every_time(name):
    again = build(name)
    for first, second in zip(_network(name).get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)

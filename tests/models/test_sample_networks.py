"""Every sample network is alive, converts exactly, and would show a wrong resize."""

from __future__ import annotations

import copy
import itertools
from functools import cache

import numpy as np
import pytest

from models import REGISTRY, build, sample_input
from rewriter.model import Model
from rewriter.resampling.proof import compare
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.load import load_keras
from tests.tensorflow.tensorflow_networks import relative_error, resizes, run

TOLERANCE = 1e-5
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
        assert relative_error(output, _eager(name, seed)) <= TOLERANCE


def _save_keras(model, folder):
    model.save(folder / "net.keras")
    return folder / "net.keras"


def _save_h5(model, folder):
    model.save(folder / "net.h5")
    return folder / "net.h5"


def _save_exported(model, folder):
    model.export(folder / "net", verbose=False)
    return folder / "net"


@pytest.mark.parametrize(
    ("name", "save"),
    [
        *itertools.product(("segmenter", "deeplabv3plus"), (_save_keras, _save_h5, _save_exported)),
        # Keras itself cannot read functions such as keras.ops.image.resize back from .h5.
        *itertools.product(("segmenter_tf_image",), (_save_keras, _save_exported)),
    ],
)
def test_converts_exactly_from_files(tmp_path, name, save):
    model = convert(save(_network(name), tmp_path))
    assert len(resizes(model)) == RESIZES[name]
    x = sample_input(name, 2)
    [output] = run(model, {"image": np.concatenate([x, x])}).values()
    assert relative_error(output[:1], _eager(name, 2)) <= TOLERANCE


def test_the_builder_in_the_registry_is_the_network():
    for sample in REGISTRY.values():
        network = load_keras(None, builder=sample.builder, weights=sample.weights)
        x = sample_input(sample.name)
        np.testing.assert_array_equal(network(x, training=False), _eager(sample.name))


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

"""The trained segmenter: it segments, and a resize on the wrong grid costs it visibly."""

from __future__ import annotations

import numpy as np
import pytest

from models import REGISTRY, WEIGHTS, build
from models.synthetic import CLASSES, dataset
from models.train import HELD_OUT_SEED, TRAINING_SEED, mean_iou, train
from rewriter.tensorflow.convert import convert
from tests.tensorflow.tensorflow_networks import resizes, run

PICTURES = 40


@pytest.fixture(scope="module")
def held_out():
    return dataset(HELD_OUT_SEED, PICTURES)


def test_committed_weights(held_out):
    images, masks = held_out
    probabilities = np.asarray(build("segmenter")(images, training=False))
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert mean_iou(probabilities.argmax(axis=-1), masks) >= 0.9
    assert WEIGHTS.stat().st_size < 2_000_000


@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric"])
@pytest.mark.parametrize("layers", [("up4",), ("up1", "up2", "up3", "up4")], ids="+".join)
def test_wrong_grid_loses_overlap(held_out, layers, mode):
    images, masks = held_out
    model = convert(build("segmenter"))
    right = mean_iou(run(model, {"image": images})["classes"].argmax(axis=-1), masks)
    mutated = [node for node in resizes(model) if node.name.split("/")[1] in layers]
    assert len(mutated) == len(layers)
    for node in mutated:
        for attribute in node.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = mode.encode()
    wrong = mean_iou(run(model, {"image": images})["classes"].argmax(axis=-1), masks)
    assert right - wrong > 0.02


def test_variants_share_the_weights():
    first = build("segmenter")
    for name in ("segmenter_tf_image", "segmenter_upsampling2d"):
        assert REGISTRY[name].weights == WEIGHTS
        for a, b in zip(first.get_weights(), build(name).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_mean_iou():
    wanted = np.array([[0, 0, 1, 1]])
    assert mean_iou(wanted, wanted, classes=2) == 1
    # Class 0: 1 of 2 and 1 more → 1/2; class 1: 2 of 3 → 2/3.
    assert mean_iou(np.array([[0, 1, 1, 1]]), wanted, classes=2) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_pictures():
    images, masks = dataset(TRAINING_SEED, 8)
    assert images.shape == (8, 64, 64, 3) and images.dtype == np.float32
    assert set(np.unique(masks)) == set(range(CLASSES))
    again, _ = dataset(TRAINING_SEED, 8)
    np.testing.assert_array_equal(images, again)
    assert TRAINING_SEED != HELD_OUT_SEED


@pytest.mark.slow
def test_training_reaches_the_same_quality(tmp_path):
    assert train(tmp_path / "trained.weights.h5") >= 0.9
    assert (tmp_path / "trained.weights.h5").stat().st_size < 2_000_000

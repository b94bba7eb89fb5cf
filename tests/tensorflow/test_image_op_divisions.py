"""Sizes that a network computes by dividing are those of eager TensorFlow, whose optimiser multiplies instead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.divisions import divisor_of
from tests.tensorflow.tensorflow_networks import keras, random_input, relative_error, run, signature_of, tf


@given(st.lists(st.integers(1, 2**22 - 1), min_size=1, max_size=5), st.sampled_from(["float32", "float64"]))
def test_divisors_are_found_again(divisors, dtype):
    divisors = np.array(divisors, dtype)
    np.testing.assert_array_equal(divisor_of(1 / divisors), divisors)


def test_what_is_no_reciprocal_of_a_whole_number_is_left_alone():
    assert divisor_of(np.float32([0.3])) is None
    assert divisor_of(np.float32([0.0])) is None
    assert divisor_of(np.float32([0.5, 0.4])) is None
    assert divisor_of(np.int32([1])) is None


@pytest.mark.parametrize("target", [(12, 11), (11, 7), (49, 41)])
def test_resize_with_pad_at_open_lengths(tmp_path, target):
    def operation(x):
        return tf.image.resize_with_pad(x, *target)

    tf.saved_model.save(signature_of(operation, (None, None, None, 3)), str(tmp_path))
    model = convert(tmp_path)
    for shape in [(1, 7, 9, 3), (2, 11, 3, 3), (1, 13, 13, 3)]:
        x = random_input(shape)
        assert relative_error(run(model, {"x": x}, True)["y"], operation(x)) < 1e-5


@pytest.mark.parametrize("fit", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
@pytest.mark.parametrize("target", [(11, 11), (41, 41), (10, 47)])
def test_resizing_to_an_aspect_ratio_at_open_lengths(fit, target):
    image = keras.Input((None, None, 3), name="x")
    layer = keras.layers.Resizing(*target, **{fit: True})
    model = convert(keras.Model(image, layer(image)))
    for shape in [(1, 9, 14, 3), (2, 12, 5, 3), (1, 41, 55, 3), (1, 23, 23, 3)]:
        x = random_input(shape)
        [y] = run(model, {"x": x}, True).values()
        assert relative_error(y, layer(x)) < 1e-5

"""Keras objects, files and SavedModels: the same network comes out, with its names, shapes and weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rewriter.errors import UnsupportedError, UsageError
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.layers import AlignCornersUpsampling2D
from rewriter.tensorflow.load import load_keras
from rewriter.tensorflow.tracing import output_names
from tests.tensorflow.tensorflow_networks import (
    keras,
    random_input,
    relative_error,
    resizes,
    run,
    shape_of,
    tf,
    tiny_network,
)

TOLERANCE = 1e-5


def _save_keras(model, folder):
    path = folder / "net.keras"
    model.save(path)
    return path


def _save_h5(model, folder):
    path = folder / "net.h5"
    model.save(path)
    return path


def _export(model, folder):
    model.export(folder / "exported", verbose=False)
    return folder / "exported"


def _tf_save(model, folder):
    serve = tf.function(
        lambda image: {"up": model(image)}, input_signature=[tf.TensorSpec((None, 6, 5, 3), name="image")]
    )
    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, str(folder / "saved"), signatures=serve)
    return folder / "saved"


@pytest.mark.parametrize("opset", [11, 13, 17, 18])
@pytest.mark.parametrize("save", [lambda model, _: model, _save_keras, _save_h5, _export, _tf_save])
def test_every_source_gives_the_same_network(tmp_path, save, opset):
    network = tiny_network()
    model = convert(save(network, tmp_path), opset=opset)
    x = random_input((2, 6, 5, 3))
    [output] = run(model, {"image": x}).values()
    assert relative_error(output, network(x)) <= TOLERANCE
    [node] = resizes(model)
    source = json.loads(node.metadata_props[0].value)
    assert source["op"] == "ResizeBilinear" and source["align_corners"] and source["size"] == [12, 10]
    assert source["name"].endswith("ResizeBilinear") and node.name == source["name"]
    batch, *rest = shape_of(model.graph.input[0])
    assert isinstance(batch, str) and rest == [6, 5, 3]
    assert model.graph.output[0].name == ("output_0" if save is _export else "up")


def test_ops_are_named_after_their_layers():
    inner = keras.Sequential([keras.Input((6, 5, 3)), AlignCornersUpsampling2D(2, name="up_1")], name="inner")
    image = keras.Input((6, 5, 3), name="image")
    shared = AlignCornersUpsampling2D(size=(3, 3), name="shared")
    x = keras.layers.Add()([shared(inner(image)), shared(image)])
    model = convert(keras.Model(image, x, name="net"))
    names = {node.name for node in resizes(model)}
    assert len(names) == 3
    assert {"net/inner/up_1/ResizeBilinear", "net/shared/ResizeBilinear"} < names


def test_the_same_network_gives_the_same_bytes():
    network = tiny_network()
    assert convert(network).SerializeToString() == convert(network).SerializeToString()


def _open_network():
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(image)
    return keras.Model(image, AlignCornersUpsampling2D((2, 3), name="up")(x))


@pytest.mark.parametrize("opset", [11, 18])
def test_height_and_width_left_open(opset):
    network = _open_network()
    model = convert(network, opset=opset)
    assert all(isinstance(length, str) for length in shape_of(model.graph.input[0])[:3])
    for shape in [(1, 8, 6, 3), (2, 13, 5, 3)]:
        x = random_input(shape)
        assert relative_error(run(model, {"image": x})["up"], network(x)) <= TOLERANCE


@pytest.mark.parametrize("save", [lambda model, _: model, _save_keras, _export])
def test_height_and_width_pinned(tmp_path, save):
    network = _open_network()
    model = convert(save(network, tmp_path), shapes={"image": (1, 8, 6, 3)})
    assert shape_of(model.graph.input[0]) == (1, 8, 6, 3)
    assert shape_of(model.graph.output[0]) == (1, 8, 9, 2)
    assert json.loads(resizes(model)[0].metadata_props[0].value)["size"] == [8, 9]
    x = random_input((1, 8, 6, 3))
    [output] = run(model, {"image": x}).values()
    assert relative_error(output, network(x)) <= TOLERANCE


def _two_by_two():
    left, right = keras.Input((4, 4, 1), name="right_eye"), keras.Input((4, 4, 2), name="left_eye")
    both = keras.layers.Concatenate()([left, right])
    coarse = keras.layers.Conv2D(2, 1, name="coarse")(both)
    fine = AlignCornersUpsampling2D(2, name="fine")(coarse)
    return keras.Model([left, right], [fine, coarse], name="stereo")


@pytest.mark.parametrize("save", [lambda model, _: model, _save_keras])
def test_several_inputs_and_outputs_keep_their_names(tmp_path, save):
    network = _two_by_two()
    model = convert(save(network, tmp_path))
    assert [value.name for value in model.graph.input] == ["right_eye", "left_eye"]
    assert [value.name for value in model.graph.output] == ["fine", "coarse"]
    _agree(model, network)


def test_several_inputs_and_outputs_of_a_saved_model(tmp_path):
    network = _two_by_two()
    serve = tf.function(
        lambda right_eye, left_eye: dict(
            zip(("fine", "coarse"), network([right_eye, left_eye]), strict=True)
        ),
        input_signature=[
            tf.TensorSpec((1, 4, 4, 1), name="right_eye"),
            tf.TensorSpec((1, 4, 4, 2), name="left_eye"),
        ],
    )
    module = tf.Module()
    module.model = network
    tf.saved_model.save(module, str(tmp_path), signatures=serve)
    for shapes in (None, {"left_eye": (1, 4, 4, 2)}):
        _agree(convert(tmp_path, shapes=shapes), network)


def _agree(model, network):
    inputs = {"right_eye": random_input((1, 4, 4, 1)), "left_eye": random_input((1, 4, 4, 2))}
    outputs = run(model, inputs)
    fine, coarse = network([inputs["right_eye"], inputs["left_eye"]])
    assert relative_error(outputs["fine"], fine) <= TOLERANCE
    assert relative_error(outputs["coarse"], coarse) <= TOLERANCE


def test_inputs_and_outputs_in_a_dict():
    image = keras.Input((4, 4, 1), name="image")
    outputs = {"b": AlignCornersUpsampling2D(2, name="up")(image), "a": keras.layers.ReLU(name="flat")(image)}
    network = keras.Model({"image": image}, outputs)
    model = convert(network)
    x = random_input((1, 4, 4, 1))
    expected = network({"image": x})
    found = run(model, {"image": x})
    assert {array.shape for array in found.values()} == {(1, 8, 8, 1), (1, 4, 4, 1)}
    for name, key in zip(network.output_names, sorted(outputs), strict=True):
        np.testing.assert_allclose(found[name], expected[key], atol=1e-6)


def _shared_layer(image):
    conv = keras.layers.Conv2D(2, 3, name="conv")
    return [conv(image), conv(keras.layers.ReLU()(image))], ["conv", "conv_1"]


def _numbered_name_taken(image):
    conv = keras.layers.Conv2D(2, 3, name="conv")
    other = keras.layers.ReLU(name="conv_1")(image)
    return [conv(image), other, conv(other)], ["conv", "conv_1", "conv_2"]


def _one_tensor_twice(image):
    flat = keras.layers.ReLU(name="flat")(image)
    return [flat, flat], ["flat", "flat_1"]


def _op_with_two_outputs(image):
    return keras.ops.split(image, [1], axis=-1), ["split", "split_1"]


@pytest.mark.parametrize(
    "outputs", [_shared_layer, _numbered_name_taken, _one_tensor_twice, _op_with_two_outputs]
)
def test_outputs_of_one_layer_are_numbered(outputs):
    image = keras.Input((4, 4, 3), name="image")
    tensors, names = outputs(image)
    network = keras.Model(image, list(tensors))
    model = convert(network)
    assert [value.name for value in model.graph.output] == output_names(network)
    x = random_input((1, 4, 4, 3))
    found = run(model, {"image": x})
    assert list(found) == names
    for actual, expected in zip(found.values(), network(x), strict=True):
        assert relative_error(actual, expected) <= TOLERANCE


def test_an_output_that_is_an_input():
    image = keras.Input((4, 4, 1), name="image")
    network = keras.Model(image, [image, keras.layers.ReLU(name="flat")(image)])
    x = random_input((1, 4, 4, 1))
    first, second = run(convert(network), {"image": x}).values()
    np.testing.assert_array_equal(first, x)
    np.testing.assert_array_equal(second, np.maximum(x, 0))


def test_mixed_precision():
    keras.utils.set_random_seed(3)
    image = keras.Input((6, 5, 3), name="image")
    x = keras.layers.Conv2D(4, 3, dtype="mixed_float16")(image)
    x = AlignCornersUpsampling2D(2, name="up", dtype="mixed_float16")(x)
    network = keras.Model(image, keras.layers.Activation("linear", dtype="float32", name="out")(x))
    x = random_input((1, 6, 5, 3))
    assert relative_error(run(convert(network), {"image": x})["out"], network(x)) <= 2e-3


def build_tiny():
    return tiny_network()


def build_nothing():
    return 3


def test_builder_and_weights(tmp_path):
    network = tiny_network()
    network.set_weights([weights + 0.25 for weights in network.get_weights()])
    path = tmp_path / "tiny.weights.h5"
    network.save_weights(path)
    loaded = load_keras(None, builder="tests.tensorflow.test_conversion_of_sources:build_tiny", weights=path)
    x = random_input((2, 6, 5, 3))
    assert relative_error(run(convert(loaded), {"image": x})["up"], network(x)) <= TOLERANCE


@pytest.mark.parametrize("opset", [10, 19, 0])
def test_refuses_other_opsets(opset):
    with pytest.raises(UsageError, match="opset"):
        convert(tiny_network(), opset=opset)


@pytest.mark.parametrize(
    "shapes",
    [
        {"picture": (1, 6, 5, 3)},
        {"image": (1, 6, 5)},
        {"image": (1, 9, 5, 3)},
        {"image": (0, 6, 5, 3)},
        {"image": (-1, 6, 5, 3)},
    ],
    ids=str,
)
def test_refuses_shapes_that_do_not_fit(shapes, tmp_path):
    for source in (tiny_network(), _export(tiny_network(), tmp_path)):
        with pytest.raises(UsageError):
            convert(source, shapes=shapes)


def test_refuses_what_is_no_network():
    with pytest.raises(UsageError, match="int"):
        convert(3)


def test_refuses_a_network_without_declared_inputs():
    class Bare(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UsageError, match="inputs"):
        convert(Bare(name="bare"))


def _open_upsampling():
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(
        image, keras.layers.UpSampling2D(2, interpolation="bilinear", name="up")(image), name="net"
    )


def test_keras_upsampling_of_open_lengths_asks_for_the_shape():
    with pytest.raises(UnsupportedError, match=r"'net': UpSampling2D") as caught:
        convert(_open_upsampling())
    assert (
        "image" in caught.value.remedy and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    )
    model = convert(_open_upsampling(), shapes={"image": (1, 4, 5, 3)})
    x = random_input((1, 4, 5, 3))
    assert relative_error(run(model, {"image": x})["up"], _open_upsampling()(x)) <= TOLERANCE


def test_a_layer_that_fails_is_named():
    class Picky(keras.layers.Layer):
        def call(self, x):
            if tf.inside_function():
                raise ValueError("only in eager mode. Really")
            return x

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    image = keras.Input((4, 4, 1), name="image")
    with pytest.raises(UnsupportedError, match=r"Picky.call\(\): only in eager mode$") as caught:
        convert(keras.Model(image, Picky()(image), name="net"))
    assert caught.value.remedy is None


def test_refuses_a_rounded_area_resize_at_open_lengths_by_the_layer_s_name():
    class Shrink(keras.layers.Layer):
        def call(self, x):
            return tf.round(tf.compat.v1.image.resize_area(x, (2, 2)))

    image = keras.Input((None, None, 1), name="image")
    with pytest.raises(UnsupportedError, match=r"shrink/ResizeArea"):
        convert(keras.Model(image, Shrink(name="shrink")(image), name="net"))

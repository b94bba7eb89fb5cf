"""Converted models load in onnxruntime as it comes, with its optimisations, and declare what each Resize gives."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.layers import AlignCornersUpsampling2D
from rewriter.tensorflow.provenance import Provenance, attach, marked
from tests.tensorflow.tensorflow_networks import (
    keras,
    random_input,
    relative_error,
    resizes,
    run,
    shape_of,
    tf,
)

layers = keras.layers


def _up(x):
    return AlignCornersUpsampling2D(2, name="up")(x)


# What stands around the resize. In the first five both its neighbours are channels-last in TensorFlow.
NETWORKS = {
    "alone": _up,
    "then scaled": lambda x: layers.Rescaling(2.0)(_up(x)),
    "between dense layers": lambda x: layers.Dense(3)(_up(layers.Dense(4)(x))),
    "after layer norm, activated": lambda x: layers.Softmax()(
        layers.ReLU()(_up(layers.LayerNormalization()(x)))
    ),
    "resized twice": lambda x: AlignCornersUpsampling2D(size=(9, 7), name="again")(_up(x)),
    "before a convolution": lambda x: layers.Conv2D(2, 3)(_up(x)),
    "after a convolution": lambda x: layers.Softmax()(_up(layers.Conv2D(2, 3, padding="same")(x))),
    "beside a convolution": lambda x: (
        _up(x) + AlignCornersUpsampling2D(2)(layers.Conv2D(3, 3, padding="same")(x))
    ),
}
ENCLOSED = ("alone", "then scaled", "between dense layers", "after layer norm, activated", "resized twice")


def _network(name, size=(6, 5)):
    keras.utils.set_random_seed(3)
    image = keras.Input((*size, 3), name="image")
    return keras.Model(image, NETWORKS[name](image), name="net")


@pytest.mark.parametrize("opset", [11, 17, 18])
@pytest.mark.parametrize(
    ("size", "shapes"),
    [((6, 5), None), ((None, None), None), ((6, 5), {"image": (2, 6, 5, 3)})],
    ids=["open batch", "open lengths", "pinned"],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_loads_with_optimisations(name, size, shapes, opset):
    network = _network(name, size)
    model = convert(network, opset=opset, shapes=shapes)
    x = random_input((2, 6, 5, 3))
    for optimised in (False, True):
        [output] = run(model, {"image": x}, optimised).values()
        assert relative_error(output, network(x)) <= 1e-5


def _with_axes(model):
    return [node.name for node in resizes(model) if any(a.name == "axes" for a in node.attribute)]


@pytest.mark.parametrize("name", NETWORKS)
def test_axes_only_where_they_do_no_harm(name):
    assert bool(_with_axes(convert(_network(name)))) == (name not in ENCLOSED)
    pinned = convert(_network(name), shapes={"image": (1, 6, 5, 3)})
    assert _with_axes(pinned) == []
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in pinned.graph.initializer}
    for node in resizes(pinned):
        batch, channels, *_ = constants[node.input[3]]
        assert batch == 1 and channels > 0


@pytest.mark.parametrize("opset", [13, 18])
def test_results_of_resizes_are_declared(opset):
    model = convert(_network("between dense layers"), opset=opset)
    [node] = resizes(model)
    declared = {info.name: info for info in model.graph.value_info}
    assert shape_of(declared[node.output[0]]) == (0, 4, 12, 10)  # 0: left open
    assert declared[node.output[0]].type.tensor_type.elem_type == TensorProto.FLOAT
    onnx.checker.check_model(model, full_check=True)
    pinned = convert(_network("between dense layers"), opset=opset, shapes={"image": (2, 6, 5, 3)})
    [declared] = [info for info in pinned.graph.value_info if info.name == resizes(pinned)[0].output[0]]
    assert shape_of(declared) == (2, 4, 12, 10)


def test_resizes_in_a_loop_load_with_optimisations():
    class EachPicture(layers.Layer):
        def call(self, x):
            return tf.map_fn(
                lambda y: tf.compat.v1.image.resize_bilinear(y[None], (9, 9), align_corners=True)[0], x
            )

    image = keras.Input((6, 5, 3), batch_size=2, name="image")
    network = keras.Model(image, EachPicture()(image))
    x = random_input((2, 6, 5, 3))
    model = convert(network)
    for optimised in (False, True):
        [output] = run(model, {"image": x}, optimised).values()
        assert relative_error(output, network(x)) <= 1e-5


RECORD = Provenance("ResizeBilinear", "net/up/ResizeBilinear", True, False, (4, 4))


def _resize_model(name, **attributes):
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], name=name, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 2, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 4, 4))],
        [helper.make_tensor("sizes", TensorProto.INT64, (4,), (1, 1, 4, 4))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_a_resize_that_samples_otherwise_than_its_op_is_refused():
    right = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    attach(_resize_model(marked(RECORD.name, 0), **right), [RECORD])
    for attributes in (
        {**right, "coordinate_transformation_mode": "half_pixel"},
        {**right, "mode": "cubic"},
        {"mode": "linear"},
    ):
        with pytest.raises(UnsupportedError, match="ResizeBilinear") as caught:
            attach(_resize_model(marked(RECORD.name, 0), **attributes), [RECORD])
        assert caught.value.node == RECORD.name


def test_a_resize_of_unknown_origin_is_refused():
    with pytest.raises(UnsupportedError, match="not known to resize"):
        attach(_resize_model("Resize__12", mode="linear"), [RECORD])

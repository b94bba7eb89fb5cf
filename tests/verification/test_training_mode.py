"""BatchNorm in training mode is rejected with that reason, whatever the numbers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from click.testing import CliRunner
from onnx import TensorProto, helper

from rewriter.batch_statistics import find_batch_statistics
from rewriter.cli.main import main
from rewriter.tensorflow.convert import convert
from rewriter.verification import verify
from tests.model.onnx_models import info, make_model, tensor

L = keras.layers


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, name="conv")(L.Resizing(12, 12, name="fit")(image))
    x = L.ReLU()(L.BatchNormalization(name="norm")(x))
    built = keras.Model(image, L.Conv2D(2, 1, name="mask")(L.LayerNormalization()(x)))
    for variable in built.weights:
        variable.assign(np.random.default_rng(4).random(variable.shape) + 0.2)
    return built


def in_training(built: keras.Model) -> Any:
    import tf2onnx

    signature = [tf.TensorSpec((None, 16, 16, 3), tf.float32, name="image")]
    function = tf.function(lambda image: built(image, training=True), input_signature=signature)
    return tf2onnx.convert.from_function(function, input_signature=signature, opset=17)[0]


def test_an_onnx_file_in_training_mode() -> None:
    built = network()
    model = in_training(built)
    assert find_batch_statistics(model) == ["norm_1"]
    report = verify(built, [model])
    assert not report.passed
    assert "statistics of the batch" in report.diagnosis[0].message
    assert report.diagnosis[0].node == "norm_1"
    assert "training=False" in (report.diagnosis[0].remedy or "")


def test_the_export_of_keras_is_rejected_and_its_own_conversion_is_not(tmp_path: Path) -> None:
    built = network()
    built.export(tmp_path / "saved", verbose=False)  # Keras 3.15 exports the training mode here
    report = verify(built, [str(tmp_path / "saved")])
    assert not report.passed and "statistics of the batch" in report.diagnosis[0].message
    # Held against itself every number is equal, and a release must still not depend on the batch.
    same = verify(str(tmp_path / "saved"), [str(tmp_path / "saved")])
    assert all(pair.passed for pair in same.pairs) and not same.passed
    right = convert(built)
    assert find_batch_statistics(right) == []
    assert verify(built, [right]).passed


def test_statically(tmp_path: Path) -> None:
    onnx.save(in_training(network()), tmp_path / "m.onnx")
    result = CliRunner().invoke(main, ["verify", "--level", "static", str(tmp_path / "m.onnx")])
    assert result.exit_code == 1, result.output
    assert "statistics of the batch" in " ".join(result.output.split())


def test_the_operator_itself() -> None:
    constants = [tensor(name, [1.0, 1.0, 1.0]) for name in ("scale", "bias", "mean", "var")]
    inputs = ["x", "scale", "bias", "mean", "var"]
    for training, found in ((0, []), (1, ["norm"])):
        outputs = ["y", "m", "v"] if training else ["y"]
        node = helper.make_node("BatchNormalization", inputs, outputs, name="norm", training_mode=training)
        model = make_model([node], [info("x", [2, 3, 4, 4])], [info("y", [2, 3, 4, 4])], constants, opset=15)
        assert find_batch_statistics(model) == found


@pytest.mark.parametrize("axes", [[1, 2, 3], [2, 3], [3], [-1]])
def test_statistics_of_each_image_are_no_defect(axes: list[int]) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=axes),
        helper.make_node("Sub", ["x", "m"], ["d"]),
        helper.make_node("Mul", ["d", "d"], ["s"]),
        helper.make_node("ReduceMean", ["s"], ["y"], axes=axes),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    model = make_model(nodes, [info("x", [2, 3, 4, 4])], [y], opset=13)
    assert find_batch_statistics(model) == []
    for node in (nodes[0], nodes[3]):
        node.attribute[0].ints[:] = [0, 2, 3]
    assert find_batch_statistics(make_model(nodes, [info("x", [2, 3, 4, 4])], [y], opset=13)) != []

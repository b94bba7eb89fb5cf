"""The program of a real network: no more operators than coremltools' own TensorFlow converter gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from rewriter.coreml.lowering import LoweredModel, lower
from rewriter.coreml.lowering.quiet import quiet_coremltools
from rewriter.coreml.package import count_operators


def tensorflow_program(network: Any, precision: str) -> Any:
    """The same network through coremltools' TensorFlow frontend, with the same ports."""
    import coremltools as ct
    import tensorflow as tf

    shape = (1, *network.inputs[0].shape[1:])
    function = tf.function(
        lambda x: network(x, training=False), input_signature=[tf.TensorSpec(shape, tf.float32, name="x")]
    ).get_concrete_function()
    with quiet_coremltools():
        return ct.convert(
            [function],
            source="tensorflow",
            convert_to="mlprogram",
            inputs=[ct.TensorType(name="x", shape=shape, dtype=np.float32)],
            outputs=[ct.TensorType(dtype=np.float32)],
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32 if precision == "float32" else ct.precision.FLOAT16,
            skip_model_load=True,
        )


def lowered_network(network: Any, precision: str) -> LoweredModel:
    from rewriter.tensorflow.convert import convert

    return lower(convert(network), precision=precision)


@pytest.mark.parametrize("name", list(models.REGISTRY))
def test_no_more_operators_than_the_tensorflow_converter(name: str) -> None:
    pytest.importorskip("tensorflow")
    network = models.build(name)
    for precision in ("float32", "float16"):
        ours = lowered_network(network, precision).operator_counts
        theirs = count_operators(tensorflow_program(network, precision))
        assert sum(ours.values()) <= sum(theirs.values()), (precision, ours, theirs)


@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-4), ("float16", 1e-2)])
def test_the_network_computes_the_same(precision: str, bound: float, run_lowered: Any) -> None:
    pytest.importorskip("tensorflow")
    from rewriter.tensorflow.convert import convert

    network = models.build("deeplabv3plus")
    x = models.sample_input("deeplabv3plus")
    expected = np.asarray(network(x, training=False))
    proto = convert(network)
    (result,) = run_lowered(proto, {proto.graph.input[0].name: x}, precision=precision).values()
    assert np.abs(result - expected).max() <= bound * np.ptp(expected)

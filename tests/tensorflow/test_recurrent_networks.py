"""Recurrent Keras layers come out as ONNX's recurrent operators, with TensorFlow's values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest

from rewriter.tensorflow.convert import convert
from tests.model.onnx_models import run

L = keras.layers
LAYERS: dict[str, tuple[Any, dict[str, int]]] = {
    "lstm": (lambda: L.LSTM(6), {"LSTM": 1}),
    "gru": (lambda: L.GRU(6), {"GRU": 1}),
    "gru, reset before": (lambda: L.GRU(6, reset_after=False, use_bias=False), {"GRU": 1}),
    "gru, both ways": (lambda: L.Bidirectional(L.GRU(6, return_sequences=True)), {"GRU": 2}),
    "rnn": (lambda: L.SimpleRNN(6), {"RNN": 1}),
    "gru with another gate": (lambda: L.GRU(6, recurrent_activation="hard_sigmoid"), {"Loop": 1}),
}


@pytest.mark.parametrize("length", [7, None])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, length: int | None) -> None:
    make, wanted = LAYERS[name]
    keras.utils.set_random_seed(3)
    inputs = keras.Input((length, 5), name="x")
    hidden = make()(inputs)
    if len(hidden.shape) == 3:
        hidden = L.GlobalAveragePooling1D()(hidden)
    network = keras.Model(inputs, L.Dense(4, activation="softmax")(hidden))
    random = np.random.default_rng(3)
    for variable in network.trainable_variables:
        variable.assign(random.standard_normal(variable.shape) * 0.5)
    model = convert(network)
    counts = Counter(node.op_type for node in model.graph.node)
    assert {op: counts[op] for op in ("LSTM", "GRU", "RNN", "Loop") if counts[op]} == wanted
    x = random.standard_normal((3, 7, 5)).astype(np.float32)
    np.testing.assert_allclose(run(model, {"x": x})[0], network(x, training=False), atol=1e-6)

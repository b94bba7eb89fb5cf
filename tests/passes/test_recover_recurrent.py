"""Loops that are a GRU or RNN become one, and loops that are not stay what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import passes
from rewriter.model import Model
from tests.model.onnx_models import run
from tests.passes.independent_checker import check_all
from tests.passes.recurrent_loops import HIDDEN, INPUT, LENGTH, draw, gru_body, loop_model, rnn_body

X = draw(LENGTH, 2, INPUT, seed=9)


def recovered(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    model = Model.from_proto(proto)
    result = passes.run(model, ["recover-recurrent"])
    check_all(result.changes)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    again = Model.from_proto(written)
    assert passes.run(again, ["recover-recurrent"]).changes == ()
    return written, [node.op_type for node in written.graph.node]


@pytest.mark.parametrize("start", [None, draw(2, HIDDEN, seed=4)], ids=["from zeros", "from a state"])
@pytest.mark.parametrize(
    ("body", "operator"),
    [
        (gru_body(), "GRU"),
        (gru_body(reset_after=False), "GRU"),
        (gru_body(activation="Relu"), "GRU"),
        (rnn_body(), "RNN"),
    ],
    ids=["reset after", "reset before", "relu", "simple"],
)
def test_cells(body: Any, operator: str, start: np.ndarray | None) -> None:
    proto = loop_model(*body, start=start)
    written, operators = recovered(proto)
    assert operator in operators and "Loop" not in operators
    for a, b in zip(run(proto, {"x": X}), run(written, {"x": X}), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def _with(name: str, node: onnx.NodeProto) -> Any:
    """The GRU's body with the node that makes a tensor replaced."""
    nodes, constants = gru_body()
    nodes = [node if each.output[0] == name else each for each in nodes]
    return nodes, constants


def _n(op: str, inputs: list[str], output: str) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output])


NOT_CELLS = {
    "one and a half": lambda: loop_model(gru_body()[0], {**gru_body()[1], "one": np.float32(1.5)}),
    "gates swapped": lambda: loop_model(*_with("kept", _n("Mul", ["r", "h"], "kept"))),
    "tanh as a gate": lambda: loop_model(*_with("z", _n("Tanh", ["az"], "z"))),
    "reads the input": lambda: loop_model(*_with("kept", _n("Mul", ["z", "xn"], "kept"))),
    "candidate squared": lambda: loop_model(*_with("new", _n("Mul", ["candidate", "candidate"], "new"))),
    "state twice": lambda: loop_model(*_with("an", _n("Add", ["rh", "h"], "an"))),
    "another function": lambda: loop_model(*gru_body(activation="Erf")),
    "stops early": lambda: loop_model(*gru_body(), trips=LENGTH - 1),
    "starts late": lambda: loop_model(*gru_body(), first=1, trips=LENGTH),
    "every second": lambda: loop_model(*gru_body(), step=2),
    "collects a gate": lambda: loop_model(*gru_body(), collected="z"),
    "length not known": lambda: loop_model(*gru_body(), length="T"),
}


@pytest.mark.parametrize("case", NOT_CELLS)
def test_what_is_no_cell_stays_a_loop(case: str) -> None:
    proto = NOT_CELLS[case]()
    onnx.checker.check_model(proto, full_check=True)
    model = Model.from_proto(proto)
    assert passes.run(model, ["recover-recurrent"]).changes == ()
    assert model.to_bytes() == proto.SerializeToString()

"""Loops as tf2onnx writes Keras' GRU and SimpleRNN, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LENGTH, INPUT, HIDDEN = 7, 5, 6
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def draw(*shape: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.6).astype(np.float32)


def gru_body(
    reset_after: bool = True, activation: str = "Tanh"
) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Nodes from x_k and h to h_next, and their constants."""
    constants = {
        "W": draw(INPUT, 3 * HIDDEN, seed=1),
        "R": draw(HIDDEN, 3 * HIDDEN, seed=2),
        "b": draw(2, 3 * HIDDEN, seed=3),
        "one": np.float32(1),
    }
    n = helper.make_node
    nodes = [
        n("Split", ["b"], ["b0", "b1"], axis=0, num_outputs=2),
        n("Squeeze", ["b0", "axis_0"], ["b_x"]),
        n("Squeeze", ["b1", "axis_0"], ["b_h"]),
        n("MatMul", ["x_k", "W"], ["xw"]),
        n("Add", ["xw", "b_x"], ["xb"]),
        n("Split", ["xb"], ["xz", "xr", "xn"], axis=-1, num_outputs=3),
    ]
    if reset_after:
        nodes += [
            n("MatMul", ["h", "R"], ["hr_"]),
            n("Add", ["b_h", "hr_"], ["hb"]),
            n("Split", ["hb"], ["hz", "hr", "hn"], axis=1, num_outputs=3),
        ]
    else:
        nodes += [
            n("Slice", ["R", "zero_1", "two_h", "axis_1"], ["R_zr"]),
            n("Slice", ["R", "two_h", "far", "axis_1"], ["R_n"]),
            n("MatMul", ["h", "R_zr"], ["hzr"]),
            n("Split", ["hzr"], ["hz", "hr"], axis=1, num_outputs=2),
        ]
    nodes += [
        n("Add", ["xz", "hz"], ["az"]),
        n("Sigmoid", ["az"], ["z"]),
        n("Add", ["hr", "xr"], ["ar"]),
        n("Sigmoid", ["ar"], ["r"]),
    ]
    if reset_after:
        nodes += [n("Mul", ["r", "hn"], ["rh"]), n("Add", ["xn", "rh"], ["an"])]
    else:
        nodes += [
            n("Mul", ["r", "h"], ["rh_"]),
            n("MatMul", ["rh_", "R_n"], ["rh"]),
            n("Add", ["xn", "rh"], ["an"]),
        ]
    nodes += [
        n(activation, ["an"], ["candidate"]),
        n("Sub", ["one", "z"], ["rest"]),
        n("Mul", ["rest", "candidate"], ["new"]),
        n("Mul", ["z", "h"], ["kept"]),
        n("Add", ["kept", "new"], ["h_next"]),
    ]
    return nodes, constants


def rnn_body() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    n = helper.make_node
    constants = {
        "W": draw(INPUT, HIDDEN, seed=1),
        "R": draw(HIDDEN, HIDDEN, seed=2),
        "b": draw(HIDDEN, seed=3),
    }
    return [
        n("MatMul", ["x_k", "W"], ["xw"]),
        n("Add", ["xw", "b"], ["xb"]),
        n("MatMul", ["h", "R"], ["hr"]),
        n("Add", ["xb", "hr"], ["a"]),
        n("Tanh", ["a"], ["h_next"]),
    ], constants


def loop_model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    *,
    trips: int = LENGTH,
    first: int = 0,
    step: int = 1,
    start: np.ndarray | None = None,
    collected: str = "h_next",
    length: Any = LENGTH,
) -> onnx.ModelProto:
    """x [length, batch, input] → every state [length, batch, hidden] and the last one [batch, hidden]."""
    n = helper.make_node
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            n("Gather", ["x", "count"], ["x_k"], axis=0, name="read"),
            *nodes,
            n("Add", ["count", "step"], ["count_next"]),
            n("Less", ["count_next", "trips"], ["go_on"]),
            n("Identity", ["h_next"], ["state"]),
            n("Identity", [collected], ["scan"]),
        ],
        "body",
        [
            info("k", INT, []),
            info("c", TensorProto.BOOL, []),
            info("count", INT, []),
            info("h", FLOAT, [None, HIDDEN]),
        ],
        [
            info("go_on", TensorProto.BOOL, []),
            info("count_next", INT, []),
            info("state", FLOAT, [None, HIDDEN]),
            info("scan", FLOAT, [None, HIDDEN]),
        ],
    )
    numbers = {
        "axis_0": [0], "axis_1": [1], "zero_1": [0], "two_h": [2 * HIDDEN], "far": [2**31 - 1], "trips": trips,
        "first": first, "step": step,
    }  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(value, np.int64), name) for name, value in numbers.items()]
    tensors += [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    tensors.append(numpy_helper.from_array(np.array(True), "yes"))
    begin = np.zeros((2, HIDDEN), np.float32) if start is None else start
    tensors.append(numpy_helper.from_array(begin, "h_0"))
    graph = helper.make_graph(
        [n("Loop", ["trips", "yes", "first", "h_0"], ["_count", "last", "every"], name="walk", body=body)],
        "main",
        [info("x", FLOAT, [length, 2, INPUT])],
        [info("last", FLOAT, [2, HIDDEN]), info("every", FLOAT, [None, 2, HIDDEN])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

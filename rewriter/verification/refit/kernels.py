"""Matrices as an engine computes them, where that differs from the exact ones.

onnxruntime takes nearest pixels at float32 coordinates, which misses the exact pixel at some sizes (asymmetric with
floor: 80 of 66,481 pixels). A network is compared with what it was run on, so its own kernel is asked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from rewriter.resampling import AxisResize
from rewriter.verification.refit.suspects import axis_matrix
from rewriter.verification.runners.onnx import session

__all__ = ["onnxruntime_matrix"]

_OPSET = 19
_IR_VERSION = 10
_FORMULAS = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
)
_ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


@lru_cache(maxsize=4096)
def onnxruntime_matrix(axis: AxisResize) -> np.ndarray:
    """The matrix of one axis as onnxruntime computes it, float32 [n_out, n_in]; callers must not write into it."""
    if axis.kernel != "nearest" or axis.coordinates not in _FORMULAS or axis.rounding not in _ROUNDINGS:
        return axis_matrix(axis)
    # A length that the axis keeps is resized beside one that changes: onnxruntime copies where none changes.
    picked = _picked(axis)
    if picked.size != axis.n_out:  # float32 product of length and scale: another length than was declared
        return axis_matrix(axis)
    matrix = np.zeros((axis.n_out, axis.n_in), np.float32)
    matrix[np.arange(axis.n_out), picked] = 1
    return matrix


def _picked(axis: AxisResize) -> np.ndarray:
    """The input index of each output pixel."""
    resize = session(_resize(axis))
    feed = np.tile(np.arange(axis.n_in, dtype=np.float32), (1, 1))
    return np.asarray(resize.run(None, {"x": feed})[0]).astype(np.int64)[0]


def _resize(axis: AxisResize) -> bytes:
    values: list[Any] = [1, axis.n_out] if axis.scale is None else [1.0, float(axis.scale)]
    by_size = axis.scale is None
    kind = TensorProto.INT64 if by_size else TensorProto.FLOAT
    lengths = helper.make_tensor("lengths", kind, [2], values)
    node = helper.make_node(
        "Resize",
        ["x", "", "", "lengths"] if by_size else ["x", "", "lengths"],
        ["y"],
        mode="nearest",
        coordinate_transformation_mode=axis.coordinates,
        nearest_mode=axis.rounding,
    )
    graph = helper.make_graph(
        [node],
        "axis",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, axis.n_in])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [lengths],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    return model.SerializeToString()

"""Softmax and its relatives. Before opset 13 they see the tensor as a matrix, split at the axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import reshape
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("Softmax")
def softmax(node: Node) -> Var:
    return _along_axis(node, lambda x, axis: mb.softmax(x=x, axis=axis))


@lowering("LogSoftmax")
def log_softmax(node: Node) -> Var:
    return _along_axis(node, _log_softmax)


@lowering("Hardmax")
def hardmax(node: Node) -> Var:
    return _along_axis(node, _hardmax)


def _along_axis(node: Node, function: Callable[[Var, int], Var]) -> Var:
    x = node.var()
    if node.opset >= 13:
        return function(x, node.axis(-1))
    axis, shape = node.axis(1), node.shape()
    if math.prod(shape[axis + 1 :]) == 1:
        return function(x, axis)
    matrix = reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))
    return reshape(function(matrix, 1), shape)


def _log_softmax(x: Var, axis: int) -> Var:
    # Shifted by the maximum, so that nothing overflows; the logarithm's argument is at least 1.
    shifted = mb.sub(x=x, y=mb.reduce_max(x=x, axes=[axis], keep_dims=True))
    total = mb.reduce_sum(x=mb.exp(x=shifted), axes=[axis], keep_dims=True)
    return mb.sub(x=shifted, y=mb.log(x=total, epsilon=np.float32(0)))


def _hardmax(x: Var, axis: int) -> Var:
    # One where the index is that of the first maximum.
    first = mb.reduce_argmax(x=x, axis=axis, keep_dims=True)
    shape = [1] * x.rank
    shape[axis] = int(x.shape[axis])
    indices = np.arange(shape[axis], dtype=np.int32).reshape(shape)
    return mb.cast(x=mb.equal(x=indices, y=first), dtype="fp32")

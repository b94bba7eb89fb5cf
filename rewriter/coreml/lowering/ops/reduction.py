"""Reductions; the axes are an attribute in older opsets and an input in newer ones."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import as_float, cast, scalar
from rewriter.coreml.lowering.node import Node, is_float
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []

_DIRECT = {
    "ReduceL1": "reduce_l1_norm",
    "ReduceMax": "reduce_max",
    "ReduceMean": "reduce_mean",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "ReduceSum": "reduce_sum",
    "ReduceSumSquare": "reduce_sum_square",
}
_COMPOSED = ("ReduceL2", "ReduceLogSum", "ReduceLogSumExp")


@lowering(*_DIRECT, *_COMPOSED)
def reduce(node: Node) -> Var:
    x = node.var()
    axes = node.integers(1, "axes")
    if not axes and node.attr("noop_with_empty_axes", 0):
        return _without_axes(node, x)
    rank = node.rank()
    axes = sorted({axis % rank for axis in axes}) if axes and rank else list(range(rank))
    if not axes:
        return _without_axes(node, x)
    keep = bool(node.attr("keepdims", 1))
    if node.is_bool():  # opset 20: ReduceMax and ReduceMin of truth values
        return cast(_reduce(node, cast(x, "int32"), axes, keep), "bool")
    return _reduce(node, x, axes, keep)


def _without_axes(node: Node, x: Var) -> Var:
    """No axis is reduced: what is done to the single elements remains."""
    if node.op in ("ReduceL1", "ReduceL2"):
        return mb.abs(x=x)
    if node.op == "ReduceSumSquare":
        return mb.mul(x=x, y=x)
    if node.op == "ReduceLogSum":
        return _log(x)
    return x


def _reduce(node: Node, x: Var, axes: list[int], keep: bool) -> Var:
    if node.op == "ReduceMean" and not is_float(x):
        raise node.refuse("the mean of integers is rounded differently by different runtimes")
    if node.op in _DIRECT:
        return getattr(mb, _DIRECT[node.op])(x=x, axes=axes, keep_dims=keep)
    if node.op == "ReduceL2":
        # Not MIL's own norm: its epsilon is not documented.
        root = mb.sqrt(x=as_float(mb.reduce_sum_square(x=x, axes=axes, keep_dims=keep)))
        return root if is_float(x) else cast(root, "int32")
    if not is_float(x):
        raise node.refuse("logarithms of integers")
    if node.op == "ReduceLogSum":
        return _log(mb.reduce_sum(x=x, axes=axes, keep_dims=keep))
    return _log_sum_exp(x, axes, keep)


def _log_sum_exp(x: Var, axes: list[int], keep: bool) -> Var:
    """Shifted by the maximum, so that nothing overflows; an infinite maximum shifts nothing."""
    top = mb.reduce_max(x=x, axes=axes, keep_dims=True)
    finite = mb.less(x=mb.abs(x=top), y=scalar(np.inf, x))
    shift = mb.select(cond=finite, a=top, b=mb.mul(x=mb.cast(x=finite, dtype="fp32"), y=scalar(0, x)))
    total = mb.reduce_sum(x=mb.exp(x=mb.sub(x=x, y=shift)), axes=axes, keep_dims=True)
    result = mb.add(x=_log(total), y=shift)
    return result if keep else mb.squeeze(x=result, axes=axes)


def _log(x: Var) -> Var:
    return mb.log(x=x, epsilon=np.float32(0))


@lowering("ArgMax", "ArgMin")
def index_of_extreme(node: Node) -> Var:
    axis, keep = node.axis(0), bool(node.attr("keepdims", 1))
    operator = mb.reduce_argmax if node.op == "ArgMax" else mb.reduce_argmin
    x = node.var()
    if not node.attr("select_last_index", 0):
        return operator(x=x, axis=axis, keep_dims=keep)
    # MIL gives the first extreme; the last one is the first from the other end.
    from_the_end = operator(x=mb.reverse(x=x, axes=[axis]), axis=axis, keep_dims=keep)
    return mb.sub(x=np.int32(node.shape()[axis] - 1), y=from_the_end)

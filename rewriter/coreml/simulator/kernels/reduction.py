"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


def _log_sum_exp(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    largest = x.max(axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
    result = np.log(np.exp(x - largest).sum(axis=axis, keepdims=True)) + largest
    return result if keepdims else np.squeeze(result, axis=axis)


_FUNCTIONS: dict[str, Callable[[Array, tuple[int, ...] | None, bool], Array]] = {
    "reduce_l1_norm": lambda x, axis, keepdims: np.abs(x).sum(axis=axis, keepdims=keepdims),
    "reduce_l2_norm": lambda x, axis, keepdims: np.sqrt(np.square(x).sum(axis=axis, keepdims=keepdims)),
    "reduce_log_sum": lambda x, axis, keepdims: np.log(x.sum(axis=axis, keepdims=keepdims)),
    "reduce_log_sum_exp": _log_sum_exp,
    "reduce_max": lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    "reduce_mean": lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    "reduce_min": lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    "reduce_prod": lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims),
    "reduce_sum": lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    "reduce_sum_square": lambda x, axis, keepdims: np.square(x).sum(axis=axis, keepdims=keepdims),
}


@kernel(*_FUNCTIONS)
def reduce(call: Call) -> Array:
    """Over `axes`, or all of them where none are given."""
    axes = call.integers("axes") if call.has("axes") else None
    return _FUNCTIONS[call.operation.op_type](call.tensor("x"), axes, call.flag("keep_dims"))


@kernel("reduce_argmax", "reduce_argmin")
def reduce_arg(call: Call) -> Array:
    """Index of the first largest or smallest element."""
    function = np.argmax if call.operation.op_type == "reduce_argmax" else np.argmin
    return function(call.tensor("x"), axis=call.integer("axis"), keepdims=call.flag("keep_dims"))

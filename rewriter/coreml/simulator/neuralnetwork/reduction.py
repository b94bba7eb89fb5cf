"""Reductions over axes, and the position of the largest element."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, layer

__all__: list[str] = []

Axes = tuple[int, ...]


def _log_sum_exp(x: Array, axes: Axes) -> Array:
    largest = x.max(axis=axes, keepdims=True)
    return np.log(np.exp(x - largest).sum(axis=axes, keepdims=True)) + largest


_FUNCTIONS: dict[str, Callable[[Array, Axes], Array]] = {
    "reduceMax": lambda x, axes: x.max(axis=axes, keepdims=True),
    "reduceMin": lambda x, axes: x.min(axis=axes, keepdims=True),
    "reduceSum": lambda x, axes: x.sum(axis=axes, keepdims=True),
    "reduceProd": lambda x, axes: x.prod(axis=axes, keepdims=True),
    "reduceMean": lambda x, axes: x.mean(axis=axes, keepdims=True),
    "reduceL1": lambda x, axes: np.abs(x).sum(axis=axes, keepdims=True),
    "reduceL2": lambda x, axes: np.sqrt(np.square(x).sum(axis=axes, keepdims=True)),
    "reduceLogSum": lambda x, axes: np.log(x.sum(axis=axes, keepdims=True)),
    "reduceSumSquare": lambda x, axes: np.square(x).sum(axis=axes, keepdims=True),
    "reduceLogSumExp": _log_sum_exp,
}


@layer(*_FUNCTIONS)
def reduce(layer: Layer) -> Array:
    """Over `axes`, or all of them; a result without axes has rank 1."""
    p, x = layer.parameters, layer.x
    axes = tuple(range(x.ndim)) if p.reduceAll else tuple(axis % x.ndim for axis in p.axes)
    kept = _FUNCTIONS[layer.kind](x, axes)
    if p.keepDims:
        return kept
    result = np.squeeze(kept, axis=axes)
    return result if result.ndim else result.reshape(1)


@layer("argMax", "argMin")
def arg_max(layer: Layer) -> Array:
    """Position of the first largest or smallest element."""
    function = np.argmax if layer.kind == "argMax" else np.argmin
    found = function(layer.x, axis=layer.parameters.axis, keepdims=not layer.parameters.removeDim)
    return np.atleast_1d(found).astype(np.float32)

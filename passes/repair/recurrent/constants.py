"""Constants of a loop's body: initializers, what is sliced out of them, and states that never change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.resize.recover.weights import read_weights
from rewriter.model import constant_value, in_default_domain

__all__ = ["Constants"]

_LARGEST = 1 << 24
"""Entries of the largest matrix that is read: 4,096 × 4,096."""
_DEPTH = 16


class Constants:
    """Values of tensors, read once.

    Args:
        invariant: by the name of a body's input, the tensor outside that it always is.
    """

    def __init__(self, invariant: Mapping[str, Tensor]) -> None:
        self._invariant = invariant
        self._known: dict[str, np.ndarray | None] = {}

    def value(self, tensor: Tensor, depth: int = 0) -> np.ndarray | None:
        """The float32 value of a tensor; None where it is not constant."""
        if tensor.name not in self._known:
            self._known[tensor.name] = self._compute(tensor, depth)
        return self._known[tensor.name]

    def _compute(self, tensor: Tensor, depth: int) -> np.ndarray | None:
        if tensor.name in self._invariant:
            return self.value(self._invariant[tensor.name], depth + 1) if depth < _DEPTH else None
        value = read_weights(tensor, largest=_LARGEST)
        if value is not None:
            return value if np.isfinite(value).all() else None
        if len(tensor.inputs) != 1 or depth > _DEPTH or not in_default_domain(tensor.inputs[0]):
            return None
        node = tensor.inputs[0]
        if node.op not in ("Identity", "Squeeze", "Slice", "Split") or not node.inputs:
            return None
        data = self.value(node.inputs[0], depth + 1)
        return None if data is None else _part(node, tensor, data)


def _part(node: Node, tensor: Tensor, data: np.ndarray) -> np.ndarray | None:
    if node.op == "Identity":
        return data
    lists = [constant_value(each) if each.name else None for each in node.inputs[1:]]
    if any(value is None for value, each in zip(lists, node.inputs[1:], strict=True) if each.name):
        return None
    numbers = [None if value is None else [int(entry) for entry in value.ravel()] for value in lists]
    if node.op == "Squeeze":
        axes = numbers[0] if numbers else node.attrs.get("axes")
        return np.squeeze(data, None if axes is None else tuple(axes))
    if node.op == "Slice":
        return _sliced(data, numbers)
    axis = int(node.attrs.get("axis", 0))
    sizes = numbers[0] if numbers else node.attrs.get("split")
    if sizes is None:
        if data.shape[axis] % len(node.outputs):
            return None
        sizes = [data.shape[axis] // len(node.outputs)] * len(node.outputs)
    place = next(index for index, output in enumerate(node.outputs) if output is tensor)
    return np.split(data, np.cumsum(sizes)[:-1], axis)[place]


def _sliced(data: np.ndarray, numbers: list[list[int] | None]) -> np.ndarray | None:
    if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
        return None
    starts, ends = numbers[0], numbers[1]
    axes = numbers[2] if len(numbers) > 2 and numbers[2] is not None else list(range(len(starts)))
    steps = numbers[3] if len(numbers) > 3 and numbers[3] is not None else [1] * len(starts)
    if any(step < 1 for step in steps):
        return None
    window = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        window[axis] = slice(start, end, step)
    return data[tuple(window)]

"""Ranks, lengths of axes and shape computations, read off the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.resize.recover.length import Length
from passes.resize.recover.propagation import SAME_SHAPE, is_parametric, length_behind
from rewriter.model.constants import constant_value
from rewriter.model.scopes import in_default_domain

if TYPE_CHECKING:
    from rewriter.model import Model
    from rewriter.model.scopes import Scope

__all__ = ["LengthReader"]

_DEPTH = 24
_INTEGERS = (6, 7)
"""TensorProto.INT32 and INT64."""


class LengthReader:
    """Reads shape computations of one scope.

    `known` may be given the lengths of tensors that the caller follows itself, by identity.
    """

    def __init__(self, model: Model, scope: Scope) -> None:
        self._model, self._scope = model, scope
        self.known: dict[int, list[Length]] = {}
        # Joins read two inputs each: without memory, deep residual networks would take exponential time. The tensor
        # is held so that its identity stays its own.
        self._read: dict[tuple[int, int], tuple[Tensor, Length]] = {}

    def rank(self, tensor: Tensor, depth: int = 0) -> int | None:
        """Number of axes, None where not known."""
        if id(tensor) in self.known:
            return len(self.known[id(tensor)])
        shape = self._model.shape(tensor, self._scope)
        if shape is not None:
            return len(shape)
        node = _producer(tensor)
        if node is None or depth > _DEPTH:
            return None
        if node.op == "Transpose" and isinstance(node.attrs.get("perm"), list):
            return len(node.attrs["perm"])
        if node.op == "Conv" and len(node.inputs) > 1:
            weights = self._model.shape(node.inputs[1], self._scope)
            return None if weights is None else len(weights)
        follows = (*SAME_SHAPE, "Resize", "Upsample", "MaxPool", "AveragePool", "Concat")
        return self.rank(node.inputs[0], depth + 1) if node.op in follows and node.inputs else None

    def length(self, tensor: Tensor, axis: int, depth: int = 0) -> Length:
        """The length of a non-negative axis."""
        if id(tensor) in self.known:
            return self.known[id(tensor)][axis]
        if (id(tensor), axis) not in self._read:
            self._read[id(tensor), axis] = (tensor, self._length(tensor, axis, depth))
        return self._read[id(tensor), axis][1]

    def _length(self, tensor: Tensor, axis: int, depth: int) -> Length:
        shape = self._model.shape(tensor, self._scope)
        if shape is not None and axis < len(shape) and isinstance(shape[axis], int):
            return Length(int(shape[axis]))  # type: ignore[arg-type]
        node = _producer(tensor)
        if node is not None and depth < _DEPTH and tensor is node.outputs[0]:
            found = length_behind(node, axis, lambda t, a: self.length(t, a, depth + 1), self.rank)
            if found is not None:
                return found
        return Length(1, ((id(tensor), axis),))

    def entries(self, tensor: Tensor, depth: int = 0) -> list[Length | None] | None:
        """The entries of a shape tensor (a scalar counts as one entry); None where not even their number is known."""
        value = constant_value(tensor)
        if value is not None:
            return [Length(int(entry)) for entry in value.ravel()] if value.dtype.kind in "iub" else None
        node = _producer(tensor)
        read = None if node is None else _READERS.get(node.op)
        return None if node is None or read is None or depth > _DEPTH else read(self, node, depth + 1)

    def _shape(self, node: Node, depth: int) -> list[Length | None] | None:
        tensor = node.inputs[0]
        rank = self.rank(tensor)
        if rank is None:
            return None
        lengths = [self.length(tensor, axis) for axis in range(rank)]
        return list(lengths[slice(node.attrs.get("start", 0), node.attrs.get("end"))])

    def _same(self, node: Node, depth: int) -> list[Length | None] | None:
        if node.op == "Cast" and node.attrs.get("to") not in _INTEGERS:
            return None
        return self.entries(node.inputs[0], depth)

    def _gather(self, node: Node, depth: int) -> list[Length | None] | None:
        indices = constant_value(node.inputs[1])
        entries = self._of_shape_even_unranked(node.inputs[0], indices, depth)
        if indices is None or entries is None or node.attrs.get("axis", 0) != 0:
            return None
        chosen = [int(index) for index in indices.ravel()]
        valid = all(-len(entries) <= index < len(entries) for index in chosen)
        return [entries[index] for index in chosen] if valid else None

    def _of_shape_even_unranked(
        self, tensor: Tensor, indices: np.ndarray | None, depth: int
    ) -> list[Length | None] | None:
        """Entries of a shape of which only non-negative places are asked for: its rank need not be known."""
        entries = self.entries(tensor, depth)
        node = _producer(tensor)
        if entries is not None or node is None or node.op != "Shape" or indices is None or node.attrs:
            return entries
        if indices.size == 0 or indices.min() < 0:
            return None
        return [self.length(node.inputs[0], axis) for axis in range(int(indices.max()) + 1)]

    def _slice(self, node: Node, depth: int) -> list[Length | None] | None:
        entries = self.entries(node.inputs[0], depth)
        bounds: list[Any] = [
            node.attrs.get("starts"),
            node.attrs.get("ends"),
            node.attrs.get("axes", [0]),
            [1],
        ]
        for index, tensor in enumerate(node.inputs[1:5]):
            if tensor.name:
                value = constant_value(tensor)
                bounds[index] = None if value is None else value.ravel().tolist()
        if entries is None or any(not isinstance(b, list) or len(b) != 1 for b in bounds):
            return None
        (start,), (stop,), (axis,), (step,) = bounds
        return entries[start:stop:step] if axis in (0, -1) and step > 0 else None

    def _concat(self, node: Node, depth: int) -> list[Length | None] | None:
        parts = [self.entries(part, depth) for part in node.inputs]
        known = [part for part in parts if part is not None]
        return [entry for part in known for entry in part] if len(known) == len(parts) else None

    def _mul(self, node: Node, depth: int) -> list[Length | None] | None:
        first, second = (self.entries(part, depth) for part in node.inputs)
        if not first or not second:
            return None
        size = max(len(first), len(second))
        if any(len(part) not in (1, size) for part in (first, second)):
            return None
        pairs = zip(first * (size // len(first)), second * (size // len(second)), strict=True)
        return [None if a is None or b is None else a.times(b) for a, b in pairs]

    def _filled(self, node: Node, depth: int) -> list[Length | None] | None:
        size = self.entries(node.inputs[0], depth)
        value = node.attrs.get("value")
        fill = None if value is None else constant_value(value)
        if size is None or len(size) != 1 or size[0] is None or not size[0].is_known or fill is None:
            return None
        return [Length(int(fill.ravel()[0]))] * size[0].factor if size[0].factor <= 16 else None

    def _equal(self, node: Node, depth: int) -> list[Length | None] | None:
        first, second = (self.entries(part, depth) for part in node.inputs)
        if first is None or second is None or len(first) != len(second):
            return None
        return [
            Length(int(a.factor == b.factor)) if a and b and a.is_known and b.is_known else None
            for a, b in zip(first, second, strict=True)
        ]

    def _where(self, node: Node, depth: int) -> list[Length | None] | None:
        choice, yes, no = (self.entries(part, depth) for part in node.inputs)
        if choice is None or yes is None or no is None or not len(choice) == len(yes) == len(no):
            return None
        return [
            None if c is None else (a if c.factor else b) for c, a, b in zip(choice, yes, no, strict=True)
        ]


_Reader = Callable[[LengthReader, Node, int], "list[Length | None] | None"]
_READERS: dict[str, _Reader] = {
    "Shape": LengthReader._shape,
    "Cast": LengthReader._same,
    "Identity": LengthReader._same,
    "Squeeze": LengthReader._same,
    "Unsqueeze": LengthReader._same,
    "Gather": LengthReader._gather,
    "Slice": LengthReader._slice,
    "Concat": LengthReader._concat,
    "Mul": LengthReader._mul,
    "ConstantOfShape": LengthReader._filled,
    "Equal": LengthReader._equal,
    "Where": LengthReader._where,
}


def _producer(tensor: Tensor) -> Node | None:
    node = tensor.inputs[0] if len(tensor.inputs) == 1 else None
    return None if node is None or not in_default_domain(node) or is_parametric(node) else node

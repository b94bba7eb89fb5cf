"""Output lengths that depend on the input's, computed in the graph: the nodes between an image and `sizes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from onnx import TensorProto
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.editing import Names
from passes.insertions import NodeEdits
from rewriter.model import entries, in_default_domain

if TYPE_CHECKING:
    from rewriter.model import ResizeNode

__all__ = ["Length", "SizeGraphs", "Times", "is_whole"]

_PARTIAL_SHAPES_SINCE = 15


@dataclass(frozen=True)
class Times:
    """The length of the input's axis times `scale`, as onnxruntime takes it: the float32 product, cut off."""

    scale: float

    def of(self, length: int) -> int:
        """The output length for an input length."""
        return int(np.float32(length) * np.float32(self.scale))

    def __str__(self) -> str:
        if self.scale == 1:
            return "length"
        return f"{self.scale:g} × length" if is_whole(self.scale) else f"floor({self.scale:g} × length)"


Length: TypeAlias = "int | Times"


def is_whole(scale: float) -> bool:
    """Whether the scale (as float32) is a whole number: its products with lengths are, and are exact."""
    return scale >= 1 and float(np.float32(scale)).is_integer()


class SizeGraphs:
    """Makes `sizes` tensors, with as few nodes as possible and one Shape per tensor.

    Args:
        names: for what is new.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.edits = NodeEdits()
        self._shapes: dict[tuple[int, int, int, int], Tensor] = {}
        self._positions: dict[int, dict[int, int]] = {}

    def sizes(self, resize: ResizeNode, lengths: dict[int, Length], before: Sequence[int | None]) -> Tensor:
        """A tensor that holds `lengths`; the nodes that compute it stand before the resize after `edits.apply`.

        Args:
            resize: the node.
            lengths: by axis; negative axes only where the rank is not known.
            before: the input's length on these axes, None where not known.
        """
        base = resize.node.outputs[0].name
        fixed = [length for length in lengths.values() if isinstance(length, int)]
        if len(fixed) == len(lengths):
            return self.names.constant(f"{base}_sizes", fixed, np.int64)
        scales = _common_product(list(lengths.values()), before)
        if scales is not None:
            return self._product(resize, list(lengths), scales, f"{base}_sizes")
        parts: list[Tensor] = []
        for axes in _runs(lengths):
            run = [lengths[axis] for axis in axes]
            known = [length for length in run if isinstance(length, int)]
            if known:
                parts.append(self.names.constant(f"{base}_lengths", known, np.int64))
            else:
                factors = [length.scale for length in run if isinstance(length, Times)]
                parts.append(self._product(resize, axes, factors, f"{base}_computed_lengths"))
        return self._node(resize, "Concat", parts, f"{base}_sizes", np.int64, axis=0)

    def _product(self, resize: ResizeNode, axes: list[int], scales: list[float], name: str) -> Tensor:
        """The input's lengths on `axes`, each times its scale."""
        if all(scale == 1 for scale in scales):
            return self._lengths(resize, axes, whole=True)
        lengths = self._lengths(resize, axes)
        base = resize.node.outputs[0].name
        if all(is_whole(scale) for scale in scales):
            factors = self.names.constant(f"{base}_factors", scales, np.int64)
            return self._node(resize, "Mul", [lengths, factors], name, np.int64)
        # Casting to integers cuts off, which for positive numbers is Floor.
        factors = self.names.constant(f"{base}_factors", scales, np.float32)
        floats = self._node(
            resize, "Cast", [lengths], f"{base}_input_lengths", np.float32, to=TensorProto.FLOAT
        )
        product = self._node(resize, "Mul", [floats, factors], f"{base}_exact_sizes", np.float32)
        return self._node(resize, "Cast", [product], name, np.int64, to=TensorProto.INT64)

    def _lengths(self, resize: ResizeNode, axes: list[int], *, whole: bool = False) -> Tensor:
        """The input's lengths on some axes; `whole`: from the whole shape, as exporters copy a batch axis."""
        rank = None if resize.input_shape is None else len(resize.input_shape)
        if axes == list(range(rank if rank is not None else len(axes))) and axes[0] == 0:
            return self._shape(resize, 0, 0)
        neighbours = all(b == a + 1 for a, b in pairwise(axes)) and axes[0] >= 0
        if neighbours and not whole and resize.opset >= _PARTIAL_SHAPES_SINCE:
            return self._shape(resize, axes[0], axes[-1] + 1)
        shape = self._shape(resize, 0, 0)
        base = resize.node.outputs[0].name
        if neighbours:
            ends = [
                self.names.constant(f"{base}_{what}", [at], np.int64)
                for what, at in (("start", axes[0]), ("stop", axes[-1] + 1))
            ]
            return self._node(resize, "Slice", [shape, *ends], f"{base}_own_lengths", np.int64)
        indices = self.names.constant(f"{base}_axes", axes, np.int64)
        return self._node(resize, "Gather", [shape, indices], f"{base}_own_lengths", np.int64, axis=0)

    def _shape(self, resize: ResizeNode, start: int, stop: int) -> Tensor:
        """The shape of the input, from `start` to `stop` (0: to the end); made once, or found in the graph."""
        data = resize.node.inputs[0]
        key = (id(resize.scope.graph), id(data), start, stop)
        if key not in self._shapes:
            words = {name: value for name, value in (("start", start), ("end", stop)) if value}
            self._shapes[key] = self._existing_shape(resize, words) or self._node(
                resize, "Shape", [data], f"{data.name}_shape", np.int64, **words
            )
        return self._shapes[key]

    def _existing_shape(self, resize: ResizeNode, words: dict[str, int]) -> Tensor | None:
        """What a Shape node before the resize gives already."""
        for reader in resize.node.inputs[0].outputs:
            is_same = reader.op == "Shape" and in_default_domain(reader) and dict(reader.attrs) == words
            if is_same and self._is_before(reader, resize):
                found: Tensor = reader.outputs[0]
                return found
        return None

    def _is_before(self, node: Node, resize: ResizeNode) -> bool:
        graph = resize.scope.graph
        places = self._positions.get(id(graph), {})
        if id(node) not in places or id(resize.node) not in places:
            places = {
                id(entry): place for place, entry in enumerate(entries(graph)) if not isinstance(entry, int)
            }
            self._positions[id(graph)] = places
        # A node of a subgraph has no place here.
        return id(node) in places and places[id(node)] < places[id(resize.node)]

    def _node(
        self, resize: ResizeNode, op: str, inputs: list[Tensor], result: str, dtype: type, **words: int
    ) -> Tensor:
        output = Variable(self.names.fresh(result), dtype=dtype)
        node = Node(op, self.names.fresh(f"{resize.name}_{op}"), dict(words), inputs, [output])
        self.edits.before(resize.scope.graph, resize.node, [node])
        return output


def _common_product(lengths: list[Length], before: Sequence[int | None]) -> list[float] | None:
    """One scale per axis where all lengths are products with the input's; None where one is not.

    Known lengths that stand beside axes which are merely copied are not: they say more than a product does.
    """
    if all(length == Times(1.0) for length in lengths if isinstance(length, Times)):
        is_copy = all(isinstance(length, Times) for length in lengths)
        return [1.0] * len(lengths) if is_copy else None
    scales = []
    for length, own in zip(lengths, before, strict=True):
        if isinstance(length, Times):
            scales.append(length.scale)
        elif own and length % own == 0:
            scales.append(float(length // own))
        else:
            return None
    return scales


def _runs(lengths: dict[int, Length]) -> list[list[int]]:
    """Axes in order, grouped into neighbours whose length is known, or is not."""
    runs: list[list[int]] = []
    for axis, length in lengths.items():
        before = runs[-1][-1] if runs else None
        is_known = isinstance(length, int)
        if before is not None and before + 1 == axis and isinstance(lengths[before], int) == is_known:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs

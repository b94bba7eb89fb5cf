"""Where the entries of a shape tensor come from: numbers, or lengths of another tensor."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from onnx_graphsurgeon import Node, Tensor

from rewriter.model.constants import constant_value
from rewriter.model.scopes import in_default_domain

__all__ = ["Length", "LengthOf", "length_sources"]

_DEPTH = 12
_LARGEST_RANK = 64
"""More axes than any tensor has."""


class LengthOf(NamedTuple):
    """The length of one axis of a tensor."""

    tensor: Tensor
    axis: int


Length: TypeAlias = "int | LengthOf | None"
"""A known number, the length of an axis, or None for anything else."""


def length_sources(tensor: Tensor, depth: int = 0) -> list[Length] | None:
    """The entries of a one-dimensional integer tensor, as far as they can be read off the graph.

    Follows what exporters write to keep a batch axis: Shape, Slice, Gather, Concat, Cast, Identity. None where not
    even the number of entries is known.
    """
    value = constant_value(tensor)
    if value is not None:
        return [int(entry) for entry in value.ravel()]
    if depth > _DEPTH or len(tensor.inputs) != 1 or not in_default_domain(tensor.inputs[0]):
        return None
    node = tensor.inputs[0]
    if node.op in ("Cast", "Identity") and node.inputs:
        return length_sources(node.inputs[0], depth + 1)
    if node.op == "Concat":
        parts = [length_sources(part, depth + 1) for part in node.inputs]
        known = [part for part in parts if part is not None]
        return [entry for part in known for entry in part] if len(known) == len(parts) else None
    if node.op == "Slice":
        return _sliced(node, depth)
    return _gathered(node, depth) if node.op == "Gather" else None


def _sliced(node: Node, depth: int) -> list[Length] | None:
    bounds = _bounds(node)
    if bounds is None or bounds[0] < 0 or bounds[1] < bounds[0]:
        return None
    start, stop = bounds
    shape_of = _shape_of(node.inputs[0])
    if shape_of is not None:
        # Slices to the end stop at a huge number: how many entries that is only the rank tells.
        rank = None if shape_of.shape is None else len(shape_of.shape)
        if rank is None and stop > _LARGEST_RANK:
            return None
        return [LengthOf(shape_of, axis) for axis in range(start, stop if rank is None else min(stop, rank))]
    entries = length_sources(node.inputs[0], depth + 1)
    return None if entries is None or stop > len(entries) else entries[start:stop]


def _bounds(node: Node) -> tuple[int, int] | None:
    """Start and stop of a slice with step 1, from attributes (opset 9) or inputs."""
    if "starts" in node.attrs:
        starts, stops = node.attrs["starts"], node.attrs.get("ends")
        values = [starts, stops]
    else:
        values = []
        for tensor in node.inputs[1:3]:
            value = constant_value(tensor)
            values.append(None if value is None else value.ravel().tolist())
        steps = constant_value(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4].name else None
        if len(node.inputs) > 4 and (steps is None or steps.ravel().tolist() != [1]):
            return None
    if len(values) != 2 or not all(isinstance(entry, list) and len(entry) == 1 for entry in values):
        return None
    return int(values[0][0]), int(values[1][0])


def _gathered(node: Node, depth: int) -> list[Length] | None:
    indices = constant_value(node.inputs[1]) if len(node.inputs) == 2 else None
    if indices is None:
        return None
    chosen = [int(index) for index in indices.ravel()]
    shape_of = _shape_of(node.inputs[0])
    if shape_of is not None:
        return [LengthOf(shape_of, index) if index >= 0 else None for index in chosen]
    entries = length_sources(node.inputs[0], depth + 1)
    if entries is None or any(not -len(entries) <= index < len(entries) for index in chosen):
        return None
    return [entries[index] for index in chosen]


def _shape_of(tensor: Tensor) -> Tensor | None:
    """The tensor whose whole shape this is, None otherwise."""
    if len(tensor.inputs) != 1:
        return None
    node = tensor.inputs[0]
    if node.op in ("Cast", "Identity") and node.inputs:
        return _shape_of(node.inputs[0])
    whole = (
        node.op == "Shape"
        and in_default_domain(node)
        and not node.attrs.get("start")
        and "end" not in node.attrs
    )
    return node.inputs[0] if whole else None

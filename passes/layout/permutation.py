"""Orders of axes: axis `a` of a transposed tensor is axis `perm[a]` of the tensor before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from onnx_graphsurgeon import Node

from rewriter.model import in_default_domain

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["Permutation", "behind", "compose", "inverse", "is_identity", "permutation_of"]

Permutation: TypeAlias = "tuple[int, ...]"
T = TypeVar("T")


def permutation_of(node: Node, model: Model, scope: Scope) -> Permutation | None:
    """The order that a Transpose brings the axes into; None for other nodes, and where it is not known."""
    if node.op != "Transpose" or not in_default_domain(node) or len(node.inputs) != 1:
        return None
    order: Any = node.attrs.get("perm")
    if isinstance(order, list):
        return tuple(order) if sorted(order) == list(range(len(order))) else None
    if order is not None:
        return None
    shape = model.shape(node.inputs[0], scope)
    return None if shape is None else tuple(range(len(shape)))[::-1]


def compose(first: Permutation, second: Permutation) -> Permutation:
    """One order in place of a Transpose by `first` and then one by `second`."""
    return tuple(first[axis] for axis in second)


def inverse(order: Permutation) -> Permutation:
    """The order that undoes `order`."""
    return tuple(order.index(axis) for axis in range(len(order)))


def is_identity(order: Permutation) -> bool:
    return order == tuple(range(len(order)))


def behind(order: Permutation, values: Sequence[T]) -> list[T]:
    """One value per axis of the transposed tensor, put in the order of the axes before the Transpose."""
    return [values[axis] for axis in inverse(order)]

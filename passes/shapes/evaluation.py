"""What the tensors that feed sizes, scales and roi hold, as far as it is known before the model runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from onnx_graphsurgeon import Constant, Node, Tensor

from passes.shapes.operators import ABSENT, OPERATORS, Arguments, UnknownValueError
from passes.shapes.partial import LARGEST, Partial
from rewriter.model import constant_value, in_default_domain

if TYPE_CHECKING:
    from passes.shapes.current import CurrentShapes
    from rewriter.model import Scope

__all__ = ["ShapeValues", "is_folded_through"]

_OLDEST_BROADCASTING = 7


class ShapeValues:
    """Values of small tensors, each computed once.

    Args:
        shapes: what Shape and Size give.
    """

    def __init__(self, shapes: CurrentShapes) -> None:
        self._shapes = shapes
        self._known: dict[int, tuple[Tensor, Partial | None]] = {}

    def of(self, tensor: Tensor, scope: Scope) -> Partial | None:
        """The value of a tensor as seen from `scope`; None where nothing is known."""
        for node in _behind(tensor, self._known):
            results = self._evaluate(node, scope)
            for output, result in zip(node.outputs, results, strict=True):
                self._known[id(output)] = (output, result)
        return self._look_up(tensor)

    def _look_up(self, tensor: Tensor) -> Partial | None:
        if not tensor.name:
            return ABSENT
        known = self._known.get(id(tensor))
        if known is not None:
            return known[1]
        value = constant_value(tensor)
        return None if value is None or value.size > LARGEST else Partial.full(value)

    def _evaluate(self, node: Node, scope: Scope) -> list[Partial | None]:
        nothing: list[Partial | None] = [None] * len(node.outputs)
        if scope.opset < _OLDEST_BROADCASTING or any(
            isinstance(value, Node.AttributeRef) for value in node.attrs.values()
        ):
            return nothing
        try:
            with np.errstate(all="ignore"):
                if node.op in ("Shape", "Size"):
                    return [self._of_shape(node, scope)]
                inputs = [self._look_up(tensor) for tensor in node.inputs]
                results = OPERATORS[node.op](Arguments(inputs, node.attrs, len(node.outputs)))
        except (UnknownValueError, ValueError, IndexError, TypeError, KeyError):
            # Not known, or not valid: the latter is for the checker to say.
            return nothing
        return list(results) if len(results) == len(node.outputs) else nothing

    def _of_shape(self, node: Node, scope: Scope) -> Partial:
        shape = self._shapes.shape(node.inputs[0], scope)
        if shape is None:
            raise UnknownValueError
        if node.op == "Shape":
            return Partial.of_shape(shape[node.attrs.get("start", 0) : node.attrs.get("end", len(shape))])
        lengths = Partial.of_shape(shape).array
        if lengths is None:
            raise UnknownValueError
        return Partial.full(np.array(np.prod(lengths), dtype=np.int64))


def is_folded_through(node: Node) -> bool:
    """Whether the node computes small arrays from small arrays, in a way that is known here."""
    return in_default_domain(node) and node.op in OPERATORS


def _computes(node: Node) -> bool:
    return is_folded_through(node) or (in_default_domain(node) and node.op in ("Shape", "Size"))


def _behind(tensor: Tensor, known: dict[int, tuple[Tensor, Partial | None]]) -> Iterator[Node]:
    """The nodes that `tensor` is computed by and that are not known yet, earlier ones first.

    Without recursion: chains of shape arithmetic may be longer than Python's stack.
    """
    stack: list[tuple[Tensor, bool]] = [(tensor, False)]
    seen: set[int] = set()
    while stack:
        current, inputs_done = stack.pop()
        if inputs_done:
            yield current.inputs[0]
            continue
        if isinstance(current, Constant) or id(current) in known or len(current.inputs) != 1:
            continue
        node = current.inputs[0]
        if id(node) in seen or not _computes(node):
            continue
        seen.add(id(node))
        stack.append((current, True))
        if node.op not in ("Shape", "Size"):
            stack.extend((source, False) for source in node.inputs)

"""Comparisons, logic and selection."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import broadcast_to, cast
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []

_COMPARISONS = {
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
}
_LOGIC = {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}


@lowering(*_COMPARISONS)
def compare(node: Node) -> Var:
    x, y = node.var(0), node.var(1)
    if node.is_bool():
        x, y = cast(x, "int32"), cast(y, "int32")
    return getattr(mb, _COMPARISONS[node.op])(x=x, y=y)


@lowering(*_LOGIC)
def logic(node: Node) -> Var:
    return getattr(mb, _LOGIC[node.op])(x=node.var(0), y=node.var(1))


@lowering("Where")
def where(node: Node) -> Var:
    condition, x, y = node.var(0), node.var(1), node.var(2)
    shape = np.broadcast_shapes(*(node.shape(index) for index in range(3)))
    # MIL derives the result's shape from the two values alone, so one of them carries the full one.
    if np.broadcast_shapes(node.shape(1), node.shape(2)) != shape:
        x = broadcast_to(x, shape)
    return mb.select(cond=condition, a=x, b=y)

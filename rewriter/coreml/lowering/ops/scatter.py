"""Writing at indices."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.indexing import from_start
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []

_MODES = {"none": "update", "add": "add", "mul": "mul", "max": "max", "min": "min"}


@lowering("ScatterND")
def scatter_nd(node: Node) -> Var:
    depth = node.shape(1)[-1]
    lengths = np.array(node.shape(0)[:depth], dtype=np.int32)
    return mb.scatter_nd(
        data=node.var(0),
        indices=from_start(node.var(1), lengths),
        updates=node.var(2),
        mode=_mode(node),
    )


@lowering("ScatterElements", "Scatter")
def scatter_elements(node: Node) -> Var:
    axis = node.axis(0)
    data, wanted = node.shape(0), node.shape(1)
    if any(
        have != want for index, (have, want) in enumerate(zip(data, wanted, strict=True)) if index != axis
    ):
        raise node.refuse("the indices are shorter than the data on other axes")
    return mb.scatter_along_axis(
        data=node.var(0),
        indices=from_start(node.var(1), data[axis]),
        updates=node.var(2),
        axis=axis,
        mode=_mode(node),
    )


def _mode(node: Node) -> str:
    if not node.is_float():
        raise node.refuse("scattering into integers and truth values")
    return _MODES[node.attr("reduction", "none")]

"""Finding the nodes that a pass is about, in one place: most passes touch a few of many thousand nodes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from onnx_graphsurgeon import Node

from rewriter.model.nodelist import nodes_of as by_type

if TYPE_CHECKING:
    from rewriter.model import Scope

__all__ = ["nodes_of"]


def nodes_of(scope: Scope, ops: Collection[str]) -> list[Node]:
    """The nodes of one graph whose operator's name is in `ops`, of any domain, in the order of the graph."""
    return by_type(scope.graph, *ops)

"""Finding the nodes that a pass is about, in one place: most passes touch a few of many thousand nodes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from onnx_graphsurgeon import Node

if TYPE_CHECKING:
    from rewriter.model import Scope

__all__ = ["nodes_of"]


def nodes_of(scope: Scope, ops: Collection[str]) -> list[Node]:
    """The nodes of one graph whose operator's name is in `ops`, of any domain, in the order of the graph."""
    return [node for node in scope.graph.nodes if node.op in ops]

"""Replacing a group of nodes by another, without touching what others still read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from onnx_graphsurgeon import Node

from rewriter.model.nodelist import Entry, entries, rearrange

if TYPE_CHECKING:
    from onnx_graphsurgeon import Graph

    from rewriter.model import Model

__all__ = ["Replacements", "unused_without", "wanted_outputs"]


class Replacements:
    """Nodes to put in the place of others, carried out in one sweep per graph."""

    def __init__(self) -> None:
        self._gone: dict[int, Node] = {}
        self._new: dict[int, list[Node]] = {}

    def put(self, new: Sequence[Node], last: Node, dead: Iterable[Node]) -> None:
        """Let `new` stand where `last` is; its last node makes what `last` made. `dead` (with `last`) goes."""
        result = last.outputs[0]
        for node in dead:
            node.inputs.clear()
            node.outputs.clear()
            self._gone[id(node)] = node
        new[-1].outputs = [result]
        self._new.setdefault(id(last), []).extend(new)

    def __contains__(self, node: Node) -> bool:
        return id(node) in self._gone

    def sweep(self, graph: Graph) -> None:
        """Bring the list of nodes of `graph` up to date."""
        if not self._gone:
            return
        nodes: list[Entry] = []
        for node in entries(graph):
            if isinstance(node, int):  # nobody looked at it, so nothing replaces it
                nodes.append(node)
                continue
            nodes.extend(new for new in self._new.pop(id(node), ()) if id(new) not in self._gone)
            if id(node) not in self._gone:
                nodes.append(node)
        rearrange(graph, nodes)


def wanted_outputs(model: Model) -> set[int]:
    """Identities of all outputs of graphs, subgraphs and functions."""
    return {id(tensor) for scope in model.scopes() for tensor in scope.graph.outputs}


def unused_without(last: Node, wanted: set[int]) -> dict[int, Node]:
    """`last`, and every node before it whose outputs then nobody reads; by identity.

    A node stays where any output is one of `wanted` (identities of tensors).
    """
    dead = {id(last): last}
    queue = list(last.inputs)
    while queue:
        tensor = queue.pop()
        if len(tensor.inputs) != 1 or id(tensor.inputs[0]) in dead:
            continue
        node = tensor.inputs[0]
        if all(id(out) not in wanted and all(id(r) in dead for r in out.outputs) for out in node.outputs):
            dead[id(node)] = node
            queue.extend(node.inputs)
    return dead

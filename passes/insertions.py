"""Nodes to insert into graphs and to take out of them, collected first and done in one sweep per graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnx_graphsurgeon import Graph, Node

from rewriter.model.nodelist import Entry, entries, rearrange

__all__ = ["NodeEdits"]


@dataclass
class _GraphEdits:
    graph: Graph
    before: dict[int, list[Node]] = field(default_factory=dict)
    after: dict[int, list[Node]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    first: list[Node] = field(default_factory=list)


class NodeEdits:
    """Edits of node lists; searching the list for every edit would take quadratic time."""

    def __init__(self) -> None:
        self._edits: dict[int, _GraphEdits] = {}

    def _of(self, graph: Graph) -> _GraphEdits:
        return self._edits.setdefault(id(graph), _GraphEdits(graph))

    def before(self, graph: Graph, node: Node, new: list[Node]) -> None:
        """Put `new` before `node`, behind what was put there earlier."""
        self._of(graph).before.setdefault(id(node), []).extend(new)

    def after(self, graph: Graph, node: Node, new: list[Node]) -> None:
        """Put `new` behind `node`, behind what was put there earlier."""
        self._of(graph).after.setdefault(id(node), []).extend(new)

    def first(self, graph: Graph, new: list[Node]) -> None:
        """Put `new` at the start of the graph."""
        self._of(graph).first.extend(new)

    def remove(self, graph: Graph, node: Node) -> None:
        """Take `node` out, and let go of its tensors."""
        node.inputs.clear()
        node.outputs.clear()
        self._of(graph).gone.add(id(node))

    def apply(self) -> None:
        """Do it all, and forget it."""
        for edits in self._edits.values():
            nodes: list[Entry] = list(edits.first)
            for node in entries(edits.graph):
                if isinstance(node, int):  # nobody looked at it, so it is no part of any edit
                    nodes.append(node)
                    continue
                nodes.extend(edits.before.get(id(node), ()))
                if id(node) not in edits.gone:
                    nodes.append(node)
                nodes.extend(edits.after.get(id(node), ()))
            rearrange(edits.graph, nodes)
        self._edits.clear()

"""Which node of a graph makes and reads which name: one look at the messages, before any object is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnx import AttributeProto, FunctionProto, GraphProto

__all__ = ["GraphIndex"]

_WITH_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


@dataclass(frozen=True, eq=False)
class GraphIndex:
    """The nodes of one graph or function, by their place in it.

    Attributes:
        ops: operator type of each node.
        inputs, outputs: names that each node reads and makes; empty ones included.
        makers: by name, the nodes that make it.
        readers: by name, the nodes that read it, as often as they do.
        by_op: the nodes of each operator type.
        captured: for each node with subgraphs, every name that these mention.
    """

    ops: list[str]
    inputs: list[list[str]]
    outputs: list[list[str]]
    captured: dict[int, set[str]]
    makers: dict[str, list[int]] = field(default_factory=dict)
    readers: dict[str, list[int]] = field(default_factory=dict)
    by_op: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, proto: GraphProto | FunctionProto) -> GraphIndex:
        nodes = list(proto.node)
        captured = {
            place: _mentioned(graphs)
            for place, node in enumerate(nodes)
            if node.attribute and (graphs := _graphs(node.attribute))
        }
        index = cls(
            [node.op_type for node in nodes],
            [list(node.input) for node in nodes],
            [list(node.output) for node in nodes],
            captured,
        )
        for place, op in enumerate(index.ops):
            index.by_op.setdefault(op, []).append(place)
        for table, names in ((index.makers, index.outputs), (index.readers, index.inputs)):
            for place, entries in enumerate(names):
                for name in entries:
                    if name:
                        table.setdefault(name, []).append(place)
        return index


def _graphs(attributes: object) -> list[GraphProto]:
    found: list[GraphProto] = []
    for attribute in attributes:  # type: ignore[attr-defined]
        if attribute.type in _WITH_GRAPHS:
            found += [attribute.g, *attribute.graphs]
    return found


def _mentioned(graphs: list[GraphProto]) -> set[str]:
    """Names that nodes of these graphs, and of those inside them, read."""
    names: set[str] = set()
    for graph in graphs:
        for node in graph.node:
            names.update(node.input)
            names |= _mentioned(_graphs(node.attribute))
    return names

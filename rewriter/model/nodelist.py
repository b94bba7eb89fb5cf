"""The nodes of a graph as a list whose entries become onnx-graphsurgeon objects when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Any, TypeAlias, overload

from onnx_graphsurgeon import Graph, Node

from rewriter.model.index import GraphIndex

__all__ = [
    "Entry",
    "NodeList",
    "entries",
    "nodes_of",
    "nodes_with_graphs",
    "op_types",
    "position",
    "rearrange",
    "remove",
]

Entry: TypeAlias = "int | Node"
"""A node as an object, or the index of one that nobody has looked at yet."""


class NodeList(MutableSequence[Node]):
    """Behaves as the plain list that `Graph.nodes` usually is.

    `entries`, `nodes_of` and `nodes_with_graphs` see a list without making objects of the nodes that they pass over;
    everything else that reads a node makes one.
    """

    def __init__(self, index: GraphIndex, make: Callable[[int], Node], leave: Callable[[Node], None]) -> None:
        """Nodes 0 to `len(index.ops)`.

        Args:
            index: what the file says about them.
            make: gives the object of a node; always the same one.
            leave: is told of every node that leaves the list.
        """
        self._index = index
        self._make = make
        self._leave = leave
        self._entries: list[Entry] = list(range(len(index.ops)))
        self._in_file_order = True  # every node still is where the file has it
        self._looked_at: list[int] = []  # places of objects, as long as that holds
        self._made: dict[int, Node] = {}  # objects that exist and that may still be numbers in the list

    def made(self, index: int, node: Node) -> None:
        """Somebody looked at a node of the file, through the list or through a tensor."""
        entry = self._entries[index] if index < len(self._entries) else None
        if isinstance(entry, int) and entry == index:
            self._entries[index] = node
            self._looked_at.append(index)
        else:
            self._made[index] = node

    @property
    def file_index(self) -> GraphIndex:
        """What the file says about the nodes that entries which are numbers stand for."""
        return self._index

    def entries(self) -> list[Entry]:
        """The list as it is, every node that somebody looked at as an object; not to be changed."""
        if self._made:
            made = self._made
            self._entries = [made.get(e, e) if isinstance(e, int) else e for e in self._entries]
            self._made = {}
        return self._entries

    def candidates(self, indices: Iterable[int]) -> Iterable[int]:
        """Places to look at for nodes with these indices in the file, or that somebody looked at, in order."""
        return sorted({*indices, *self._looked_at}) if self._in_file_order else range(len(self.entries()))

    def rearrange(self, new: Iterable[Entry]) -> None:
        """Make these the entries: nodes, and numbers that were among the entries before."""
        old, self._entries = self.entries(), list(new)
        self._in_file_order = False
        stay = {id(entry) for entry in self._entries}
        for entry in old:
            if not isinstance(entry, int) and id(entry) not in stay:
                self._leave(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Node]:
        place = 0
        while place < len(self._entries):
            yield self._at(place)
            place += 1

    @overload
    def __getitem__(self, place: int) -> Node: ...

    @overload
    def __getitem__(self, place: slice) -> list[Node]: ...

    def __getitem__(self, place: int | slice) -> Node | list[Node]:
        if isinstance(place, slice):
            return [self._at(each) for each in range(*place.indices(len(self._entries)))]
        return self._at(range(len(self._entries))[place])

    def __setitem__(self, place: Any, value: Any) -> None:
        values = list(value) if isinstance(place, slice) else [value]
        removed = self[place]
        self._in_file_order = False
        stay = {id(node) for node in values}
        self._entries[place] = values if isinstance(place, slice) else value
        for node in removed if isinstance(removed, list) else [removed]:
            if id(node) not in stay:
                self._leave(node)

    def __delitem__(self, place: int | slice) -> None:
        removed = self[place]
        self._in_file_order = False
        del self._entries[place]
        for node in removed if isinstance(removed, list) else [removed]:
            self._leave(node)

    def insert(self, place: int, value: Node) -> None:
        self._in_file_order = False
        self._entries.insert(place, value)

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Where `value` is; equal nodes count where the node itself is not there, as with a plain list."""
        entries = self.entries()[start:stop]
        place = next((i for i, entry in enumerate(entries) if entry is value), None)
        if place is None:
            place = next((i for i in range(len(entries)) if self._at(start + i) == value), None)
        if place is None:
            raise ValueError("the node is not in the graph")
        return start + place

    def remove(self, value: Node) -> None:
        del self[self.index(value)]

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except ValueError:
            return False
        return True

    def copy(self) -> list[Node]:
        return list(self)

    __copy__ = copy

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        self._in_file_order = False
        self._entries = sorted(self, key=key, reverse=reverse)

    def __add__(self, other: Iterable[Node]) -> list[Node]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Node]) -> list[Node]:
        return [*other, *self]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, NodeList)) and list(self) == list(other)

    def __repr__(self) -> str:
        return repr(list(self))

    def _at(self, place: int) -> Node:
        entry = self._entries[place]
        if isinstance(entry, int):
            entry = self._entries[place] = self._make(entry)  # `made` hears of it as well
        return entry


def entries(graph: Graph) -> list[Entry]:
    """The nodes of a graph, with numbers for those that nobody has looked at."""
    return graph.nodes.entries() if isinstance(graph.nodes, NodeList) else list(graph.nodes)


def rearrange(graph: Graph, new: Iterable[Entry]) -> None:
    """Give a graph these nodes, in the form that `entries` gives them."""
    if isinstance(graph.nodes, NodeList):
        graph.nodes.rearrange(new)
    else:
        graph.nodes[:] = list(new)


def op_types(graph: Graph) -> set[str]:
    """The operator types in a graph, subgraphs not included."""
    types = graph.nodes.file_index.ops if isinstance(graph.nodes, NodeList) else []
    return {types[entry] if isinstance(entry, int) else entry.op for entry in entries(graph)}


def nodes_of(graph: Graph, *ops: str) -> list[Node]:
    """The nodes of these operator types (of any domain), in order."""
    nodes = graph.nodes
    if not isinstance(nodes, NodeList):
        return [node for node in nodes if node.op in ops]
    index, present = nodes.file_index, nodes.entries()
    places = nodes.candidates(place for op in ops for place in index.by_op.get(op, ()))
    return [
        nodes[place]
        for place in places
        if (index.ops[entry] if isinstance(entry := present[place], int) else entry.op) in ops
    ]


def nodes_with_graphs(graph: Graph) -> list[Node]:
    """The nodes that have a graph as an attribute, in order."""
    nodes = graph.nodes
    if not isinstance(nodes, NodeList):
        return [node for node in nodes if _has_graph(node)]
    inside, present = nodes.file_index.captured, nodes.entries()
    return [
        nodes[place]
        for place in nodes.candidates(inside)
        if (entry in inside if isinstance(entry := present[place], int) else _has_graph(entry))
    ]


def position(graph: Graph, node: Node) -> int:
    """Where `node` itself, not one that looks the same, is among the nodes of `graph`.

    Raises:
        ValueError: it is not there.
    """
    place = next((i for i, entry in enumerate(entries(graph)) if entry is node), None)
    if place is None:
        raise ValueError(f"node '{node.name}' is not in the graph")
    return place


def remove(graph: Graph, nodes: Iterable[Node]) -> None:
    """Take nodes out of a graph; their inputs and outputs stay as they are."""
    gone = {id(node) for node in nodes}
    places = [i for i, entry in enumerate(entries(graph)) if not isinstance(entry, int) and id(entry) in gone]
    for place in reversed(places):
        del graph.nodes[place]


def _has_graph(node: Node) -> bool:
    return any(isinstance(value, Graph) for value in node.attrs.values())

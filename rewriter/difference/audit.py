"""Did a rewrite change what it lists, and nothing else?

Every difference between the two files must follow from a recorded change: it is on a node that a change names, or on
something that exists because of such a node: the tensors that only it reads, the nodes that only compute its inputs,
the names by which its neighbours now reach each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto

from rewriter.difference.files import compare_files
from rewriter.difference.matching import match_nodes
from rewriter.difference.result import Difference, Differences
from rewriter.difference.texts import display_name, shown
from rewriter.model import Model

__all__ = ["Audit", "audit"]

_WITH_RAISED_OPSET = ("ir_version",)
_WHOLE = ("definition", "node", "op_type")
"""What a change is called that speaks of all of a node."""


class ListedChange(Protocol):
    """What the audit needs of a pass's change."""

    @property
    def graph(self) -> str: ...

    @property
    def node(self) -> str | None: ...

    @property
    def attribute(self) -> str: ...

    @property
    def new(self) -> Any: ...


@dataclass(frozen=True)
class Audit:
    """The differences of a rewrite, and which of them no change explains.

    Attributes:
        differences: between the input and the output.
        unexplained: those that no recorded change accounts for; empty when the report is complete.
    """

    differences: Differences
    unexplained: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON key ``audit``."""
        return {
            "differences": [entry.to_json() for entry in self.differences.found],
            "unexplained": [entry.to_json() for entry in self.unexplained],
        }


def audit(before: str | Path, after: str | Path, changes: Iterable[ListedChange]) -> Audit:
    """Compare the input of a rewrite with its output, and both with what the rewrite says it changed.

    Args:
        before, after: the files.
        changes: what the passes recorded.

    Raises:
        InputError: a file cannot be read.
    """
    differences = compare_files(before, after)
    changed = list(changes)
    graphs = _paired_graphs(Model.load(before).original, Model.load(after).original)
    explained = {
        path: _Explained(a, b, [c for c in changed if c.graph == path]) for path, (a, b) in graphs.items()
    }
    raised = {change.graph for change in changed if change.attribute == "opset_import"}
    unexplained = tuple(entry for entry in differences.found if not _is_explained(entry, explained, raised))
    return Audit(differences, unexplained)


def _is_explained(entry: Difference, graphs: Mapping[str, _Explained], raised: set[str]) -> bool:
    if entry.graph == "" or (entry.node is None and entry.what.startswith("opset_import")):
        graph = entry.graph or "main"
        return graph in raised and entry.what.startswith(("opset_import", *_WITH_RAISED_OPSET))
    known = graphs.get(entry.graph)
    return known is not None and known.covers(entry)


@dataclass
class _Explained:
    """What the changes in one graph account for.

    Attributes:
        before, after: the graph in both files.
        changes: those that name this graph.
        nodes: display names of nodes that a change names or that are there, or gone, because of one.
        tensors: names of tensors that these nodes read or made, or now do.
    """

    before: GraphProto | FunctionProto
    after: GraphProto | FunctionProto
    changes: list[ListedChange]
    nodes: set[str] = field(default_factory=set)
    tensors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.named: set[str] = {change.node for change in self.changes if change.node}
        self.nodes |= self.named
        pairs = match_nodes(self.before.node, self.after.node)
        # A node that took another's place may go by another name.
        names = [(display_name(self.before.node[a]), display_name(self.after.node[b])) for a, b in pairs]
        successors = {new: old for old, new in names if old in self.named}
        self.whole = {change.node for change in self.changes if change.attribute in _WHOLE}
        self.whole |= {new for new, old in successors.items() if old in self.whole}
        self.named |= successors.keys()
        self.nodes |= successors.keys()
        self._spread(
            [node for place, node in enumerate(self.after.node) if place not in {b for _, b in pairs}]
        )
        self.own = {
            name
            for graph in (self.before, self.after)
            for node in graph.node
            if display_name(node) in self.nodes
            for name in node.output
            if name
        }
        self.tensors = self._only_theirs(self.before) | self._only_theirs(self.after)
        self.renamed = self._renamed(pairs)

    def _spread(self, new: list[NodeProto]) -> None:
        """New nodes belong to the nodes whose parameters they compute. Removed nodes have to be listed themselves."""
        readers = _readers(self.after)
        data = {
            node.input[0] for node in self.after.node if node.input and display_name(node) in self.named
        } - self._rewritten_inputs()
        waiting = [
            node for node in new if display_name(node) not in self.nodes and not data & set(node.output)
        ]
        progress = True
        while progress:
            progress = False
            for node in list(waiting):
                served = {name for output in node.output for name in readers.get(output, ())}
                if served and served <= self.nodes:
                    self.nodes.add(display_name(node))
                    waiting.remove(node)
                    progress = True

    def _rewritten_inputs(self) -> set[str]:
        """What nodes read whose whole definition a change lists."""
        return {name for node in self.after.node if display_name(node) in self.whole for name in node.input}

    def _only_theirs(self, graph: GraphProto | FunctionProto) -> set[str]:
        """Tensors that explained nodes make, or that only they read."""
        found = {
            name
            for node in graph.node
            if display_name(node) in self.nodes
            for name in (*node.output, *_read(node))
        }
        readers = _readers(graph)
        return {
            name for name in found if name and (name in self.own or readers.get(name, set()) <= self.nodes)
        }

    def _renamed(self, pairs: list[tuple[int, int]]) -> set[str]:
        """Nodes whose inputs or outputs differ only by names that explained nodes made."""
        found = set()
        for first, second in pairs:
            a, b = self.before.node[first], self.after.node[second]
            names = [(x, y) for x, y in zip(_names(a), _names(b), strict=False) if x != y]
            same_count = (len(a.input), len(a.output)) == (len(b.input), len(b.output))
            if names and same_count and all(x in self.own or y in self.own for x, y in names):
                found.add(display_name(a))
        return found

    def covers(self, entry: Difference) -> bool:
        """Whether a difference in this graph follows from the changes."""
        if entry.node is not None:
            rewired = entry.what in ("input", "output") and entry.node in self.renamed
            if entry.what.startswith("attribute ") and entry.node in self.named:
                return self._names_attribute(entry)
            return entry.node in self.nodes or rewired
        word, _, name = entry.what.partition(" ")
        if word in ("initializer", "sparse_initializer", "value_info"):
            tensor = name.split(" ")[0]
            return tensor in self.tensors and (entry.kind in ("added", "removed") or word == "value_info")
        return False

    def _names_attribute(self, entry: Difference) -> bool:
        """Whether a change of the node speaks of the attribute, or of the node as a whole."""
        name = entry.what.split(" ")[1]
        own = [change for change in self.changes if change.node == entry.node]
        listed = [change.new for change in own if change.attribute == name]
        if listed:
            return _says(listed[-1], entry.new)
        return any(change.attribute in _WHOLE for change in own)


def _says(listed: Any, found: str | None) -> bool:
    """Whether a listed value is the one that was found in the file; attributes hold float32."""
    if listed is None or found is None:
        return listed is None and found is None
    if isinstance(listed, float):
        try:
            return bool(np.float32(listed) == np.float32(float(found)))
        except ValueError:
            return False
    return shown(listed) == found


def _names(node: NodeProto) -> list[str]:
    return [*node.input, *node.output]


def _read(node: NodeProto) -> Iterator[str]:
    """Names that a node reads, in its subgraphs too."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            for inner in attribute.g.node:
                yield from _read(inner)
            yield from (info.name for info in attribute.g.output)


def _readers(graph: GraphProto | FunctionProto) -> dict[str, set[str]]:
    """By tensor, the nodes that read it; a graph output is read by nobody's node."""
    found: dict[str, set[str]] = {}
    for node in graph.node:
        for name in _read(node):
            found.setdefault(name, set()).add(display_name(node))
    outputs = graph.output if isinstance(graph, FunctionProto) else [info.name for info in graph.output]
    for name in outputs:
        found.setdefault(name, set()).add("")
    return found


def _paired_graphs(a: ModelProto, b: ModelProto) -> dict[str, tuple[Any, Any]]:
    """Every graph and function that both models have, by path."""
    found: dict[str, tuple[Any, Any]] = {}
    waiting: list[tuple[str, Any, Any]] = [("main", a.graph, b.graph)]
    functions = {_function_path(function): function for function in b.functions}
    for function in a.functions:
        path = _function_path(function)
        if path in functions:
            waiting.append((path, function, functions[path]))
    while waiting:
        path, first, second = waiting.pop()
        found[path] = first, second
        for x, y in match_nodes(first.node, second.node):
            inner = {each.name: each.g for each in second.node[y].attribute if each.HasField("g")}
            for attribute in first.node[x].attribute:
                if attribute.HasField("g") and attribute.name in inner:
                    name = display_name(first.node[x])
                    waiting.append((f"{path}/{name}/{attribute.name}", attribute.g, inner[attribute.name]))
    return found


def _function_path(function: FunctionProto) -> str:
    return ":".join(
        ["function", function.domain, function.name, *([function.overload] if function.overload else [])]
    )

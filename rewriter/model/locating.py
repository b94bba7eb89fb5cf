"""Where the messages of bound objects lie in the file; found when they are first needed."""

from __future__ import annotations

from onnx import AttributeProto, FunctionProto, ModelProto

from rewriter.model.numbers import ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.view import GraphBinding, NodeBinding, View
from rewriter.model.wire import Field, WireError, occurrences, payloads

__all__ = ["EMPTY", "Locator"]

EMPTY = Span(0, 0)


class Locator:
    """Spans of graphs, functions, nodes and attributes.

    Every method raises `WireError` where the file gives a message in several pieces, which only a parser can join.
    """

    def __init__(self, view: View, proto: ModelProto, source: Source) -> None:
        self.view = view
        self.proto = proto
        self.source = source
        self._graphs: dict[int, Span] = {}
        self._nodes: dict[int, list[Field]] = {}
        self._initializers: dict[int, list[Span]] = {}

    def graph(self, binding: GraphBinding | None) -> Span:
        """The message of a graph or function; the empty span for one that a pass made."""
        if binding is None:
            return EMPTY
        if id(binding) not in self._graphs:
            if binding.parent is None:
                self._locate_roots()
            else:
                self._locate_subgraphs(binding.parent)
        return self._graphs[id(binding)]

    def node(self, binding: NodeBinding | None) -> Span:
        """The message of a node; the empty span for one that a pass made."""
        return EMPTY if binding is None else self._nodes_of(binding.scope)[binding.index].payload

    def attributes(self, binding: NodeBinding | None) -> list[Span]:
        """The messages of a node's attributes."""
        return payloads(self.source, self.node(binding), NODE["attribute"])

    def initializer(self, scope: GraphBinding, index: int) -> Span:
        """The message of an initializer of a graph."""
        if id(scope) not in self._initializers:
            found = payloads(self.source, self.graph(scope), GRAPH["initializer"])
            if len(found) != len(scope.initializers):
                raise WireError("the initializers of a graph do not match its bytes")
            self._initializers[id(scope)] = found
        return self._initializers[id(scope)][index]

    def _locate_roots(self) -> None:
        bound = {
            binding.index: binding for binding in self.view.bindings.graphs.values() if binding.index >= 0
        }
        whole = self.source.whole
        functions = payloads(self.source, whole, MODEL["functions"])
        graphs = payloads(self.source, whole, MODEL["graph"])
        if len(graphs) != 1 or len(functions) != len(self.proto.functions):
            raise WireError("the file gives its graph in several pieces")
        self._graphs[id(self.view.bindings.graphs[id(self.view.graph)])] = graphs[0]
        for index, span in enumerate(functions):
            self._graphs[id(bound[index])] = span

    def _locate_subgraphs(self, outer: GraphBinding) -> None:
        for node in outer.nodes.values():
            if not node.subgraphs:
                continue
            spans = self.attributes(node)
            for attribute, span in zip(node.proto.attribute, spans, strict=True):
                inner = node.subgraphs.get(attribute.name)
                if inner is None or attribute.type != AttributeProto.GRAPH:
                    continue
                graphs = payloads(self.source, span, ATTRIBUTE["g"])
                if len(graphs) != 1:
                    raise WireError("the file gives a subgraph in several pieces")
                self._graphs[id(inner)] = graphs[0]

    def _nodes_of(self, scope: GraphBinding) -> list[Field]:
        known = self._nodes.get(id(scope))
        if known is None:
            number = FUNCTION["node"] if isinstance(scope.proto, FunctionProto) else GRAPH["node"]
            known = occurrences(self.source, self.graph(scope), number)
            if len(known) != len(scope.proto.node):
                raise WireError("the nodes of a graph do not match its bytes")
            self._nodes[id(scope)] = known
        return known

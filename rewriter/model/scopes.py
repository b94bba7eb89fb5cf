"""Every graph of a model: the main one, subgraphs of control flow, bodies of model-local functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnx_graphsurgeon import Function, Graph, Node

from rewriter.model.nodelist import nodes_of, nodes_with_graphs
from rewriter.model.view import DEFAULT_DOMAINS, View

__all__ = ["Scope", "display_name", "in_default_domain", "scopes"]


@dataclass(frozen=True, eq=False)
class Scope:
    """One graph and where it lies.

    Attributes:
        path: ``main``, ``main/If_3/then_branch``, ``function:domain:name``.
        graph: what passes edit.
        root: the main graph or function whose operator sets apply.
        parent: the scope around a subgraph; None otherwise.
    """

    path: str
    graph: Graph
    root: Graph
    parent: Scope | None = None

    @property
    def opset(self) -> int:
        """Version of the default domain that applies here."""
        return int(self.root.opset)

    def nodes_of(self, *ops: str) -> list[Node]:
        """The nodes of these operator types in the standard's domain, in order; cheap also in a large graph."""
        return [node for node in nodes_of(self.graph, *ops) if in_default_domain(node)]

    @property
    def is_function(self) -> bool:
        return isinstance(self.graph, Function)


def display_name(node: Node) -> str:
    """The node's name, or that of its first output where it has none."""
    if node.name:
        return str(node.name)
    return next((tensor.name for tensor in node.outputs if tensor.name), node.op)


def in_default_domain(node: Node) -> bool:
    """Whether the node's operator is one of the ONNX standard's."""
    return (node.domain or "") in DEFAULT_DOMAINS


def scopes(view: View) -> Iterator[Scope]:
    """All scopes, outer ones before those inside them."""
    yield from _descend(Scope("main", view.graph, view.graph))
    for function in view.graph.functions:
        path = f"function:{function.domain}:{function.name}"
        binding = view.bindings.graphs.get(id(function))
        overload = "" if binding is None else getattr(binding.proto, "overload", "")
        yield from _descend(Scope(f"{path}:{overload}" if overload else path, function, function))


def _descend(scope: Scope) -> Iterator[Scope]:
    yield scope
    for node in nodes_with_graphs(scope.graph):
        for name, value in node.attrs.items():
            if isinstance(value, Graph):
                path = f"{scope.path}/{display_name(node)}/{name}"
                yield from _descend(Scope(path, value, scope.root, scope))

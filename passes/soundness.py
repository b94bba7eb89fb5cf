"""Is a graph still a graph? Names defined once, before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx_graphsurgeon import Constant, Graph, Node

from rewriter.model.nodelist import NodeList, entries
from rewriter.model.scopes import display_name

if TYPE_CHECKING:
    from rewriter.model import Model

__all__ = ["problems"]


def problems(model: Model) -> str | None:
    """The first thing that is wrong with the graphs of `model`, None when all is well.

    Every node input must be a graph input, a constant, or the output of an earlier node of the same or an
    enclosing scope; every name is made once per scope; graph outputs exist.
    """
    graphs = (model.graph, *model.graph.functions)
    return next((found for graph in graphs if (found := _problems(graph, (), model))), None)


def _problems(graph: Graph, around: tuple[set[str], ...], model: Model) -> str | None:
    binding = model.view.bindings.graphs.get(id(graph))
    known = {tensor.name for tensor in graph.inputs}
    if binding is not None:
        known |= {bound.constant.name for bound in (*binding.initializers, *binding.sparse_initializers)}
    made: set[str] = set()

    def is_missing(name: str) -> bool:
        return name not in known and not any(name in names for names in around)

    index = graph.nodes.file_index if isinstance(graph.nodes, NodeList) else None
    for place, entry in enumerate(entries(graph)):
        if isinstance(entry, int):
            assert index is not None
            reads, makes, has_graphs = index.inputs[entry], index.outputs[entry], entry in index.captured
        else:
            reads = [tensor.name for tensor in entry.inputs if not isinstance(tensor, Constant)]
            makes, has_graphs = [tensor.name for tensor in entry.outputs], True
        for name in reads:
            if name and name not in known and is_missing(name):
                return f"node '{display_name(graph.nodes[place])}' reads '{name}' before it is made"
        found = _inside(graph.nodes[place], (*around, known), model) if has_graphs else None
        if found is not None:
            return found
        for name in makes:
            if not name:
                continue
            if name in made:
                return f"'{name}' is made twice"
            made.add(name)
            known.add(name)
    outputs = (tensor.name for tensor in graph.outputs if not isinstance(tensor, Constant))
    missing = next((name for name in outputs if is_missing(name)), None)
    return None if missing is None else f"nothing makes the output '{missing}'"


def _inside(node: Node, visible: tuple[set[str], ...], model: Model) -> str | None:
    """The first thing that is wrong with the subgraphs of a node."""
    for name, value in node.attrs.items():
        found = _problems(value, visible, model) if isinstance(value, Graph) else None
        if found is not None:
            return f"{found} (in {name} of '{display_name(node)}')"
    return None

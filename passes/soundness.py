"""Is a graph still a graph? Names defined once, before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx_graphsurgeon import Constant, Graph, Tensor

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
    return next((found for graph in graphs if (found := _problems(graph, ()))), None)


def _problems(graph: Graph, around: tuple[set[str], ...]) -> str | None:
    known = {tensor.name for tensor in graph.inputs}
    made: set[str] = set()
    visible = (*around, known)

    def is_missing(tensor: Tensor) -> bool:
        return not isinstance(tensor, Constant) and not any(tensor.name in names for names in visible)

    for node in graph.nodes:
        for tensor in node.inputs:
            if tensor.name and is_missing(tensor):
                return f"node '{display_name(node)}' reads '{tensor.name}' before it is made"
        for name, value in node.attrs.items():
            found = _problems(value, visible) if isinstance(value, Graph) else None
            if found is not None:
                return f"{found} (in {name} of '{display_name(node)}')"
        for tensor in node.outputs:
            if not tensor.name:
                continue
            if tensor.name in made:
                return f"'{tensor.name}' is made twice"
            made.add(tensor.name)
            known.add(tensor.name)
    missing = next((tensor.name for tensor in graph.outputs if is_missing(tensor)), None)
    return None if missing is None else f"nothing makes the output '{missing}'"

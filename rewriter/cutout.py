"""The part of a large model that a rewrite touched, as a model of its own.

A runtime needs as long to load 20,000 nodes as everything else together takes, and a rewrite changes a few of them.
What it changed, with the types at which it stands in the graph, is what the runtime has to accept.
"""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from rewriter.model import Model, entries

__all__ = ["cut_out"]


def cut_out(whole: ModelProto, model: Model) -> ModelProto | None:
    """A model of the nodes of `model` that somebody looked at, and so may have changed.

    Args:
        whole: `model` as a message, after shape inference.
        model: the same with its objects.

    Returns:
        The part. None where it would not be the whole story: no node was looked at, a function was, the places of
        nodes do not match (new constants became nodes), or the type of a tensor that goes in is not known.
    """
    present = entries(model.graph)
    places = [place for place, entry in enumerate(present) if not isinstance(entry, int)]
    in_functions = (entry for function in model.graph.functions for entry in entries(function))
    if (
        not places
        or len(present) != len(whole.graph.node)
        or any(not isinstance(e, int) for e in in_functions)
    ):
        return None
    part = ModelProto(ir_version=whole.ir_version)
    part.opset_import.extend(whole.opset_import)
    part.functions.extend(whole.functions)
    part.graph.name = whole.graph.name
    part.graph.node.extend(whole.graph.node[place] for place in places)
    return part if _complete(part.graph, whole.graph) else None


def _complete(part: GraphProto, whole: GraphProto) -> bool:
    """Give a graph of some nodes their initializers, inputs and outputs; False where an input has no known type."""
    made = [name for node in part.node for name in node.output if name]
    needed = dict.fromkeys(name for node in part.node for name in _read(node))
    for name in made:
        needed.pop(name, None)
    part.initializer.extend(tensor for tensor in whole.initializer if tensor.name in needed)
    for tensor in part.initializer:
        needed.pop(tensor.name, None)
    types = {info.name: info for info in _declarations(whole)}
    if any(name not in types or not types[name].type.tensor_type.elem_type for name in needed):
        return False
    part.input.extend(types[name] for name in needed)
    part.output.extend(types[name] for name in made if name in types)
    return True


def _declarations(graph: GraphProto) -> Iterator[ValueInfoProto]:
    yield from graph.value_info
    yield from graph.output
    yield from graph.input


def _read(node: NodeProto) -> Iterator[str]:
    """Names that a node reads, those that its subgraphs take from around them included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield from _free_names(attribute.g)


def _free_names(graph: GraphProto) -> Iterator[str]:
    own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        yield from (name for name in _read(node) if name not in own)
        own.update(node.output)
    yield from (info.name for info in graph.output if info.name not in own)

"""The part of a large model that a rewrite touched, as a model of its own.

A runtime needs as long to load 20,000 nodes as everything else together takes, and a rewrite changes a few of them.
What it changed, with the types at which it stands in the graph, is what the runtime has to accept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TypeProto
from onnx.helper import make_value_info

from rewriter.model import Model, entries

__all__ = ["cut_out"]


def cut_out(whole: ModelProto, model: Model) -> ModelProto | None:
    """A model of the nodes of `model` that somebody looked at, and so may have changed.

    It declares every value with the type that strict shape inference gave it before the edits. Where a checker
    accepts that, the nodes around it, which inference accepted before, see what they saw.

    Args:
        whole: `model` as a message.
        model: the same with its objects.

    Returns:
        The part. None where it would not be the whole story: types before the edits are not known, opsets or
        declarations changed, no node was looked at, a function was, the places of nodes do not match (new constants
        became nodes), or the type of a value that goes in is not known.
    """
    types = model.types_before()
    present = entries(model.graph)
    places = [place for place, entry in enumerate(present) if not isinstance(entry, int)]
    in_functions = (entry for function in model.graph.functions for entry in entries(function))
    if (
        types is None
        or not places
        or len(present) != len(whole.graph.node)
        or {entry.domain: entry.version for entry in whole.opset_import} != model.opsets_before
        or any(not isinstance(entry, int) for entry in in_functions)
    ):
        return None
    part = ModelProto(ir_version=whole.ir_version)
    part.opset_import.extend(whole.opset_import)
    part.functions.extend(whole.functions)
    part.graph.name = whole.graph.name
    part.graph.node.extend(whole.graph.node[place] for place in places)
    made = {name for node in part.graph.node for name in node.output if name}
    if _declared(whole.graph, made) != _declared(model.graph_before, made):
        return None
    return part if _complete(part.graph, whole.graph, types, made) else None


def _complete(part: GraphProto, whole: GraphProto, types: Mapping[str, TypeProto], made: set[str]) -> bool:
    """Give a graph of some nodes their initializers, inputs and outputs; False where an input has no known type."""
    needed = dict.fromkeys(name for node in part.node for name in _read(node) if name not in made)
    part.initializer.extend(tensor for tensor in whole.initializer if tensor.name in needed)
    for tensor in part.initializer:
        needed.pop(tensor.name, None)
    if any(name not in types or not types[name].tensor_type.elem_type for name in needed):
        return False
    part.input.extend(make_value_info(name, types[name]) for name in needed)
    outputs = dict.fromkeys(name for node in part.node for name in node.output if name in types)
    part.output.extend(make_value_info(name, types[name]) for name in outputs)
    return True


def _declared(graph: GraphProto, names: set[str]) -> dict[str, bytes]:
    infos = (*graph.value_info, *graph.output)
    return {
        info.name: info.type.SerializeToString(deterministic=True) for info in infos if info.name in names
    }


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

"""The tensors of a graph written back: initializers, inputs, outputs, declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from onnx import AttributeProto, FunctionProto, GraphProto
from onnx_graphsurgeon import Constant, Function, Graph, Tensor, Variable

from rewriter.model.differences import is_redeclared, same_constant
from rewriter.model.numbers import GRAPH
from rewriter.model.values import tensor_proto, value_info
from rewriter.model.view import Bindings, GraphBinding
from rewriter.model.wire import Item, Keep

__all__ = [
    "Edits",
    "edit_initializers",
    "edit_interface",
    "edit_value_info",
    "new_constants",
    "unused_initializers",
]

Edits: TypeAlias = "dict[int, Sequence[Item]]"
"""By field number, the new list of occurrences."""


def new_constants(graph: Graph, placed: frozenset[int], bindings: Bindings) -> list[Constant]:
    """Constants that the graph's own nodes use and that are in no list of initializers yet."""
    found: dict[int, Constant] = {}
    for tensors in (graph.outputs, *(node.inputs for node in graph.nodes)):
        for tensor in tensors:
            if not isinstance(tensor, Constant) or id(tensor) in placed or id(tensor) in found:
                continue
            binding = bindings.constants.get(id(tensor))
            if binding is None or binding.scope is None:
                found[id(tensor)] = tensor
    return list(found.values())


def unused_initializers(
    binding: GraphBinding | None, used: Callable[[], set[int]], inputs_stay: bool
) -> set[str]:
    """Initializers that something used in the file and nothing uses now.

    Args:
        binding: the graph.
        used: gives the identities of all tensors that are used now, in any scope.
        inputs_stay: whether initializers that are inputs too belong to the interface (IR 4 and later).
    """
    if binding is None or isinstance(binding.proto, FunctionProto):
        return set()
    bound = [*binding.initializers, *binding.sparse_initializers]
    idle = {b.constant.name for b in bound if id(b.constant) not in used()}
    if not idle:
        return set()
    if inputs_stay:
        idle -= {info.name for info in binding.proto.input}
    return idle & _names_used(binding.proto)


def edit_initializers(
    binding: GraphBinding | None, new: list[Constant], gone: set[str], edits: Edits
) -> None:
    """Put new tensors in, leave `gone` out, and write values and names that passes changed."""
    items: list[Item] = []
    changed = bool(new)
    for bound in binding.initializers if binding is not None else []:
        constant = bound.constant
        if bound.proto.name in gone or not isinstance(constant, Constant):
            changed = True
        elif same_constant(constant, bound):
            items.append(Keep(bound.index))
        else:
            changed = True
            items.append(tensor_proto(constant, bound.proto).SerializeToString())
    items += [tensor_proto(constant).SerializeToString() for constant in new]
    if changed:
        edits[GRAPH["initializer"]] = items
    if binding is None:
        return
    sparse = [b for b in binding.sparse_initializers if b.proto.values.name not in gone]
    if len(sparse) != len(binding.sparse_initializers):
        edits[GRAPH["sparse_initializer"]] = [Keep(b.index) for b in sparse]


def edit_interface(graph: Graph, binding: GraphBinding | None, gone: set[str], edits: Edits) -> None:
    """Write inputs and outputs of a graph where they changed."""
    proto = binding.proto if binding is not None else GraphProto()
    with_values = {b.constant.name for b in binding.initializers} if binding is not None else set()
    with_values |= {b.constant.name for b in binding.sparse_initializers} if binding is not None else set()
    kept = [info.name for info in proto.input if info.name in with_values and info.name not in gone]
    for field, tensors, extra in (("input", graph.inputs, kept), ("output", graph.outputs, [])):
        declared = getattr(proto, field)
        items = _declarations(tensors, declared, binding, extra)
        if items != [Keep(index) for index in range(len(declared))]:
            edits[GRAPH[field]] = items


def _declarations(
    tensors: Sequence[Tensor], protos: Any, binding: GraphBinding | None, extra: list[str]
) -> list[Item]:
    places = {info.name: index for index, info in enumerate(protos)}
    items: list[Item] = []
    for tensor in tensors:
        index = places.get(tensor.name)
        if index is not None and not is_redeclared(tensor, binding):
            items.append(Keep(index))
        else:
            original = None if index is None else protos[index]
            items.append(value_info(tensor, original).SerializeToString())
    for name in extra:  # overridable initializers keep their place among the inputs
        items.insert(min(places[name], len(items)), Keep(places[name]))
    return items


def edit_value_info(graph: Graph, binding: GraphBinding | None, number: int, edits: Edits) -> None:
    """Drop declarations of tensors that are gone, add those of new ones, write changed ones."""
    proto = binding.proto if binding is not None else GraphProto()
    if isinstance(graph, Function) and not proto.value_info:
        return
    now = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs if tensor.name}
    items: list[Item] = []
    changed = False
    before: set[str] | None = None
    for index, info in enumerate(proto.value_info):
        tensor = now.get(info.name)
        if tensor is None and before is None:
            before = {name for node in proto.node for name in node.output}
        if tensor is None and before is not None and info.name in before:
            changed = True
        elif tensor is not None and is_redeclared(tensor, binding):
            changed = True
            items.append(value_info(tensor, info).SerializeToString())
        else:
            items.append(Keep(index))
    if not isinstance(graph, Function):
        fresh = _fresh_variables(graph, now, binding)
        changed |= bool(fresh)
        items += [value_info(tensor).SerializeToString() for tensor in fresh]
    if changed:
        edits[number] = items


def _fresh_variables(graph: Graph, now: dict[str, Tensor], binding: GraphBinding | None) -> list[Variable]:
    """Variables that a pass made and whose type and shape it gave."""
    known = binding.tensors if binding is not None else {}
    outputs = {tensor.name for tensor in graph.outputs}
    return [
        tensor
        for name, tensor in now.items()
        if name not in known
        and name not in outputs
        and isinstance(tensor, Variable)
        and tensor.dtype is not None
        and tensor.shape is not None
    ]


def _names_used(proto: GraphProto) -> set[str]:
    """Every tensor name that a node of the graph or of its subgraphs reads."""
    names: set[str] = set()
    for node in proto.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                names |= _names_used(attribute.g)
    return names

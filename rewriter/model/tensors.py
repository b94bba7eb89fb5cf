"""The tensors of a graph written back: initializers, inputs, outputs, declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from onnx import FunctionProto, GraphProto
from onnx_graphsurgeon import Constant, Function, Graph, Tensor, Variable

from rewriter.model.differences import is_redeclared, same_constant
from rewriter.model.links import is_linked
from rewriter.model.nodelist import entries
from rewriter.model.numbers import GRAPH, TENSOR
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.values import tensor_proto, value_info
from rewriter.model.view import Bindings, GraphBinding
from rewriter.model.wire import Item, Keep, splice

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
    touched = [node.inputs for node in entries(graph) if not isinstance(node, int)]
    for tensors in (graph.outputs, *touched):
        for tensor in tensors:
            if not isinstance(tensor, Constant) or id(tensor) in placed or id(tensor) in found:
                continue
            binding = bindings.constants.get(id(tensor))
            if binding is None or binding.scope is None:
                found[id(tensor)] = tensor
    return list(found.values())


def unused_initializers(
    binding: GraphBinding | None, present: Callable[[], set[int]], inputs_stay: bool
) -> set[str]:
    """Initializers that something used in the file and nothing uses now.

    Args:
        binding: the graph.
        present: gives the identities of all nodes that are in the model now and were looked at.
        inputs_stay: whether initializers that are inputs too belong to the interface (IR 4 and later).
    """
    if binding is None or isinstance(binding.proto, FunctionProto):
        return set()
    bound = [*binding.initializers, *binding.sparse_initializers]
    # Whoever changes the use of a tensor has linked it to its nodes.
    linked = [b.constant for b in bound if is_linked(b.constant)]
    given_out = {id(tensor) for tensor in binding.graph.outputs}
    idle = {c.name for c in linked if id(c) not in given_out and not _is_read(c, present())}
    if inputs_stay:
        idle -= binding.input_names
    return {name for name in idle if _was_read(name, binding)}


def _is_read(constant: Constant, present: set[int]) -> bool:
    return any(id(node) in present for node in constant.outputs)


def _was_read(name: str, binding: GraphBinding) -> bool:
    """Whether a node of the graph or of its subgraphs reads `name` in the file."""
    index = binding.file_index
    return name in index.readers or any(name in names for names in index.captured.values())


def edit_initializers(
    binding: GraphBinding | None,
    new: list[Constant],
    gone: set[str],
    edits: Edits,
    source: Source,
    locate: Callable[[int], Span],
) -> None:
    """Put new tensors in, leave `gone` out, and write values and names that passes changed.

    Args:
        binding: the graph.
        new: constants that become initializers.
        gone: names of initializers to leave out.
        edits: gets the result.
        source: where the data of unchanged tensors is.
        locate: gives the span of an initializer's message in `source.data`.
    """
    items: list[Item] = []
    changed = bool(new)
    for bound in binding.initializers if binding is not None else []:
        constant = bound.constant
        if bound.proto.name in gone or not isinstance(constant, Constant):
            changed = True
        elif same_constant(constant, bound):
            items.append(Keep(bound.index))
        elif constant._values is bound.values:
            # Another name only: the data is not worth a copy in memory.
            changed = True
            items.append(splice(source, locate(bound.index), {TENSOR["name"]: [constant.name.encode()]}))
        else:
            changed = True
            items.append(tensor_proto(constant, source, bound.proto).SerializeToString())
    items += [tensor_proto(constant, source).SerializeToString() for constant in new]
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
    places: dict[str, list[int]] = {}
    for position, info in enumerate(protos):
        places.setdefault(info.name, []).append(position)
    items: list[Item] = []
    for tensor in tensors:
        # A name that is declared twice is one tensor for passes; each declaration stays as it is.
        found = places.get(tensor.name)
        index = None if found is None else found.pop(0) if len(found) > 1 else found[0]
        if index is not None and not is_redeclared(tensor, binding):
            items.append(Keep(index))
        else:
            original = None if index is None else protos[index]
            items.append(value_info(tensor, original).SerializeToString())
    for name in extra:  # overridable initializers keep their place among the inputs
        items.insert(min(places[name][0], len(items)), Keep(places[name][0]))
    return items


def edit_value_info(graph: Graph, binding: GraphBinding | None, number: int, edits: Edits) -> None:
    """Drop declarations of tensors that are gone, add those of new ones, write changed ones."""
    proto = binding.proto if binding is not None else GraphProto()
    if isinstance(graph, Function) and not proto.value_info:
        return
    now = {
        tensor.name: tensor
        for node in entries(graph)
        if not isinstance(node, int)
        for tensor in node.outputs
        if tensor.name
    }
    fresh = [] if isinstance(graph, Function) else _fresh_variables(graph, now, binding)
    gone = _names_gone(graph, binding, now)
    redeclared = _redeclared(binding, now)
    touched = (
        {info.name for info in proto.value_info} & (gone | redeclared.keys()) if gone or redeclared else ()
    )
    if not fresh and not touched:
        return
    items: list[Item] = []
    for index, info in enumerate(proto.value_info):
        if info.name in redeclared:
            items.append(value_info(redeclared[info.name], info).SerializeToString())
        elif info.name not in gone:
            items.append(Keep(index))
    edits[number] = items + [value_info(tensor).SerializeToString() for tensor in fresh]


def _names_gone(graph: Graph, binding: GraphBinding | None, now: dict[str, Tensor]) -> set[str]:
    """Names that a node made in the file and that none makes now; `now`: those of nodes that were looked at."""
    if binding is None:
        return set()
    index = binding.file_index
    untouched = {node for node in entries(graph) if isinstance(node, int)}
    touched = (place for place in range(len(index.outputs)) if place not in untouched)
    return {name for place in touched for name in index.outputs[place] if name not in now}


def _redeclared(binding: GraphBinding | None, now: dict[str, Tensor]) -> dict[str, Tensor]:
    """Variables whose declared type or shape a pass changed."""
    seen = now if binding is None else {**binding.tensors, **now}
    return {name: tensor for name, tensor in seen.items() if is_redeclared(tensor, binding)}


def _fresh_variables(graph: Graph, now: dict[str, Tensor], binding: GraphBinding | None) -> list[Variable]:
    """Variables that a pass made and whose type and shape it gave."""
    outputs = {tensor.name for tensor in graph.outputs}
    return [
        tensor
        for name, tensor in now.items()
        if name not in outputs
        and isinstance(tensor, Variable)
        and tensor.dtype is not None
        and tensor.shape is not None
        and (binding is None or name not in binding.tensors)
    ]

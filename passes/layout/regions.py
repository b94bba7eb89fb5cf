"""Groups of nodes that could work on the tensors before their Transposes, and what each group would save."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onnx_graphsurgeon import Constant, Node, Tensor

from passes.base import Log
from passes.layout.permutation import Permutation, compose, is_identity, permutation_of
from passes.layout.transparency import Movable, data_inputs, extra_nodes, is_transparent, obstacle
from rewriter.model import display_name, is_resize

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["Region", "Transposes", "regions"]


@dataclass(eq=False)
class Region:
    """Nodes that all read tensors transposed by one order, and each other.

    Attributes:
        order: of the Transposes at its inputs.
        nodes: in the order of the graph.
        sources: the Transposes at its inputs, by the identity of their output.
    """

    order: Permutation
    nodes: list[Node] = field(default_factory=list)
    sources: dict[int, Node] = field(default_factory=dict)


class Transposes:
    """The Transposes of one graph, and who reads what.

    Args:
        model, scope: the graph.
        outputs: identities of the outputs of all graphs of the model.
        movable: what Transposes may move through.
    """

    def __init__(self, model: Model, scope: Scope, outputs: set[int], movable: Movable) -> None:
        self.movable = movable
        self.model = model
        self.scope = scope
        self.outputs = outputs
        self.orders: dict[int, Permutation] = {}
        self.nodes = list(scope.graph.nodes)
        for node in self.nodes:
            order = permutation_of(node, model, scope)
            if order is not None and not is_identity(order):
                self.orders[id(node)] = order

    def undoing(self, tensor: Tensor, order: Permutation) -> list[Node]:
        """The Transposes of this graph that read `tensor` and undo `order`."""
        return [
            reader
            for reader in _readers(tensor)
            if id(reader) in self.orders and is_identity(compose(order, self.orders[id(reader)]))
        ]

    def saving(self, region: Region) -> int:
        """How many nodes fewer there would be; 0 or less where the number of Transposes would not shrink."""
        inside = {id(node) for node in region.nodes}
        removed = sum(self._is_only_for(inside, node) for node in region.sources.values())
        added = extra = 0
        for node in region.nodes:
            result = node.outputs[0]
            undoing = self.undoing(result, region.order)
            removed += len(undoing)
            added += self.needs_transpose(result, inside)
            extra += extra_nodes(node)
        return removed - added - extra

    def needs_transpose(self, tensor: Tensor, inside: set[int]) -> bool:
        """Whether something outside the region, other than Transposes, which can be changed, reads `tensor`."""
        if id(tensor) in self.outputs:
            return True
        return any(id(reader) not in inside and id(reader) not in self.orders for reader in _readers(tensor))

    def _is_only_for(self, inside: set[int], node: Node) -> bool:
        result = node.outputs[0]
        return id(result) not in self.outputs and all(id(reader) in inside for reader in result.outputs)


def regions(transposes: Transposes, log: Log) -> list[Region]:
    """The groups that save something, none of which shares a node or a Transpose with another.

    Notes in `log` say why a resize behind a Transpose is in no group.
    """
    moving = _moving(transposes, log)
    found: list[Region] = []
    for merging in (True, False):
        useful = _useful(transposes, moving, merging)
        found += [
            region for region in _components(transposes, moving, useful) if transposes.saving(region) > 0
        ]
    taken: set[int] = set()
    chosen = []
    for region in sorted(found, key=transposes.saving, reverse=True):
        touched = _touched(transposes, region)
        if not touched & taken:
            taken |= touched
            chosen.append(region)
    return chosen


def _readers(tensor: Tensor) -> Iterable[Node]:
    return {id(node): node for node in tensor.outputs}.values()


def _touched(transposes: Transposes, region: Region) -> set[int]:
    found = {id(node) for node in (*region.nodes, *region.sources.values())}
    for node in region.nodes:
        found |= {id(reader) for reader in _readers(node.outputs[0]) if id(reader) in transposes.orders}
    return found


def _moving(transposes: Transposes, log: Log) -> dict[int, Permutation]:
    """By identity of a tensor: the order by which it is, or could be, transposed at the end."""
    orders: dict[int, Permutation] = {}
    same: dict[Permutation, set[int]] = {}
    scope = transposes.scope
    for node in transposes.nodes:
        if id(node) in transposes.orders:
            order = transposes.orders[id(node)]
        elif is_transparent(node, transposes.movable):
            known = [orders[id(tensor)] for tensor in data_inputs(node) if id(tensor) in orders]
            if not known:
                continue
            order = known[0]
            reason = obstacle(node, order, same[order], transposes.model, scope)
            if reason is not None:
                if is_resize(node):
                    log.note(scope.path, display_name(node), f"stays behind its Transpose: {reason}")
                continue
        else:
            continue
        orders[id(node.outputs[0])] = order
        same.setdefault(order, set()).add(id(node.outputs[0]))
    return orders


def _useful(transposes: Transposes, moving: dict[int, Permutation], merging: bool) -> list[Node]:
    """The nodes behind which a Transpose is undone (or, with `merging`, several become one), in graph order."""
    useful: dict[int, Node] = {}
    for node in reversed(transposes.nodes):
        if id(node) in transposes.orders or not node.outputs or id(node.outputs[0]) not in moving:
            continue
        result = node.outputs[0]
        transposed = {id(tensor) for tensor in data_inputs(node) if id(tensor) in moving}
        if (
            (merging and len(transposed) > 1)
            or transposes.undoing(result, moving[id(result)])
            or any(id(reader) in useful for reader in result.outputs)
        ):
            useful[id(node)] = node
    return list(useful.values())[::-1]


def _components(transposes: Transposes, moving: dict[int, Permutation], useful: list[Node]) -> list[Region]:
    """Nodes that share a tensor between them or at their inputs, grouped."""
    parent: dict[int, int] = {}

    def root(key: int) -> int:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for node in useful:
        for tensor in data_inputs(node):
            if not isinstance(tensor, Constant) and id(tensor) in moving:
                parent[root(id(tensor))] = root(id(node.outputs[0]))
    found: dict[int, Region] = {}
    for node in useful:
        result = node.outputs[0]
        region = found.setdefault(root(id(result)), Region(moving[id(result)]))
        region.nodes.append(node)
        for tensor in data_inputs(node):
            producer = tensor.inputs[0] if len(tensor.inputs) == 1 else None
            if producer is not None and id(producer) in transposes.orders:
                region.sources[id(tensor)] = producer
    return list(found.values())

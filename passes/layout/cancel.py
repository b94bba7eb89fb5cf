"""Transposes that undo each other disappear, and those in a row become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from onnx_graphsurgeon import Node, Tensor

from passes.base import Log, Pass, PassContext, PassResult
from passes.bypass import can_take_name, replace_uses, set_input
from passes.candidates import nodes_of
from passes.insertions import NodeEdits
from passes.layout.permutation import Permutation, compose, is_identity, permutation_of
from passes.resize.proof import by_definition
from rewriter.model import display_name

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["CancelTransposes", "cancel"]


@dataclass(frozen=True)
class CancelTransposes(Pass):
    """Remove Transposes that change nothing or undo the one before them, and merge those that follow each other.

    Values only move, so every number stays bit for bit. The number of Transposes never grows: two in a row are
    merged only where the first then has no other use.
    """

    name: ClassVar[str] = "cancel-transposes"
    summary: ClassVar[str] = "Transposes that undo each other disappear, those in a row become one"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        cancel(model, log)
        return log.result()


def cancel(model: Model, log: Log) -> None:
    """Do it, and record it in `log`."""
    found = [
        (node, scope, order)
        for scope in model.scopes()
        for node in nodes_of(scope, ["Transpose"])
        if (order := permutation_of(node, model, scope)) is not None
    ]
    if found:
        _Cancelling(model, log, found).run()


class _Cancelling:
    def __init__(self, model: Model, log: Log, found: list[tuple[Node, Scope, Permutation]]) -> None:
        self.log = log
        self.scopes = {id(node): scope for node, scope, _ in found}
        self.orders = {id(node): order for node, _, order in found}
        self.found = found
        self.outputs = {id(tensor) for scope in model.scopes() for tensor in scope.graph.outputs}
        self.edits = NodeEdits()

    def run(self) -> None:
        # A node is seen after the one that it reads from, so a row of them collapses from its start.
        for node, _, _ in self.found:
            if id(node) in self.orders and not self._undoes_nothing(node):
                self._meet(node)
        self.edits.apply()

    def _undoes_nothing(self, node: Node) -> bool:
        if not is_identity(self.orders[id(node)]):
            return False
        self._bypass(node, node.inputs[0], "it keeps the order of the axes")
        return True

    def _meet(self, node: Node) -> None:
        """Look at the Transpose that `node` reads from, if there is one."""
        middle = node.inputs[0]
        first = middle.inputs[0] if len(middle.inputs) == 1 else None
        if first is None or id(first) not in self.orders:
            return
        order = compose(self.orders[id(first)], self.orders[id(node)])
        if is_identity(order):
            self._bypass(node, first.inputs[0], f"it undoes '{display_name(first)}'")
            self._remove_if_idle(first)
        elif id(middle) not in self.outputs and all(id(reader) in self.orders for reader in middle.outputs):
            self._merge(first, middle)

    def _merge(self, first: Node, middle: Tensor) -> None:
        """Let all readers of `first`, Transposes themselves, read what it reads."""
        for reader in list({id(node): node for node in middle.outputs}.values()):
            old = self.orders[id(reader)]
            new = compose(self.orders[id(first)], old)
            scope = self.scopes[id(reader)]
            why = f"together with '{display_name(first)}'"
            proof = by_definition(
                "permutations",
                "two permutations in a row are one",
                perms=[list(self.orders[id(first)]), list(old)],
                result=list(new),
            )
            self.log.change(
                scope.path, display_name(reader), "perm", list(old), list(new), why, "respelling", certificate=proof
            )  # fmt: skip
            self.orders[id(reader)] = new
            reader.attrs["perm"] = list(new)
            set_input(reader, 0, first.inputs[0])
            if is_identity(new):
                self._undoes_nothing(reader)
        self._remove_if_idle(first)

    def _bypass(self, node: Node, data: Tensor, why: str) -> None:
        """Let the readers of `node` read `data`; where a name must stay, the node becomes an Identity."""
        scope, result, name = self.scopes[id(node)], node.outputs[0], display_name(node)
        new = "removed"
        if id(result) not in self.outputs:
            replace_uses(result, data)
            self.edits.remove(scope.graph, node)
        elif can_take_name(data, scope.graph, self.outputs):
            producer = data.inputs[0]
            replace_uses(data, result)
            self.edits.remove(scope.graph, node)
            producer.outputs = [result if tensor is data else tensor for tensor in producer.outputs]
        else:
            new = node.op = "Identity"
            node.attrs.clear()
            node.inputs = [data]
        del self.orders[id(node)]
        self.log.change(
            scope.path, name, "node", "Transpose", new, why, "cleanup",
            certificate=by_definition("permutations", "the permutations compose to the identity"),
        )  # fmt: skip

    def _remove_if_idle(self, node: Node) -> None:
        result = node.outputs[0]
        if result.outputs or id(result) in self.outputs:
            return
        scope, name = self.scopes[id(node)], display_name(node)
        self.edits.remove(scope.graph, node)
        del self.orders[id(node)]
        self.log.change(
            scope.path, name, "node", "Transpose", "removed", "nothing reads it any more", "cleanup",
            certificate=by_definition("unread", "nothing reads its output", tensors=[result.name]),
        )  # fmt: skip

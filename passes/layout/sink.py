"""Transposes move through resizes and element-wise operators to where they meet their inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from onnx_graphsurgeon import Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.bypass import replace_uses, set_input
from passes.candidates import nodes_of
from passes.editing import Names
from passes.insertions import NodeEdits
from passes.layout.absorb import absorb
from passes.layout.cancel import cancel
from passes.layout.permutation import behind, compose
from passes.layout.regions import Region, Transposes, regions
from passes.layout.transparency import Movable, transpose_node
from passes.resize.proof import by_definition
from rewriter.model import display_name

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["SinkTransposes"]


@dataclass(frozen=True)
class SinkTransposes(Pass):
    """Let resizes and element-wise operators work in the layout before a Transpose, where nodes are saved by it.

    tf2onnx wraps each resize into a pair of Transposes (NHWC to NCHW and back). Sizes, scales, roi, axes and
    constants are permuted instead. A group of nodes is rewritten only where fewer Transposes, and fewer nodes, are
    left; only where every number stays bit for bit in onnxruntime (see `passes.layout.transparency`). Transposes that
    meet are cancelled as `cancel-transposes` does.

    Not run by default: Core ML and most accelerators want images as NCHW, which is what those Transposes are for.

    Args:
        resizes: False leaves resizes where they are: what lies between convolutions then joins their layout.
        sums: True lets Transposes through reductions and Softmax, whose sums may then round in another order.
    """

    resizes: bool = True
    sums: bool = False

    name: ClassVar[str] = "sink-transposes"
    summary: ClassVar[str] = (
        "Transposes move through resizes and element-wise operators where that saves some"
    )

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        names: Names | None = None
        movable = Movable(self.resizes, self.sums)
        while True:
            # Notes of the last round only: what was in the way before may not be any more.
            log.notes.clear()
            cancel(model, log)
            outputs = {id(tensor) for scope in model.scopes() for tensor in scope.graph.outputs}
            some = [scope for scope in model.scopes() if nodes_of(scope, ["Transpose"])]
            if not some:
                return log.result()
            names = names or Names(model)
            absorbed = [absorb(model, scope, names, log, self.sums, outputs) for scope in some]
            wrapped = [scope for scope in some if _has_pairs(scope)]
            # Each round saves a Transpose, so this ends.
            done = [_round(model, scope, outputs, names, log, movable) for scope in wrapped]
            if not any(done) and not any(absorbed):
                return log.result()


def _has_pairs(scope: Scope) -> bool:
    return len(nodes_of(scope, ["Transpose"])) > 1


def _round(model: Model, scope: Scope, outputs: set[int], names: Names, log: Log, movable: Movable) -> bool:
    transposes = Transposes(model, scope, outputs, movable)
    found = regions(transposes, log)
    edits = NodeEdits()
    for region in found:
        _Sinking(transposes, region, names, edits, log).run()
    edits.apply()
    return bool(found)


class _Sinking:
    """One region, rewritten."""

    def __init__(
        self, transposes: Transposes, region: Region, names: Names, edits: NodeEdits, log: Log
    ) -> None:
        self.transposes = transposes
        self.region = region
        self.names = names
        self.edits = edits
        self.log = log
        self.scope = transposes.scope
        self.order = region.order
        self.inside = {id(node) for node in region.nodes}
        self.before = {key: node.inputs[0] for key, node in region.sources.items()}

    def run(self) -> None:
        for node in self.region.nodes:
            self._rewrite(node)
        for node in self.region.sources.values():
            result = node.outputs[0]
            if not result.outputs and id(result) not in self.transposes.outputs:
                self._remove(node, "what it was for works without it")

    def _rewrite(self, node: Node) -> None:
        """Let one node read and give the tensors before the Transposes."""
        result = node.outputs[0]
        added = transpose_node(node, self.order, self.before, self.names)
        self.edits.before(self.scope.graph, node, added)
        new = self._new_output(node, result)
        self.before[id(result)] = new
        node.outputs = [new]
        self.log.change(
            self.scope.path,
            display_name(node),
            "layout",
            list(range(len(self.order))),
            list(behind(self.order, range(len(self.order)))),
            "a Transpose moved through it",
            "respelling",
            certificate=by_definition(
                "commutes",
                f"{node.op} commutes with a permutation of axes; its parameters follow",
                operator=node.op,
                perm=list(self.order),
            ),
        )
        self._serve(node, result, new)

    def _new_output(self, node: Node, result: Tensor) -> Tensor:
        """The tensor that the node gives from now on: under the name of a graph's output where one is its copy."""
        for reader in self.transposes.undoing(result, self.order):
            if id(reader.outputs[0]) in self.transposes.outputs:
                kept = reader.outputs[0]
                self._remove(reader, f"it undid the Transpose before '{display_name(node)}'")
                return kept
        shape = self.transposes.model.shape(result, self.scope)
        known = None if shape is None or len(shape) != len(self.order) else behind(self.order, shape)
        dtype = self.transposes.model.dtype(result, self.scope)
        return Variable(self.names.fresh(f"{result.name}_sunk"), dtype, known)

    def _serve(self, node: Node, result: Tensor, new: Tensor) -> None:
        """Give the readers outside the region what they need."""
        for reader in self.transposes.undoing(result, self.order):
            kept = reader.outputs[0]
            if id(kept) in self.transposes.outputs:
                reader.op = "Identity"
                reader.attrs.clear()
                set_input(reader, 0, new)
            else:
                replace_uses(kept, new)
                self._remove(reader, f"it undid the Transpose before '{display_name(node)}'")
        if self.transposes.needs_transpose(result, self.inside):
            back = Node(
                "Transpose",
                self.names.fresh(f"{display_name(node)}_Transpose"),
                {"perm": list(self.order)},
                [new],
                [result],
            )
            self.edits.after(self.scope.graph, node, [back])
            self._record(display_name(back), None, "Transpose", "what reads it keeps its layout")
            return
        for reader in {id(each): each for each in result.outputs}.values():
            if id(reader) in self.transposes.orders:
                order = compose(self.order, self.transposes.orders[id(reader)])
                reader.attrs["perm"] = list(order)
                set_input(reader, 0, new)

    def _remove(self, node: Node, why: str) -> None:
        name = display_name(node)
        self.edits.remove(self.scope.graph, node)
        self._record(name, "Transpose", "removed", why)

    def _record(self, node: str, old: str | None, new: str, why: str) -> None:
        self.log.change(
            self.scope.path,
            node,
            "node",
            old,
            new,
            why,
            "cleanup" if new == "removed" else "respelling",
            certificate=by_definition(
                "permutations", "permutations compose, and one with its inverse is the identity"
            ),
        )

"""Reductions that drop axes need no Transpose before them, where the axes that stay keep their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx_graphsurgeon import Node

from passes.base import Log
from passes.bypass import set_input
from passes.candidates import nodes_of
from passes.editing import Names
from passes.insertions import NodeEdits
from passes.layout.axis_parameters import REDUCTIONS, SUMS, axes_of, axis_obstacle, move_axis_parameters
from passes.layout.permutation import Permutation, permutation_of
from passes.resize.proof import by_definition
from rewriter.model import display_name, in_default_domain

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["absorb"]


def absorb(model: Model, scope: Scope, names: Names, log: Log, sums: bool, outputs: set[int]) -> bool:
    """Let such reductions read what their Transpose reads; whether there were any.

    A Transpose that nothing reads any more goes.

    Args:
        model, scope: the graph.
        names: for new lists of axes.
        log: what changed.
        sums: also reductions whose sums may then round in another order.
        outputs: identities of the outputs of all graphs of the model.
    """
    edits = NodeEdits()
    idle: dict[int, Node] = {}
    found = False
    for node in nodes_of(scope, sorted(REDUCTIONS)):
        if not _drops_axes(node, sums) or len(node.inputs[0].inputs) != 1:
            continue
        transpose = node.inputs[0].inputs[0]
        order = permutation_of(transpose, model, scope)
        if order is None or not _keeps_order(node, order, scope):
            continue
        move_axis_parameters(node, order, names)
        set_input(node, 0, transpose.inputs[0])
        log.change(
            scope.path, display_name(node), "layout", list(range(len(order))), list(order),
            f"the axes that it keeps have the same order before '{display_name(transpose)}'", "respelling",
            certificate=by_definition(
                "commutes", f"{node.op} over the same axes gives the same tensor", operator=node.op, perm=list(order)
            ),
        )  # fmt: skip
        found = True
        result = transpose.outputs[0]
        if not result.outputs and id(result) not in outputs:
            idle[id(transpose)] = transpose
    for transpose in idle.values():
        unread = transpose.outputs[0].name
        edits.remove(scope.graph, transpose)
        log.change(
            scope.path, display_name(transpose), "node", "Transpose", "removed", "nothing reads it any more",
            "cleanup",
            certificate=by_definition("unread", "nothing reads its output", tensors=[unread]),
        )  # fmt: skip
    edits.apply()
    return found


def _drops_axes(node: Node, sums: bool) -> bool:
    if not in_default_domain(node) or not node.inputs:
        return False
    return not node.attrs.get("keepdims", 1) and (sums or node.op not in SUMS)


def _keeps_order(node: Node, order: Permutation, scope: Scope) -> bool:
    axes = axes_of(node)
    if axes is None or axis_obstacle(node, order, scope, may_drop=True) is not None:
        return False
    dropped = {axis % len(order) for axis in axes}
    kept = [order[axis] for axis in range(len(order)) if axis not in dropped]
    return kept == sorted(kept)

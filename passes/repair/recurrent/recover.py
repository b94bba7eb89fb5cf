"""GRU and RNN nodes in place of the loops that tf2onnx makes of Keras' layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.bypass import replace_uses
from passes.candidates import nodes_of
from passes.editing import Names, set_inputs
from passes.insertions import NodeEdits
from passes.repair.recurrent.body import Body, NotLinearError
from passes.repair.recurrent.cells import Cell, recognise
from passes.repair.recurrent.constants import Constants
from passes.repair.recurrent.forms import Symbol, of_symbol
from passes.repair.recurrent.loop import SequenceLoop, read_loop
from passes.resize.proof import by_definition
from rewriter.model import constant_value, display_name
from rewriter.model.model import declared_shape

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["RecoverRecurrent"]

_FIRST_OPSET = 13
"""Squeeze and Unsqueeze take their axes as an input from here on."""


@dataclass(frozen=True)
class RecoverRecurrent(Pass):
    """Write a Loop as a GRU or RNN node where its body is proved to compute one.

    The body is evaluated with formulas in place of numbers: each tensor is a sum of constant matrices times the
    current input, the state, and gates. The formula of the next state must be that of the operator, and the loop must
    run once for each entry of the sequence. Anything else (masks, several layers in one loop) stays a Loop.
    """

    name: ClassVar[str] = "recover-recurrent"
    summary: ClassVar[str] = "GRU and RNN nodes in place of the loops that tf2onnx makes of them"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        names: Names | None = None
        edits = NodeEdits()
        for scope in model.scopes():
            if scope.opset < _FIRST_OPSET:
                continue
            for node in nodes_of(scope, ["Loop"]):
                loop = read_loop(model, node, scope)
                cell = None if loop is None else _cell(loop, model, scope)
                if loop is not None and cell is not None and _outputs_are_states(loop):
                    names = names or Names(model)
                    _replace(loop, cell, scope, model, names, edits, log)
        edits.apply()
        return log.result()


def _cell(loop: SequenceLoop, model: Model, scope: Scope) -> Cell | None:
    """The cell that the loop's only state follows."""
    if len(loop.states) != 1:
        return None
    shape = model.shape(loop.sequence, scope)
    width, hidden = _last(shape), _hidden(loop, model, scope)
    if shape is None or len(shape) != 3 or width is None or hidden is None:
        return None
    sequence, state = Symbol("sequence", width), Symbol("state", hidden)
    position = loop.states[0]
    body = Body(
        {loop.state_input(position).name: of_symbol(state)},
        Constants(loop.invariant).value,
        lambda node: sequence if node is loop.reader else None,
    )
    try:
        return recognise(body.form(loop.state_update(position)), sequence, state)
    except (NotLinearError, ValueError):  # ValueError: matrices that do not fit each other
        return None


def _last(shape: Any) -> int | None:
    return shape[-1] if shape and isinstance(shape[-1], int) else None


def _hidden(loop: SequenceLoop, model: Model, scope: Scope) -> int | None:
    """The width of the state, where anything tells it."""
    position = loop.states[0]
    shapes = [declared_shape(tensor) for tensor in (loop.state_input(position), loop.state_update(position))]
    shapes += [model.shape(tensor, scope) for tensor in (loop.initial(position), loop.node.outputs[position])]
    widths = {shape[-1] for shape in shapes if shape and len(shape) == 2 and isinstance(shape[-1], int)}
    return widths.pop() if len(widths) == 1 else None


def _outputs_are_states(loop: SequenceLoop) -> bool:
    """Whether every collected output is the next state."""
    count = len(loop.node.inputs) - 2
    update = _copied(loop.state_update(loop.states[0]))
    return all(_copied(output).name == update.name for output in loop.body.outputs[1 + count :])


def _copied(tensor: Tensor) -> Tensor:
    while len(tensor.inputs) == 1 and tensor.inputs[0].op == "Identity":
        tensor = tensor.inputs[0].inputs[0]
    return tensor


def _replace(
    loop: SequenceLoop, cell: Cell, scope: Scope, model: Model, names: Names, edits: NodeEdits, log: Log
) -> None:
    node, position = loop.node, loop.states[0]
    name, count = display_name(node), len(node.inputs) - 2
    new: list[Node] = []
    inputs: list[Tensor | None] = [loop.sequence]
    inputs += [
        names.constant(f"{name}_{letter}", value, np.float32)
        for letter, value in zip("WRB", cell.weights, strict=True)
    ]
    zero = names.constant(f"{name}_axis_0", [0], np.int64)
    initial = loop.initial(position)
    if not _is_zero(initial):
        stacked = Variable(names.fresh(f"{name}_initial"), np.float32)
        new.append(Node("Unsqueeze", names.fresh(f"{name}_Unsqueeze"), {}, [initial, zero], [stacked]))
        inputs += [None, stacked]
    attributes: dict[str, Any] = {"hidden_size": cell.weights[1].shape[2], "activations": cell.activations}
    if cell.linear_before_reset is not None:
        attributes["linear_before_reset"] = cell.linear_before_reset
    every = Variable(names.fresh(f"{name}_Y"), np.float32)
    last = Variable(names.fresh(f"{name}_Y_h"), np.float32)
    recurrent = Node(cell.operator, names.fresh(f"{name}_{cell.operator}"), attributes, [], [every, last])
    set_inputs(recurrent, inputs)
    new.append(recurrent)
    outputs = list(node.outputs)
    for index in range(count):
        if index != position and loop.body.inputs[2 + index].name in loop.invariant:
            replace_uses(outputs[index], node.inputs[2 + index])
    _remove_with_what_it_alone_reads(node, scope, model, edits)
    one = names.constant(f"{name}_axis_1", [1], np.int64)
    squeezed = [(last, zero, outputs[position])] + [(every, one, output) for output in outputs[count:]]
    for source, axis, output in squeezed:
        new.append(Node("Squeeze", names.fresh(f"{name}_Squeeze"), {}, [source, axis], [output]))
    edits.after(scope.graph, node, new)
    log.change(
        scope.path, name, "node", "Loop", cell.operator,
        f"its body computes the formula of {cell.operator} for each entry of a sequence", "respelling",
        certificate=by_definition(
            "recurrent cell", f"the formula of the next state is that of {cell.operator}", operator=cell.operator
        ),
    )  # fmt: skip


def _remove_with_what_it_alone_reads(node: Node, scope: Scope, model: Model, edits: NodeEdits) -> None:
    """Take out a node, and what computed its conditions and counters."""
    outputs = {id(tensor) for each in model.scopes() for tensor in each.graph.outputs}
    here = {id(each) for each in scope.graph.nodes}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        read = list(each.inputs)
        edits.remove(scope.graph, each)
        for tensor in read:
            producer = tensor.inputs[0] if len(tensor.inputs) == 1 else None
            if producer is None or id(producer) not in here:
                continue
            if not any(output.outputs or id(output) in outputs for output in producer.outputs):
                here.discard(id(producer))
                waiting.append(producer)


def _is_zero(tensor: Tensor) -> bool:
    """Whether a state starts as zeros: a constant, or zeros expanded to a computed shape."""
    if len(tensor.inputs) == 1 and tensor.inputs[0].op in ("Expand", "ConstantOfShape"):
        node = tensor.inputs[0]
        if node.op == "ConstantOfShape":
            value: Any = node.attrs.get("value")
            return value is None or not np.any(value.values)
        tensor = node.inputs[0]
    value = constant_value(tensor)
    return value is not None and not value.any()

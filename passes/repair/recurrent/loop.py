"""Loops that go through a sequence once, entry by entry, as TensorFlow's recurrent layers do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnx_graphsurgeon import Graph, Node, Tensor

from rewriter.model import constant_value, in_default_domain
from rewriter.model.lengths import LengthOf, length_sources

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["SequenceLoop", "read_loop"]

_SAME_LENGTH = ("ReverseSequence", "Identity", "Cast")
_DEPTH = 16


@dataclass(eq=False)
class SequenceLoop:
    """A Loop whose body reads entry k of a sequence in iteration k.

    Attributes:
        node: the Loop.
        body: its body.
        sequence: the tensor outside that is read, time first.
        reader: the node of the body that reads it.
        states: by position among the loop's states, those that are neither counters nor constant.
        invariant: by name of a body's input, the tensor outside that it always is.
    """

    node: Node
    body: Graph
    sequence: Tensor
    reader: Node
    states: list[int] = field(default_factory=list)
    invariant: dict[str, Tensor] = field(default_factory=dict)

    def state_input(self, position: int) -> Tensor:
        """What the body calls a state before the iteration."""
        return self.body.inputs[2 + position]

    def state_update(self, position: int) -> Tensor:
        """What the body computes as a state's next value."""
        return self.body.outputs[1 + position]

    def initial(self, position: int) -> Tensor:
        """A state before the first iteration."""
        return self.node.inputs[2 + position]


def read_loop(model: Model, node: Node, scope: Scope) -> SequenceLoop | None:
    """The loop as a walk through a sequence; None where it is not proved to be one."""
    body: Any = node.attrs.get("body")
    if not isinstance(body, Graph) or len(node.inputs) < 3 or len(body.inputs) != len(node.inputs):
        return None
    count = len(node.inputs) - 2
    invariant: dict[str, Tensor] = {}
    counters: list[int] = []
    states: list[int] = []
    for position in range(count):
        inside, after = body.inputs[2 + position], _through_copies(body.outputs[1 + position])
        if after.name == inside.name:
            invariant[inside.name] = node.inputs[2 + position]
        elif _counts_by_one(after, inside) and _number(node.inputs[2 + position]) == 0:
            counters.append(position)
        else:
            states.append(position)
    counts = {body.inputs[0].name, *(body.inputs[2 + position].name for position in counters)}
    next_counts = {body.outputs[1 + position].name for position in counters}
    reader = _reader(body, counts)
    if reader is None or any(_is_used(node.outputs[position], model) for position in counters):
        return None
    sequence = invariant.get(reader.inputs[0].name, reader.inputs[0])
    found = SequenceLoop(node, body, sequence, reader, states, invariant)
    return found if _runs_through(found, counts, next_counts, model, scope) else None


def _through_copies(tensor: Tensor) -> Tensor:
    for _ in range(_DEPTH):
        if len(tensor.inputs) != 1 or tensor.inputs[0].op != "Identity":
            return tensor
        tensor = tensor.inputs[0].inputs[0]
    return tensor


def _counts_by_one(after: Tensor, before: Tensor) -> bool:
    if len(after.inputs) != 1 or after.inputs[0].op != "Add":
        return False
    a, b = after.inputs[0].inputs
    return (a.name == before.name and _number(b) == 1) or (b.name == before.name and _number(a) == 1)


def _number(tensor: Tensor) -> int | None:
    value = constant_value(tensor)
    return (
        None if value is None or value.size != 1 or value.dtype.kind not in "iuf" else int(value.ravel()[0])
    )


def _is_used(tensor: Tensor, model: Model) -> bool:
    outputs = {id(each) for scope in model.scopes() for each in scope.graph.outputs}
    return bool(tensor.outputs) or id(tensor) in outputs


def _reader(body: Graph, counts: set[str]) -> Node | None:
    """The one node of the body that reads entry k of a tensor from outside."""
    made_inside = {output.name for node in body.nodes for output in node.outputs}
    found = [
        node
        for node in body.nodes
        if node.op == "Gather"
        and in_default_domain(node)
        and not int(node.attrs.get("axis", 0))
        and _counted(node.inputs[1]).name in counts
        and node.inputs[0].name not in made_inside
    ]
    return found[0] if len(found) == 1 else None


def _counted(tensor: Tensor) -> Tensor:
    """The tensor before Cast and Identity."""
    for _ in range(_DEPTH):
        if len(tensor.inputs) != 1 or tensor.inputs[0].op not in ("Cast", "Identity"):
            return tensor
        tensor = tensor.inputs[0].inputs[0]
    return tensor


def _runs_through(
    loop: SequenceLoop, counts: set[str], next_counts: set[str], model: Model, scope: Scope
) -> bool:
    """Whether there is one iteration for each entry of the sequence, neither more nor fewer."""
    most, start = loop.node.inputs[0], loop.node.inputs[1]
    bounded = bool(most.name) and _is_length(most, loop, model, scope)
    if most.name and not bounded:
        return False
    conjuncts = _conjuncts(loop.body.outputs[0])
    if conjuncts is None:
        return False
    for node in conjuncts:
        counter = _counted(node.inputs[0]).name
        bound = loop.invariant.get(_counted(node.inputs[1]).name, node.inputs[1])
        if not _is_length(bound, loop, model, scope):
            return False
        if counter in next_counts:  # k + 1 < length: goes on exactly until the last entry
            bounded = True
        elif counter not in counts:
            return False
    if not bounded:
        return False
    begin = _conjuncts(start) if start.name else []
    return begin is not None and all(
        _number(_counted(node.inputs[0])) == 0 and _is_length(node.inputs[1], loop, model, scope)
        for node in begin
    )


def _conjuncts(tensor: Tensor, depth: int = 0) -> list[Node] | None:
    """The comparisons `a < b` that all have to hold; None for any other condition."""
    value = constant_value(tensor)
    if value is not None:
        return [] if value.size == 1 and bool(value.ravel()[0]) else None
    if len(tensor.inputs) != 1 or depth > _DEPTH:
        return None
    node = tensor.inputs[0]
    if node.op == "Less":
        return [node]
    if node.op in ("And", "Identity", "Squeeze"):
        parts = [
            _conjuncts(each, depth + 1) for each in (node.inputs if node.op == "And" else node.inputs[:1])
        ]
        known = [part for part in parts if part is not None]
        return [each for part in known for each in part] if len(known) == len(parts) else None
    return None


def _is_length(tensor: Tensor, loop: SequenceLoop, model: Model, scope: Scope) -> bool:
    """Whether a number is the length of the sequence."""
    shape = model.shape(loop.sequence, scope)
    number = _number(_counted(tensor))
    if number is not None:
        return bool(shape) and shape is not None and shape[0] == number
    for _ in range(_DEPTH):
        if len(tensor.inputs) != 1 or tensor.inputs[0].op not in ("Squeeze", "Cast", "Identity"):
            break
        tensor = tensor.inputs[0].inputs[0]
    sources = length_sources(tensor)
    if sources is None or len(sources) != 1:
        return False
    source = sources[0]
    if isinstance(source, LengthOf):
        return source.axis == 0 and _origin(source.tensor).name == _origin(loop.sequence).name
    return bool(shape) and shape is not None and source is not None and shape[0] == source


def _origin(tensor: Tensor) -> Tensor:
    """The tensor before operators that keep all lengths."""
    for _ in range(_DEPTH):
        if len(tensor.inputs) != 1 or tensor.inputs[0].op not in _SAME_LENGTH:
            return tensor
        tensor = tensor.inputs[0].inputs[0]
    return tensor

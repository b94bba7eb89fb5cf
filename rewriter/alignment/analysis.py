"""Follow the pixel grid through a whole graph, subgraphs of If and model-local functions included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx_graphsurgeon import Constant, Function, Graph, Node, Tensor

from rewriter.alignment.layout import LAYOUT
from rewriter.alignment.merging import Merge, grid_json, joined
from rewriter.alignment.pointwise import JOINING, POINTWISE
from rewriter.alignment.shapes import propagated
from rewriter.alignment.states import AxisState, Lost, Place, State
from rewriter.alignment.windows import WINDOWS
from rewriter.model import Model, Scope, in_default_domain
from rewriter.resampling.alignment import Grid

__all__ = ["Alignment", "OutputGrid", "Unknown", "analyse"]

_RULES = {**WINDOWS, **LAYOUT, **POINTWISE}
_DEPTH = 24


@dataclass(frozen=True)
class Unknown:
    """A node behind which the grid is not known.

    Attributes:
        node, op, graph: where.
        reason: why, one clause.
    """

    node: str
    op: str
    graph: str
    reason: str


@dataclass(frozen=True)
class OutputGrid:
    """An output of the model: the grid of every axis that has one, or why there is none."""

    name: str
    grids: dict[int, Grid]
    reason: str | None


@dataclass
class Alignment:
    """What the walk through a model found.

    Attributes:
        merges: gaps, in the order of the graph.
        agreeing: pairs of branches (per axis) that were compared and lie on the same grid.
        outputs: the model's outputs.
        unknown: nodes behind which the grid is lost, each reported once.
    """

    merges: list[Merge] = field(default_factory=list)
    agreeing: int = 0
    outputs: list[OutputGrid] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``rewriter alignment --json``."""
        return {
            "merges": [merge.to_json() for merge in self.merges],
            "aligned_merges": self.agreeing,
            "outputs": [
                {
                    "name": output.name,
                    "axes": [
                        {
                            "axis": axis,
                            "input": grid.source[0],
                            "input_axis": grid.source[1],
                            **grid_json(grid),
                            "shift_px": float(grid.shift),
                        }
                        for axis, grid in output.grids.items()
                    ],
                    "reason": output.reason,
                }
                for output in self.outputs
            ],
            "unknown": [
                {"node": entry.node, "op": entry.op, "graph": entry.graph, "reason": entry.reason}
                for entry in self.unknown
            ],
        }


def analyse(model: Model) -> Alignment:
    """Follow every axis of every graph input; where an operator is not known the grid is unknown, never guessed."""
    return _Walk(model).run()


class _Walk:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.result = Alignment()
        self.functions = {(function.domain, function.name): function for function in model.graph.functions}
        self.shapes = propagated(model)
        self.scopes = {id(scope.graph): scope for scope in model.scopes()}

    def run(self) -> Alignment:
        graph = self.model.graph
        scope = self.scopes[id(graph)]
        states: dict[int, State] = {}
        for tensor in graph.inputs:
            shape = self.model.shape(tensor, scope)
            states[id(tensor)] = (
                Lost(f"the rank of input '{tensor.name}' is not known")
                if shape is None
                else tuple(
                    None if length == 1 else Grid((tensor.name, axis)) for axis, length in enumerate(shape)
                )
            )
        self._graph(graph, scope, states, {}, 0)
        for tensor in graph.outputs:
            self.result.outputs.append(_output(tensor, self._state(tensor, states)))
        return self.result

    def _graph(
        self,
        graph: Graph,
        scope: Scope,
        states: dict[int, State],
        constants: dict[int, np.ndarray],
        depth: int,
    ) -> None:
        for node in _in_order(graph.nodes):
            results = self._node(Place(node, scope, self.model, constants, self.shapes), states, depth)
            for index, tensor in enumerate(node.outputs):
                if tensor.name:
                    states[id(tensor)] = (
                        results[index] if index < len(results) else Lost("an output that is not followed")
                    )

    def _state(self, tensor: Tensor, states: Mapping[int, State]) -> State:
        known = states.get(id(tensor))
        if known is not None:
            return known
        if isinstance(tensor, Constant):
            return (None,) * len(tensor.shape)
        return () if not tensor.name else Lost(f"nothing is known of '{tensor.name}'")

    def _node(self, place: Place, states: dict[int, State], depth: int) -> Sequence[State]:
        node = place.node
        inputs = [self._state(tensor, states) for tensor in node.inputs]
        function = self.functions.get((node.domain or "", node.op))
        if function is not None:
            return self._call(place, function, inputs, depth)
        if node.op == "If" and in_default_domain(node):
            return self._branches(place, states, depth)
        if any(isinstance(value, Node.AttributeRef) for value in node.attrs.values()):
            return self._give_up(place, inputs, "its attributes are parameters of the function around it")
        if not in_default_domain(node):
            return self._give_up(place, inputs, f"operator {node.domain}.{node.op} is not known")
        if node.op in JOINING:
            state, merges, agreeing = joined(place, inputs)
            self.result.merges += merges
            self.result.agreeing += agreeing
            return [self._noted(place, inputs, state)]
        rule = _RULES.get(node.op)
        if rule is None:
            return self._give_up(place, inputs, f"operator {node.op} is not followed")
        results = rule(place, inputs)[: len(node.outputs)]
        return [self._noted(place, inputs, state) for state in results]

    def _noted(self, place: Place, inputs: Sequence[State], state: State) -> State:
        """Report a grid that gets lost at this node."""
        before = {entry.reason for entry in _lost(inputs)}
        fresh = [entry for entry in _lost([state]) if entry.reason not in before]
        if fresh and any(_has_grid(entry) for entry in inputs):
            self._report(place, fresh[0].reason)
        return state

    def _give_up(self, place: Place, inputs: Sequence[State], reason: str) -> list[State]:
        """The outputs of a node that is not followed: lost where any input has a grid, else without positions."""
        count = len(place.node.outputs)
        if any(_has_grid(state) for state in inputs):
            self._report(place, reason)
            return [Lost(reason)] * count
        lost = _lost(inputs)
        if lost or not place.node.inputs:
            return [lost[0] if lost else Lost(reason)] * count
        shapes = [place.output_shape(index) for index in range(count)]
        return [Lost(reason) if shape is None else (None,) * len(shape) for shape in shapes]

    def _report(self, place: Place, reason: str) -> None:
        entry = Unknown(place.name, str(place.node.op), place.scope.path, reason)
        if entry not in self.result.unknown:
            self.result.unknown.append(entry)

    def _call(self, place: Place, function: Function, inputs: Sequence[State], depth: int) -> Sequence[State]:
        """A model-local function, followed for this call."""
        if depth > _DEPTH:
            return self._give_up(place, inputs, "functions call each other without end")
        inner: dict[int, State] = {}
        constants: dict[int, np.ndarray] = {}
        for index, tensor in enumerate(function.inputs):
            inner[id(tensor)] = inputs[index] if index < len(inputs) else ()
            value = place.constant(index) if index < len(place.node.inputs) else None
            if value is not None:
                constants[id(tensor)] = value
        self._graph(function, self.scopes[id(function)], inner, constants, depth + 1)
        return [self._state(tensor, inner) for tensor in function.outputs]

    def _branches(self, place: Place, states: dict[int, State], depth: int) -> Sequence[State]:
        """If: what both branches agree on."""
        results = []
        for name in ("then_branch", "else_branch"):
            branch = place.node.attrs[name]
            inner = dict(states)
            self._graph(branch, self.scopes[id(branch)], inner, place.constants, depth)
            results.append([self._state(tensor, inner) for tensor in branch.outputs])
        outputs: list[State] = []
        for then, other in zip(*results, strict=True):
            if then == other or (_places(then) is not None and _places(then) == _places(other)):
                outputs.append(then)
            else:
                reason = "the branches of an If lie on different grids"
                if _has_grid(then) or _has_grid(other):
                    self._report(place, reason)
                outputs.append(Lost(reason))
        return outputs


def _places(state: State) -> list[Any] | None:
    if isinstance(state, Lost):
        return None
    return [
        (entry.source, entry.scale, entry.offset) if isinstance(entry, Grid) else entry for entry in state
    ]


def _lost(states: Sequence[State]) -> list[Lost]:
    found: list[Lost] = []
    for state in states:
        entries: Sequence[AxisState] = [state] if isinstance(state, Lost) else state
        found += [entry for entry in entries if isinstance(entry, Lost)]
    return found


def _has_grid(state: State) -> bool:
    return not isinstance(state, Lost) and any(isinstance(entry, Grid) for entry in state)


def _output(tensor: Tensor, state: State) -> OutputGrid:
    if isinstance(state, Lost):
        return OutputGrid(tensor.name, {}, state.reason)
    grids = {axis: entry for axis, entry in enumerate(state) if isinstance(entry, Grid)}
    lost = next((entry for entry in state if isinstance(entry, Lost)), None)
    return OutputGrid(tensor.name, grids, None if lost is None else lost.reason)


def _in_order(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, producers first; files are sorted, graphs that passes edited may not be."""
    waiting = list(nodes)
    made_here = {id(tensor) for node in waiting for tensor in node.outputs}
    done: set[int] = set()
    ordered: list[Node] = []
    while waiting:
        later = []
        for node in waiting:
            if all(id(tensor) in done or id(tensor) not in made_here for tensor in node.inputs):
                ordered.append(node)
                done.update(id(tensor) for tensor in node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):  # a cycle: not a valid model, and the checker says so
            return [*ordered, *later]
        waiting = later
    return ordered

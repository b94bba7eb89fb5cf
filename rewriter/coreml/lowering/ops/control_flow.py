"""If, Scan and Loop whose course is known: they are written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var, types
from onnx import GraphProto

from rewriter.coreml.lowering.mil import cast
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import constant_var, static_shape
from rewriter.errors import UnsupportedError

__all__: list[str] = []

_MOST_NODES = 20_000
"""Nodes that a loop may become; a program of more takes minutes to compile on a device."""

Value: TypeAlias = "Var | np.ndarray"


@lowering("If")
def branch(node: Node) -> list[Value]:
    """The branch that a constant condition takes; else both, and a choice between their results."""
    condition = node.constant(0)
    if condition is not None:
        taken = "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"
        return node.lower_graph(node.attributes[taken], {})
    then, other = (
        [_var(value, node) for value in node.lower_graph(node.attributes[name], {})]
        for name in ("then_branch", "else_branch")
    )
    chosen = node.var(0)
    flag = mb.squeeze(x=chosen, axes=list(range(chosen.rank))) if chosen.rank else chosen
    return [_select(flag, a, b, node) for a, b in zip(then, other, strict=True)]


def _select(flag: Var, a: Var, b: Var, node: Node) -> Var:
    if static_shape(a) != static_shape(b) or a.dtype != b.dtype:
        raise node.refuse("its branches give tensors of different shapes, Core ML needs one shape")
    if a.dtype == types.bool:
        return cast(_select(flag, cast(a, "int32"), cast(b, "int32"), node), "bool")
    condition = flag
    shape = static_shape(a)
    if shape:
        condition = mb.tile(x=mb.expand_dims(x=cast(flag, "int32"), axes=[0]), reps=[int(np.prod(shape))])
        condition = cast(mb.reshape(x=condition, shape=shape), "bool")
    return mb.select(cond=condition, a=a, b=b)


@lowering("Scan")
def scan(node: Node) -> list[Value]:
    """One copy of the body per element of the sequence; version 8 has a batch of its own."""
    if node.opset < 9:
        return _scan_8(node)
    body, scanned = node.attributes["body"], int(node.attributes["num_scan_inputs"])
    states = [node.value(index) for index in range(node.input_count - scanned)]
    sequences = [
        _var(node.value(index), node) for index in range(node.input_count - scanned, node.input_count)
    ]
    axes = _axes(node.attr("scan_input_axes"), [each.rank for each in sequences])
    backwards = node.attr("scan_input_directions") or [0] * scanned
    return _scanned(node, body, states, sequences, axes, backwards)


def _scan_8(node: Node) -> list[Value]:
    """Version 8: input 0 are the lengths of the sequences; every tensor has a batch axis before the rest."""
    if node.has(0):
        raise node.refuse("sequences of different lengths")
    body, scanned = node.attributes["body"], int(node.attributes["num_scan_inputs"])
    backwards = node.attr("directions") or [0] * scanned
    count = node.input_count - 1 - scanned
    values = [_var(node.value(index), node) for index in range(1, node.input_count)]
    batch = static_shape(values[0])[0]
    rows = []
    for place in range(batch):
        own = [_part(value, 0, place) for value in values]
        sequences = own[count:]
        rows.append(
            [_var(v, node) for v in _scanned(node, body, own[:count], sequences, [0] * scanned, backwards)]
        )
    return [_stack(list(parts), 0) for parts in zip(*rows, strict=True)]


def _scanned(
    node: Node,
    body: GraphProto,
    states: Sequence[Value],
    sequences: Sequence[Var],
    axes: Sequence[int],
    backwards: Sequence[int],
) -> list[Value]:
    length = static_shape(sequences[0])[axes[0]]
    _refuse_long(node, length, len(body.node))
    names = [value.name for value in body.input]
    outputs = len(body.output) - len(states)
    kept: list[list[Var]] = [[] for _ in range(outputs)]
    states = list(states)
    for step in range(length):
        elements = [
            _part(value, axis, length - 1 - step if backward else step)
            for value, axis, backward in zip(sequences, axes, backwards, strict=True)
        ]
        results = node.lower_graph(body, dict(zip(names, [*states, *elements], strict=True)))
        states = results[: len(states)]
        for stack, value in zip(kept, results[len(states) :], strict=True):
            stack.append(_var(value, node))
    reverse = node.attr("scan_output_directions") or [0] * outputs
    ranks = [stack[0].rank + 1 for stack in kept]
    stacked = [
        _stack(stack[::-1] if backward else stack, axis)
        for stack, axis, backward in zip(
            kept, _axes(node.attr("scan_output_axes"), ranks), reverse, strict=True
        )
    ]
    return [*states, *stacked]


@lowering("Loop")
def loop(node: Node) -> list[Value]:
    """One copy of the body per iteration, where the number of iterations is known."""
    body = node.attributes["body"]
    trips = node.constant(0) if node.has(0) else None
    going = node.constant(1) if node.has(1) else np.array(True)
    if (node.has(0) and trips is None) or going is None:
        raise node.refuse(
            "the number of its iterations is only known at run time", "export it with a constant trip count"
        )
    states: list[Value] = [node.value(index) for index in range(2, node.input_count)]
    names = [value.name for value in body.input]
    outputs = len(body.output) - 1 - len(states)
    kept: list[list[Var]] = [[] for _ in range(outputs)]
    step, most = 0, None if trips is None else int(trips.reshape(-1)[0])
    while bool(going.reshape(-1)[0]) and (most is None or step < most):
        _refuse_long(node, step + 1, len(body.node))
        feeds = [np.array(step, np.int64), np.array(True), *states]
        flag, *results = node.lower_graph(body, dict(zip(names, feeds, strict=True)))
        if not isinstance(flag, np.ndarray):
            raise node.refuse("whether it goes on depends on computed values")
        going, states = flag, results[: len(states)]
        for stack, value in zip(kept, results[len(states) :], strict=True):
            stack.append(_var(value, node))
        step += 1
    if outputs and not step:
        raise node.refuse("it never runs, and Core ML has no empty tensors")
    return [*states, *(_stack(stack, 0) for stack in kept)]


def _refuse_long(node: Node, steps: int, size: int) -> None:
    if steps * size > _MOST_NODES:
        raise UnsupportedError(
            f"{node.op}: {steps} iterations of {size} nodes would become more than {_MOST_NODES:,} nodes",
            node=node.name,
            remedy="shorten the sequence with --shape, or use the operator that the loop stands for (LSTM, GRU)",
        )


def _axes(axes: Sequence[int] | None, ranks: Sequence[int]) -> list[int]:
    return [axis % rank for axis, rank in zip(axes or [0] * len(ranks), ranks, strict=True)]


def _part(value: Var, axis: int, place: int) -> Var:
    """One element along an axis, which disappears."""
    shape = static_shape(value)
    if value.dtype == types.bool:
        return cast(_part(cast(value, "int32"), axis, place), "bool")
    begin, end = [0] * len(shape), list(shape)
    begin[axis], end[axis] = place, place + 1
    gone = [index == axis for index in range(len(shape))]
    return mb.slice_by_index(x=value, begin=begin, end=end, squeeze_mask=gone)


def _stack(values: list[Var], axis: int) -> Var:
    if values[0].dtype == types.bool:
        return cast(mb.stack(values=[cast(value, "int32") for value in values], axis=axis), "bool")
    return mb.stack(values=values, axis=axis)


def _var(value: Value, node: Node) -> Var:
    return constant_var(value, f"{node.name}_constant") if isinstance(value, np.ndarray) else value

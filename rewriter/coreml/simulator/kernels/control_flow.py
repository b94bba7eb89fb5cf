"""Branches, loops and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Call
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__: list[str] = []


@kernel("cond")
def cond(call: Call) -> tuple[Any, ...]:
    """The outputs of one of two blocks."""
    chosen = call.operation.blocks[0 if call.flag("pred") else 1]
    return tuple(call.run_block(chosen, ()))


@kernel("while_loop")
def while_loop(call: Call) -> tuple[Any, ...]:
    """Runs the body on the loop variables while the condition block holds."""
    condition, body = call.operation.blocks
    variables = list(call.value("loop_vars"))
    while bool(np.asarray(call.run_block(condition, variables)[0]).item()):
        variables = call.run_block(body, variables)
    return tuple(variables)


@kernel("make_list")
def make_list(call: Call) -> list[Any]:
    """A list of tensors that are not written yet."""
    return [None] * (call.integer("init_length") if call.has("init_length") else 0)


@kernel("list_length")
def list_length(call: Call) -> Any:
    return np.array(len(call.value("ls")), np.int32)


@kernel("list_write")
def list_write(call: Call) -> list[Any]:
    """A copy of the list with one element replaced; the list grows where it has to."""
    return _written(call.value("ls"), [call.integer("index")], [call.stored("value")])


@kernel("list_scatter")
def list_scatter(call: Call) -> list[Any]:
    """A copy of the list with some elements replaced."""
    return _written(call.value("ls"), call.integers("indices"), call.stored("value"))


@kernel("list_read")
def list_read(call: Call) -> Any:
    """One element; one that was never written is all zeros."""
    return _element(call, call.integer("index"), call.operation.outputs[0].shape)


@kernel("list_gather")
def list_gather(call: Call) -> Any:
    """Some elements, stacked."""
    shape = call.operation.outputs[0].shape[1:]
    return np.stack([_element(call, index, shape) for index in call.integers("indices")])


def _written(items: list[Any], indices: Iterable[int], values: Iterable[Any]) -> list[Any]:
    result = list(items)
    for index, value in zip(indices, values, strict=True):
        result.extend([None] * (index + 1 - len(result)))
        result[index] = value
    return result


def _element(call: Call, index: int, shape: Sequence[Any]) -> Any:
    items = call.value("ls")
    if items[index] is not None:
        return items[index]
    if not all(isinstance(length, int | np.integer) for length in shape):
        raise UnsupportedError(
            "an element of a list is read before it is written, and its shape is not known"
        )
    return np.zeros([int(length) for length in shape], call.dtype)

"""Branches, loops and lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Call
from rewriter.coreml.simulator.registry import kernel

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

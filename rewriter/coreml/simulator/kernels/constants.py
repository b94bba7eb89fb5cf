"""Constant expressions: weights that are stored compressed."""

from __future__ import annotations

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("constexpr_cast")
def constexpr_cast(call: Call) -> Array:
    """Weights kept in float16."""
    return call.stored("source_val").astype(call.dtype)

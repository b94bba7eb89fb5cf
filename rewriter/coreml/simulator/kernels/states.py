"""Reading and replacing states."""

from __future__ import annotations

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("read_state")
def read_state(call: Call) -> Array:
    """The current value; later updates do not change it, because they replace the array."""
    return call.value("input").value


@kernel("coreml_update_state")
def update_state(call: Call) -> Array:
    """Replace the value and return it."""
    call.value("state").value = call.stored("value")
    return call.stored("value")

"""Arithmetic, comparison and logic on two broadcast tensors, and selection."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []

_FUNCTIONS: dict[str, np.ufunc] = {
    "add": np.add,
    "equal": np.equal,
    "floor_div": np.floor_divide,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": np.mod,
    "mul": np.multiply,
    "not_equal": np.not_equal,
    "pow": np.power,
    "real_div": np.true_divide,
    "sub": np.subtract,
}


@kernel(*_FUNCTIONS)
def elementwise(call: Call) -> Array:
    return _FUNCTIONS[call.operation.op_type](call.tensor("x"), call.tensor("y"))


@kernel("select")
def select(call: Call) -> Array:
    """a where cond is true, else b."""
    return np.where(call.stored("cond").astype(bool), call.stored("a"), call.stored("b"))

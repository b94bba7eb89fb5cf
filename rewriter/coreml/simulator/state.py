"""Tensors that outlive one prediction: Core ML's states (iOS 18)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.element_types import numpy_dtype_of_name
from rewriter.tensorspec import TensorSpec

__all__ = ["SimulatedState", "StateCell", "read_states"]


class StateCell:
    """One state: what `read_state` reads and `coreml_update_state` replaces."""

    def __init__(self, value: np.ndarray) -> None:
        self.value = value


class SimulatedState:
    """The states of one model between predictions, all zeros at first.

    Args:
        specs: name, shape and element type of each state.
    """

    def __init__(self, specs: list[TensorSpec]) -> None:
        self.cells = {
            spec.name: StateCell(np.zeros([n or 1 for n in spec.shape], spec.dtype)) for spec in specs
        }

    def read(self, name: str) -> np.ndarray:
        """A copy of a state's current value."""
        return self.cells[name].value.copy()

    def write(self, name: str, value: np.ndarray) -> None:
        """Replace a state's value; shape and element type stay."""
        cell = self.cells[name]
        cell.value = np.broadcast_to(value, cell.value.shape).astype(cell.value.dtype)


def read_states(function: Any) -> list[TensorSpec]:
    """The states that a MIL function takes, with the element types that the program declares."""
    from coremltools.converters.mil.mil import types

    specs = []
    for name, var in function.inputs.items():
        if types.is_state(var.sym_type):
            wrapped = var.sym_type.wrapped_type()
            dtype = numpy_dtype_of_name(types.builtin_to_string(wrapped.get_primitive()))
            assert dtype is not None
            specs.append(TensorSpec(name, tuple(int(n) for n in wrapped.get_shape()), dtype))
    return specs

"""What is known of a tensor's pixel grid, and what an operator's rule may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rewriter.alignment.shapes import Shape, better
from rewriter.model import constant_value, display_name
from rewriter.resampling.alignment import Grid, IndexMap

if TYPE_CHECKING:
    from onnx_graphsurgeon import Node, Tensor

    from rewriter.model import Model, Scope

__all__ = ["AxisState", "Lost", "Place", "State", "lost_axes", "moved"]


@dataclass(frozen=True)
class Lost:
    """The grid is not known from here on, and why."""

    reason: str


AxisState: TypeAlias = "Grid | Lost | None"
"""Of one axis: a grid; lost; or None where position means nothing (channels, constants, a mean over all pixels)."""
State: TypeAlias = "tuple[AxisState, ...] | Lost"
"""Of a tensor: one entry per axis, or lost altogether."""


@dataclass(frozen=True, eq=False)
class Place:
    """A node where it stands: what a rule may ask besides the states of the inputs.

    Attributes:
        node: the node.
        scope: the graph that holds it.
        model: for shapes.
        constants: values of function parameters that are constant at this call.
        shapes: shapes of the main graph that the model itself does not know.
    """

    node: Node
    scope: Scope
    model: Model
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return display_name(self.node)

    @property
    def opset(self) -> int:
        return self.scope.opset

    def attribute(self, name: str, default: Any = None) -> Any:
        """Value of an attribute, `default` where absent; strings are decoded."""
        value = self.node.attrs.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index].name)

    def constant(self, index: int) -> np.ndarray | None:
        """Constant value of an input; None where absent or computed."""
        if not self.has(index):
            return None
        tensor = self.node.inputs[index]
        known = self.constants.get(id(tensor))
        return constant_value(tensor) if known is None else known

    def integers(self, index: int) -> list[int] | None:
        """As `constant`, flattened to Python integers."""
        value = self.constant(index)
        return None if value is None else [int(entry) for entry in value.ravel()]

    def shape(self, tensor: Tensor) -> tuple[int | str | None, ...] | None:
        """Shape of a tensor as far as it is known."""
        known = self.model.shape(tensor, self.scope)
        return better(known, self.shapes.get(tensor.name)) if self.scope.path == "main" else known

    def input_shape(self, index: int = 0) -> tuple[int | str | None, ...] | None:
        return self.shape(self.node.inputs[index]) if self.has(index) else None

    def output_shape(self, index: int = 0) -> tuple[int | str | None, ...] | None:
        return self.shape(self.node.outputs[index]) if index < len(self.node.outputs) else None

    def length(self, axis: int, index: int = 0) -> int | None:
        """Length of an input's axis where it is a number."""
        shape = self.input_shape(index)
        value = shape[axis] if shape is not None and axis < len(shape) else None
        return value if isinstance(value, int) else None


def moved(state: AxisState, step: Fraction | int, start: Fraction | int) -> AxisState:
    """The axis after a layer that looks at input pixel step * i + start."""
    if not isinstance(state, Grid):
        return state
    return state.through(IndexMap(Fraction(step), Fraction(start)))


def lost_axes(state: tuple[AxisState, ...], axes: set[int], reason: str) -> tuple[AxisState, ...]:
    """The state with some of its grids lost."""
    return tuple(
        Lost(reason) if axis in axes and isinstance(entry, Grid) else entry
        for axis, entry in enumerate(state)
    )

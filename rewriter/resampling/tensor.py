"""A resize of a whole tensor: one `AxisMap` per axis, applied one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from rewriter.resampling.axis_map import AxisMap

__all__ = ["TensorResize"]

AnyAxis = TypeVar("AnyAxis", bound=AxisMap)


@dataclass(frozen=True)
class TensorResize(Generic[AnyAxis]):
    """The map of a resize at fixed shapes.

    Attributes:
        axes: one entry per tensor axis, in order.
        extrapolation_value: the output wherever any axis samples outside its input (an empty row).
        background: what lies around the input where taps fall outside of it (rows that sum to less than 1).
    """

    axes: tuple[AnyAxis, ...]
    extrapolation_value: float = 0.0
    background: float = 0.0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(axis.n_in for axis in self.axes)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return tuple(axis.n_out for axis in self.axes)

    @cached_property
    def resized_axes(self) -> tuple[int, ...]:
        """Indices of the axes that are not the identity map."""
        return tuple(index for index, axis in enumerate(self.axes) if not axis.is_identity)

    @property
    def is_identity(self) -> bool:
        """Whether the output equals the input for every input."""
        return not self.resized_axes

    @cached_property
    def extrapolates(self) -> bool:
        """Whether any output pixel is the extrapolation value."""
        return any(axis.extrapolates for axis in self.axes)

    @cached_property
    def sees_background(self) -> bool:
        """Whether any output pixel takes weight from around the input."""
        return any(axis.sees_background for axis in self.axes)

    def inside_mask(self) -> np.ndarray:
        """Bool array of the output's shape: False where the output is the extrapolation value."""
        mask = np.ones((1,) * len(self.axes), dtype=bool)
        for index, axis in enumerate(self.axes):
            inside = np.array([bool(row) for row in axis.rows])
            mask = mask & inside.reshape([-1 if k == index else 1 for k in range(len(self.axes))])
        return np.broadcast_to(mask, self.output_shape)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The resize of `x` (shape `input_shape`) in float64; shape `output_shape`."""
        if x.shape != self.input_shape:
            raise ValueError(f"the input has shape {x.shape}, the resize expects {self.input_shape}")
        # A map of x - background around which there is nothing, and the background added again.
        y = x.astype(np.float64) - self.background
        for index in self.resized_axes:
            y = np.moveaxis(np.tensordot(self.axes[index].matrix(), y, axes=(1, index)), 0, index)
        y = y + self.background
        return np.where(self.inside_mask(), y, self.extrapolation_value) if self.extrapolates else y

    def describe(self) -> str:
        """The semantics in ONNX words; axes that differ among themselves are listed apart."""
        words = dict.fromkeys(self.axes[index].describe() for index in self.resized_axes)
        return " / ".join(words) if words else "identity"

"""What every resize of one axis is: a fixed linear map with sparse rows.

`AxisMap` is the common interface. `AxisResize` (the grids and kernels of ONNX) is one kind; the other kinds hold
what no ONNX Resize computes: averaging (`AreaAxis`), wide filters (`FilteredAxis`), given positions
(`SampledAxis`), and crops or pads around another map (`WindowAxis`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.kernels import Row

__all__ = ["Arithmetic", "AxisMap", "check_lengths"]

Arithmetic = Literal["exact", "float64", "float32"]


def check_lengths(n_in: int, n_out: int) -> None:
    """Raise an `UnsupportedError` for a map without input or output pixels."""
    if n_in < 1 or n_out < 1:
        raise UnsupportedError(f"a resize from length {n_in} to {n_out} has no pixels to sample")


class AxisMap(ABC):
    """A linear map of one axis: y = M x with M of shape [n_out, n_in].

    Attributes:
        n_in: input length, at least 1.
        n_out: output length, at least 1.
        documented_only: whether the semantics are only read in documentation: no kernel was run against them.
        assumption: what had to be assumed where documentation is silent; empty where nothing is.
    """

    n_in: int
    n_out: int
    documented_only: bool = False
    assumption: str = ""

    @property
    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """The matrix, sparse: per output pixel its (input index, weight) pairs, ascending, weights not zero.

        An empty row takes no pixel: the output is then the extrapolation value of the resize.
        """

    @abstractmethod
    def source_coordinates(self) -> list[Fraction]:
        """Where each output pixel samples, in input pixels, before clamping; length n_out."""

    @abstractmethod
    def describe(self) -> str:
        """The semantics in a few words, without lengths."""

    def to_json(self) -> dict[str, Any]:
        """The semantics as plain data, complete but for the lengths; what certificates hold."""
        return {"operation": self.describe()}

    @property
    def weight_error(self) -> Fraction:
        """Bound on |stored weight - true weight|: 0 where `rows` are exact, positive for irrational weights."""
        return Fraction(0)

    @property
    def exact(self) -> bool:
        """Whether `rows` are the exact weights, so that equality of maps can be decided."""
        return self.weight_error == 0

    def matrix(self, arithmetic: Arithmetic = "float64") -> np.ndarray:
        """The matrix M, shape [n_out, n_in]; computed exactly, then rounded once to the dtype asked for.

        ``exact`` gives an object array of `Fraction`. What kernels compute in float32, rounding at every step, is
        `rewriter.resampling.float32.kernel_matrix`.
        """
        if arithmetic == "exact":
            dense = np.full((self.n_out, self.n_in), Fraction(0), dtype=object)
        else:
            dense = np.zeros((self.n_out, self.n_in), dtype=np.float64)
        for i, row in enumerate(self.rows):
            for j, weight in row:
                dense[i, j] = weight if arithmetic == "exact" else float(weight)
        return dense.astype(np.float32) if arithmetic == "float32" else dense

    @cached_property
    def is_identity(self) -> bool:
        """Whether the output equals the input for every input."""
        return self.n_in == self.n_out and all(row == ((i, Fraction(1)),) for i, row in enumerate(self.rows))

    @cached_property
    def extrapolates(self) -> bool:
        """Whether any output pixel is the extrapolation value (an empty row)."""
        return not all(self.rows)

    @cached_property
    def sees_background(self) -> bool:
        """Whether any output pixel takes weight from around the input."""
        return any(row and sum(weight for _, weight in row) != 1 for row in self.rows)

    @cached_property
    def selection(self) -> tuple[int, ...] | None:
        """The input index of each output pixel where every row copies one pixel; None where any row blends."""
        if any(len(row) != 1 or row[0][1] != 1 for row in self.rows):
            return None
        return tuple(row[0][0] for row in self.rows)

    @cached_property
    def norm(self) -> Fraction:
        """Largest sum of absolute weights of a row: how much the map can amplify (1 for linear and nearest)."""
        return max(sum((abs(weight) for _, weight in row), Fraction(0)) for row in self.rows)

    def positions(self) -> list[Fraction]:
        """What each output pixel looks at: the pixel copied where the row copies one, else the coordinate."""
        pairs = zip(self.rows, self.source_coordinates(), strict=True)
        return [Fraction(row[0][0]) if len(row) == 1 and self._copies else x for row, x in pairs]

    @property
    def _copies(self) -> bool:
        """Whether rows of one pixel are a choice of that pixel (nearest), not an interpolation that hit it."""
        return self.selection is not None

"""Small arrays of which some entries are known before the model runs, such as a shape with a symbolic batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["LARGEST", "Partial"]

LARGEST = 1024
"""Arrays with more elements are not about shapes, and are never computed."""


@dataclass(frozen=True, eq=False)
class Partial:
    """An array and which of its entries are known.

    Attributes:
        values: the entries; those that are not known hold anything.
        known: bool array of the same shape.
    """

    values: np.ndarray
    known: np.ndarray

    @classmethod
    def full(cls, values: Any) -> Partial:
        """An array that is known entirely."""
        array = np.asarray(values)
        return cls(array, np.ones(array.shape, dtype=bool))

    @classmethod
    def of_shape(cls, shape: Sequence[int | str | None]) -> Partial:
        """The int64 vector that Shape gives for a tensor with these lengths."""
        known = np.array([isinstance(length, int) for length in shape], dtype=bool)
        values = np.array([length if isinstance(length, int) else 0 for length in shape], dtype=np.int64)
        return cls(values, known)

    @property
    def array(self) -> np.ndarray | None:
        """The values, None unless all are known."""
        return self.values if bool(self.known.all()) else None

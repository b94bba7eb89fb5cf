"""Name, shape and element type of a model input or output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TensorSpec"]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of anything that can be run.

    Attributes:
        name: as the model spells it.
        shape: one entry per axis; None where the length is not fixed.
        dtype: numpy element type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype

"""Constant weights of a node, read without keeping them."""

from __future__ import annotations

import math

import numpy as np
from onnx.checker import ValidationError
from onnx_graphsurgeon import Constant, Tensor
from onnx_graphsurgeon.ir.tensor import LazyValues

__all__ = ["read_weights"]

_LARGEST = 1 << 18
"""Entries of the largest constant that is looked at; 512 × 512."""


def read_weights(tensor: Tensor, rank: int | None = None, largest: int = _LARGEST) -> np.ndarray | None:
    """A constant float32 tensor; None where it is none, has more than `largest` entries, or another rank."""
    constant: Tensor = tensor
    if not isinstance(tensor, Constant) and len(tensor.inputs) == 1 and tensor.inputs[0].op == "Constant":
        value = tensor.inputs[0].attrs.get("value")
        constant = value if isinstance(value, Constant) else tensor
    if not isinstance(constant, Constant):
        return None
    values = constant._values
    shape = tuple(int(length) for length in values.shape)
    if math.prod(shape) > largest or np.dtype(values.dtype) != np.float32:
        return None
    if rank is not None and len(shape) != rank:
        return None
    if not isinstance(values, LazyValues):
        return np.asarray(values)
    try:
        return np.asarray(values.load())
    except (ValueError, OSError, TypeError, ValidationError):
        return None

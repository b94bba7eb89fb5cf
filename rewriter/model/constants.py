"""Values of small tensors that are known before the model runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx.checker import ValidationError
from onnx_graphsurgeon import Constant, Node, Tensor
from onnx_graphsurgeon.ir.tensor import LazyValues

from rewriter.model.scopes import in_default_domain
from rewriter.model.values import StoredValues

__all__ = ["constant_value"]

_LARGEST = 4096
_SCALAR_TYPES: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def constant_value(tensor: Tensor) -> np.ndarray | None:
    """The value of a tensor that is an initializer or the output of a Constant node (through Identity nodes).

    The tensor stays lazy: its stored form is read, not replaced. None where the value is not constant, has more
    than 4,096 elements, or cannot be read.
    """
    seen = 0
    while not isinstance(tensor, Constant):
        if len(tensor.inputs) != 1 or seen > 16:
            return None
        node = tensor.inputs[0]
        if not in_default_domain(node):
            return None
        if node.op == "Constant":
            return _of_constant_node(node)
        if node.op != "Identity" or not node.inputs:
            return None
        tensor = node.inputs[0]
        seen += 1
    return _of_constant(tensor)


def _of_constant(constant: Constant) -> np.ndarray | None:
    values = constant._values
    if math.prod(values.shape) > _LARGEST:
        return None
    if not isinstance(values, LazyValues):
        return values
    try:
        return values.small if isinstance(values, StoredValues) else np.asarray(values.load())
    except (ValueError, OSError, TypeError, ValidationError):
        return None


def _of_constant_node(node: Node) -> np.ndarray | None:
    value = node.attrs.get("value")
    if isinstance(value, Constant):
        return _of_constant(value)
    for name, dtype in _SCALAR_TYPES.items():
        if isinstance(node.attrs.get(name), (int, float, list)):
            return np.array(node.attrs[name], dtype=dtype)
    return None

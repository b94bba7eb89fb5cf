"""MIL element types as numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["numpy_dtype", "numpy_dtype_of_name"]

_BY_NAME = {
    "fp16": np.float16,
    "fp32": np.float32,
    "fp64": np.float64,
    "double": np.float64,
    "bool": np.bool_,
    "int4": np.int8,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint1": np.uint8,
    "uint2": np.uint8,
    "uint3": np.uint8,
    "uint4": np.uint8,
    "uint6": np.uint8,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
}


def numpy_dtype_of_name(name: str) -> np.dtype[Any] | None:
    """Element type for a MIL type name such as ``"fp16"``; None for what is not a number (strings, lists)."""
    found = _BY_NAME.get(name)
    return None if found is None else np.dtype(found)


def numpy_dtype(var: Any) -> np.dtype[Any] | None:
    """Element type of a MIL variable; None where it is a list, a string, a state or a dictionary."""
    from coremltools.converters.mil.mil import types

    kind = var.sym_type
    if types.is_list(kind) or types.is_str(kind) or types.is_dict(kind) or types.is_state(kind):
        return None
    return numpy_dtype_of_name(types.builtin_to_string(var.dtype))

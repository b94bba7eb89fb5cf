"""ONNX values as Core ML can hold them: element types narrowed, constants checked and turned into MIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 - the name that MIL code uses
from coremltools.converters.mil.mil import Var, types
from coremltools.converters.mil.mil.types.symbolic import is_symbolic
from onnx import TensorProto

from rewriter.errors import UnsupportedError

__all__ = ["MAX_RANK", "constant_var", "element_type_name", "mil_type", "narrow", "static_shape"]

MAX_RANK = 5
_INT32 = np.iinfo(np.int32)

_MIL_TYPES = {
    TensorProto.FLOAT: types.fp32,
    TensorProto.FLOAT16: types.fp32,
    TensorProto.DOUBLE: types.fp32,
    TensorProto.INT32: types.int32,
    TensorProto.INT64: types.int32,
    TensorProto.BOOL: types.bool,
}


def element_type_name(element_type: int) -> str:
    """ONNX's name of an element type, e.g. ``FLOAT``."""
    return str(TensorProto.DataType.Name(element_type))


def mil_type(element_type: int, what: str) -> Any:
    """The MIL type that holds an ONNX element type: float32, int32 or bool.

    float16 and float64 are computed in float32 (the program's precision option then decides), int64 in int32.

    Raises:
        UnsupportedError: Core ML has no such tensors (strings, complex numbers, small and unsigned integers).
    """
    if element_type not in _MIL_TYPES:
        raise UnsupportedError(
            f"{what} has element type {element_type_name(element_type)}, which MIL programs lack"
        )
    return _MIL_TYPES[element_type]


def narrow(array: np.ndarray, what: str) -> np.ndarray:
    """`array` as float32, int32 or bool.

    Raises:
        UnsupportedError: an integer does not fit into 32 bits, or the type has no counterpart.
    """
    if array.dtype == np.bool_:
        return array
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32, copy=False)
    if not np.issubdtype(array.dtype, np.integer):
        raise UnsupportedError(f"{what} holds {array.dtype} values, which MIL programs lack")
    if array.size and (int(array.min()) < _INT32.min or int(array.max()) > _INT32.max):
        raise UnsupportedError(f"{what} holds integers beyond 32 bits, which Core ML cannot hold")
    return array.astype(np.int32, copy=False)


def constant_var(array: np.ndarray, name: str) -> Var:
    """A MIL constant.

    Raises:
        UnsupportedError: rank above 5, no elements, or values out of range.
    """
    what = f"constant '{name}'"
    if array.ndim > MAX_RANK:
        raise UnsupportedError(f"{what} has rank {array.ndim}, Core ML allows {MAX_RANK}")
    if array.size == 0:
        raise UnsupportedError(f"{what} is empty, Core ML has no empty tensors")
    value = narrow(array, what)
    return mb.const(val=value if value.ndim else value[()], name=name)


def static_shape(var: Var) -> tuple[int, ...]:
    """The lengths of a MIL variable.

    Raises:
        UnsupportedError: a length is only known at run time.
    """
    shape = tuple(var.shape)
    if any(is_symbolic(length) for length in shape):
        raise UnsupportedError(
            f"'{var.name}' has a length that is only known at run time",
            remedy="give the inputs fixed shapes with --shape NAME:1,H,W,3",
        )
    return tuple(int(length) for length in shape)

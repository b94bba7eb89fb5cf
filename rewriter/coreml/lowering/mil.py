"""Small compositions of MIL operators that several families share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var, types

from rewriter.coreml.lowering.node import is_float
from rewriter.coreml.lowering.values import static_shape

__all__ = [
    "as_float",
    "broadcast_to",
    "cast",
    "chain",
    "mil_name",
    "numpy_type",
    "one",
    "reshape",
    "scalar",
    "transpose",
]

_MIL_NAMES = {types.fp32: "fp32", types.fp16: "fp16", types.int32: "int32", types.bool: "bool"}
_NUMPY_TYPES = {types.fp32: np.float32, types.fp16: np.float16, types.int32: np.int32, types.bool: np.bool_}


def mil_name(var: Var) -> str:
    """The name that MIL's cast gives to a variable's element type."""
    return _MIL_NAMES[var.dtype]


def numpy_type(var: Var) -> type[np.generic]:
    """The numpy type of a MIL variable's elements."""
    return _NUMPY_TYPES[var.dtype]


def scalar(value: float, like: Var) -> np.generic:
    """`value` with the element type of `like`."""
    return numpy_type(like)(value)


def one(like: Var) -> np.generic:
    """The number one with the element type of `like`."""
    return scalar(1, like)


def cast(var: Var, dtype: str) -> Var:
    """`var` as ``fp32``, ``fp16``, ``int32`` or ``bool``; nothing where it is that already."""
    if mil_name(var) == dtype:
        return var
    if dtype == "bool":
        return mb.not_equal(x=var, y=scalar(0, var))
    return mb.cast(x=var, dtype=dtype)


def as_float(var: Var) -> Var:
    """`var` in float32 unless it holds floating-point numbers already."""
    return var if is_float(var) else cast(var, "fp32")


def chain(operator: Callable[..., Var], values: Sequence[Var]) -> Var:
    """`operator` between all `values`, from the left."""
    return functools.reduce(lambda x, y: operator(x=x, y=y), values)


def reshape(var: Var, shape: Sequence[int]) -> Var:
    """`var` with other lengths; nothing where they are the same; rank 0 through a squeeze."""
    lengths = tuple(int(length) for length in shape)
    have = static_shape(var)
    if have == lengths:
        return var
    if not lengths:
        return mb.squeeze(x=var, axes=list(range(len(have))))
    if not have:
        var = mb.expand_dims(x=var, axes=[0])
        return var if lengths == (1,) else mb.reshape(x=var, shape=lengths)
    return mb.reshape(x=var, shape=lengths)


def transpose(var: Var, perm: Sequence[int]) -> Var:
    """`var` with its axes in the order `perm`; nothing where that is their order."""
    if list(perm) == sorted(perm):
        return var
    return mb.transpose(x=var, perm=list(perm))


def broadcast_to(var: Var, shape: Sequence[int]) -> Var:
    """`var` repeated along axes of length 1 until it has the lengths `shape` (numpy's rule)."""
    lengths = list(static_shape(var))
    aligned = [1] * (len(shape) - len(lengths)) + lengths
    repeats = [want if have == 1 else 1 for have, want in zip(aligned, shape, strict=True)]
    var = reshape(var, aligned)
    if all(count == 1 for count in repeats):
        return var
    if var.dtype == types.bool:  # tile lacks truth values
        return cast(mb.tile(x=cast(var, "int32"), reps=repeats), "bool")
    return mb.tile(x=var, reps=repeats)

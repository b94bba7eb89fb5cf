"""Functions of one tensor, element by element, and casts."""

from __future__ import annotations

import math

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__ = ["error_function"]

_FUNCTIONS: dict[str, np.ufunc] = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "floor": np.floor,
    "logical_not": np.logical_not,
    "round": np.rint,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}


@kernel(*_FUNCTIONS)
def elementwise(call: Call) -> Array:
    return _FUNCTIONS[call.operation.op_type](call.tensor("x"))


@kernel("clip")
def clip(call: Call) -> Array:
    x = call.tensor("x")
    return np.minimum(np.maximum(x, _scalar(call, "alpha", x)), _scalar(call, "beta", x))


@kernel("threshold")
def threshold(call: Call) -> Array:
    """max(x, alpha)."""
    x = call.tensor("x")
    return np.maximum(x, _scalar(call, "alpha", x))


@kernel("erf")
def erf(call: Call) -> Array:
    return error_function(call.tensor("x"))


@kernel("inverse")
def inverse(call: Call) -> Array:
    """1 / (x + epsilon)."""
    x = call.tensor("x")
    return 1 / (x + _scalar(call, "epsilon", x))


@kernel("log")
def log(call: Call) -> Array:
    """log(x + epsilon)."""
    x = call.tensor("x")
    return np.log(x + _scalar(call, "epsilon", x))


@kernel("rsqrt")
def rsqrt(call: Call) -> Array:
    """1 / sqrt(x + epsilon)."""
    x = call.tensor("x")
    return 1 / np.sqrt(x + _scalar(call, "epsilon", x))


@kernel("cast")
def cast(call: Call) -> Array:
    """Another element type: towards zero to integers, non-zero to true."""
    return call.stored("x").astype(call.dtype)


@kernel("identity")
def identity(call: Call) -> Array:
    return call.stored("x")


def error_function(x: Array) -> Array:
    """The Gauss error function of each element, in the type of `x`."""
    values = np.fromiter((math.erf(value) for value in x.ravel().tolist()), np.float64, x.size)
    return values.reshape(x.shape).astype(x.dtype)


def _scalar(call: Call, name: str, x: Array) -> Array:
    """A scalar parameter in the type of the tensor that it is combined with."""
    return np.asarray(call.number(name), x.dtype)

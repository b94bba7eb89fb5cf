"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.kernels.elementwise_unary import error_function
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__ = ["apply_activation", "sigmoid_of"]


@kernel("relu")
def relu(call: Call) -> Array:
    return np.maximum(call.tensor("x"), 0)


@kernel("relu6")
def relu6(call: Call) -> Array:
    return np.clip(call.tensor("x"), 0, 6)


@kernel("clamped_relu")
def clamped_relu(call: Call) -> Array:
    """min(beta, x) for x >= 0, else min(beta, alpha * x)."""
    x = call.tensor("x")
    return np.minimum(np.where(x >= 0, x, x * _scalar(call, "alpha")), _scalar(call, "beta"))


@kernel("leaky_relu")
def leaky_relu(call: Call) -> Array:
    x = call.tensor("x")
    return np.where(x >= 0, x, x * _scalar(call, "alpha"))


@kernel("thresholded_relu")
def thresholded_relu(call: Call) -> Array:
    """x where x >= alpha, else 0."""
    x = call.tensor("x")
    return np.where(x >= _scalar(call, "alpha"), x, np.zeros_like(x))


@kernel("prelu")
def prelu(call: Call) -> Array:
    """x where x > 0, else alpha[channel] * x; channels are axis 1."""
    x = call.tensor("x")
    return np.where(x > 0, x, x * _per_channel(call, "alpha", x))


@kernel("elu")
def elu(call: Call) -> Array:
    x = call.tensor("x")
    return np.where(x > 0, x, _scalar(call, "alpha") * np.expm1(np.minimum(x, 0)))


@kernel("gelu")
def gelu(call: Call) -> Array:
    """x times the normal distribution function, exact or by one of the two approximations."""
    x, mode = call.tensor("x"), call.text("mode")
    if mode == "EXACT":
        return 0.5 * x * (1 + error_function(x / np.float32(np.sqrt(2))))
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
    if mode == "SIGMOID_APPROXIMATION":
        return x * sigmoid_of(np.float32(1.702) * x)
    raise UnsupportedError(f"gelu mode {mode} is not known")


@kernel("linear_activation")
def linear_activation(call: Call) -> Array:
    return _scalar(call, "alpha") * call.tensor("x") + _scalar(call, "beta")


@kernel("scaled_tanh")
def scaled_tanh(call: Call) -> Array:
    return _scalar(call, "alpha") * np.tanh(_scalar(call, "beta") * call.tensor("x"))


@kernel("sigmoid")
def sigmoid(call: Call) -> Array:
    return sigmoid_of(call.tensor("x"))


@kernel("sigmoid_hard")
def sigmoid_hard(call: Call) -> Array:
    return np.clip(_scalar(call, "alpha") * call.tensor("x") + _scalar(call, "beta"), 0, 1)


@kernel("silu")
def silu(call: Call) -> Array:
    x = call.tensor("x")
    return x * sigmoid_of(x)


@kernel("softplus")
def softplus(call: Call) -> Array:
    return np.logaddexp(call.tensor("x"), np.float32(0))


@kernel("softplus_parametric")
def softplus_parametric(call: Call) -> Array:
    """alpha[channel] * log(1 + exp(beta[channel] * x))."""
    x = call.tensor("x")
    return _per_channel(call, "alpha", x) * np.logaddexp(_per_channel(call, "beta", x) * x, np.float32(0))


@kernel("softsign")
def softsign(call: Call) -> Array:
    x = call.tensor("x")
    return x / (1 + np.abs(x))


@kernel("softmax")
def softmax(call: Call) -> Array:
    x, axis = call.tensor("x"), call.integer("axis")
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def sigmoid_of(x: Array) -> Array:
    """1 / (1 + exp(-x)), through tanh so that no exponential overflows."""
    return 0.5 * np.tanh(0.5 * x) + np.asarray(0.5, x.dtype)


def apply_activation(name: str, x: Array) -> Array:
    """An activation of a recurrent operator, by the name that its parameter gives.

    Raises:
        UnsupportedError: unknown name.
    """
    if name not in _RECURRENT:
        raise UnsupportedError(f"recurrent activation {name} is not known")
    return _RECURRENT[name](x)


_RECURRENT: dict[str, Callable[[Array], Array]] = {
    "hard_sigmoid": lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1),
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    # Its parameters cannot be set here; coremltools' own expected values take both as 1.
    "scaled_tanh": np.tanh,
    "sigmoid": sigmoid_of,
    "sigmoid_hard": lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1),
    "tanh": np.tanh,
}


def _scalar(call: Call, name: str) -> np.float32:
    return np.float32(call.number(name))


def _per_channel(call: Call, name: str, x: Array) -> Array:
    return call.tensor(name).reshape(-1, *[1] * (x.ndim - 2))

"""The activation layer and its kinds, softmax, clamping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.kernels.activation import sigmoid_of
from rewriter.coreml.simulator.kernels.elementwise_unary import error_function
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, enum_name, layer, read_weights

__all__: list[str] = []


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, np.zeros_like(x))


_FUNCTIONS: dict[str, Callable[[Array, Any], Array]] = {
    "linear": lambda x, p: np.float32(p.alpha) * x + np.float32(p.beta),
    "ReLU": lambda x, p: np.maximum(x, 0),
    "leakyReLU": lambda x, p: np.where(x >= 0, x, np.float32(p.alpha) * x),
    "thresholdedReLU": lambda x, p: np.where(x >= p.alpha, x, np.zeros_like(x)),
    "tanh": lambda x, p: np.tanh(x),
    "scaledTanh": lambda x, p: np.float32(p.alpha) * np.tanh(np.float32(p.beta) * x),
    "sigmoid": lambda x, p: sigmoid_of(x),
    "sigmoidHard": lambda x, p: np.clip(np.float32(p.alpha) * x + np.float32(p.beta), 0, 1),
    "ELU": lambda x, p: np.where(x >= 0, x, np.float32(p.alpha) * np.expm1(np.minimum(x, 0))),
    "softsign": lambda x, p: x / (1 + np.abs(x)),
    "softplus": lambda x, p: _softplus(x),
}


@layer("activation")
def activation(layer: Layer) -> Array:
    """One elementwise function; PReLU has its slope per channel (axis -3)."""
    kind = layer.parameters.WhichOneof("NonlinearityType")
    chosen = getattr(layer.parameters, kind)
    x = layer.x
    if kind == "PReLU":
        slope = _per_channel(layer, chosen.alpha, x)
        return np.where(x >= 0, x, slope * x)
    if kind == "parametricSoftplus":
        alpha, beta = (_per_channel(layer, field, x) for field in (chosen.alpha, chosen.beta))
        return alpha * _softplus(beta * x)
    if kind not in _FUNCTIONS:
        raise layer.refuse(f"no function {kind}")
    return _FUNCTIONS[kind](x, chosen)


def _per_channel(layer: Layer, message: Any, x: Array) -> Array:
    values = read_weights(message, (-1,), layer.name)
    if values.size == 1:
        return values
    if x.ndim < 3:
        raise layer.refuse(f"per channel on a tensor of rank {x.ndim}")
    return values.reshape(-1, 1, 1)


@layer("clampedReLU")
def clamped_relu(layer: Layer) -> Array:
    x, p = layer.x, layer.parameters
    return np.minimum(np.where(x >= 0, x, np.float32(p.alpha) * x), np.float32(p.beta))


@layer("softmaxND")
def softmax_nd(layer: Layer) -> Array:
    return _softmax(layer.x, layer.parameters.axis)


@layer("softmax")
def softmax(layer: Layer) -> Array:
    """Over the channels, axis -3."""
    return _softmax(layer.x, -3)


def _softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@layer("gelu")
def gelu(layer: Layer) -> Array:
    x = layer.x
    mode = enum_name(layer.parameters, "mode")
    if mode == "EXACT":
        return 0.5 * x * (1 + error_function(x / np.float32(np.sqrt(2))))
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
    return x * sigmoid_of(np.float32(1.702) * x)

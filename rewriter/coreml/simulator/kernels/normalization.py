"""Batch, instance, layer, L2 and local response normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("batch_norm")
def batch_norm(call: Call) -> Array:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per channel (axis 1)."""
    x = call.tensor("x")
    scale = 1 / np.sqrt(call.tensor("variance") + np.float32(call.number("epsilon")))
    gamma, beta = call.optional("gamma"), call.optional("beta")
    if gamma is not None:
        scale = scale * gamma
    offset = -call.tensor("mean") * scale
    if beta is not None:
        offset = offset + beta
    result = x * _per_channel(scale, x)
    result += _per_channel(offset, x)
    return result


@kernel("instance_norm")
def instance_norm(call: Call) -> Array:
    """Each channel of each image gets mean 0 and variance 1, then gamma and beta per channel."""
    x = call.tensor("x")
    result = _standardised(x, tuple(range(2, x.ndim)), call.number("epsilon"))
    gamma, beta = call.optional("gamma"), call.optional("beta")
    if gamma is not None:
        result = result * _per_channel(gamma, x)
    if beta is not None:
        result = result + _per_channel(beta, x)
    return result


@kernel("layer_norm")
def layer_norm(call: Call) -> Array:
    """Mean 0 and variance 1 over the given axes, then gamma and beta of those axes' shape."""
    x = call.tensor("x")
    axes = tuple(sorted(axis % x.ndim for axis in call.integers("axes")))
    result = _standardised(x, axes, call.number("epsilon"))
    shape = [length if axis in axes else 1 for axis, length in enumerate(x.shape)]
    gamma, beta = call.optional("gamma"), call.optional("beta")
    if gamma is not None:
        result = result * gamma.reshape(shape)
    if beta is not None:
        result = result + beta.reshape(shape)
    return result


@kernel("l2_norm")
def l2_norm(call: Call) -> Array:
    """x / sqrt(sum of squares over the last three axes + epsilon)."""
    x = call.tensor("x")
    squares = np.sum(np.square(x), axis=(-3, -2, -1), keepdims=True)
    return x / np.sqrt(squares + np.float32(call.number("epsilon")))


def _suspect_channels(operation: Any) -> str | None:
    if operation.x.rank == 4:
        return None
    return "documented for channels on axis 1; axis -3 is assumed, which alone explains coremltools' expected values"


@kernel("local_response_norm", suspicion=_suspect_channels)
def local_response_norm(call: Call) -> Array:
    """x / (k + alpha / size * sum of squares of the neighbouring channels) ** beta; channels are axis -3."""
    x, size = call.tensor("x"), call.integer("size")
    before = size // 2
    squares = np.moveaxis(np.square(x), -3, 0)
    padded = np.pad(squares, [(before, size - 1 - before)] + [(0, 0)] * (x.ndim - 1))
    total = np.zeros_like(squares)
    for shift in range(size):
        total += padded[shift : shift + len(squares)]
    base = np.float32(call.number("k")) + np.float32(call.number("alpha") / size) * np.moveaxis(total, 0, -3)
    return x / base ** np.float32(call.number("beta"))


def _standardised(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    return centred / np.sqrt(variance + np.float32(epsilon))


def _per_channel(values: Array, x: Array) -> Array:
    return values.reshape(-1, *[1] * (x.ndim - 2))

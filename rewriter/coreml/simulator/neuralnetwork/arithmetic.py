"""Elementwise layers: unary functions, arithmetic of several inputs, comparisons, logic. Truth is 1, falsehood 0."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.kernels.elementwise_unary import error_function
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, enum_name, layer

__all__: list[str] = []

_PLAIN: dict[str, Callable[[Array], Array]] = {
    "copy": lambda x: x,
    "ceil": np.ceil,
    "floor": np.floor,
    "sign": np.sign,
    "round": np.round,
    "exp2": np.exp2,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": error_function,
    "logicalNot": lambda x: (x == 0).astype(np.float32),
}

_MANY: dict[str, Callable[[Array, Array], Array]] = {
    "addBroadcastable": np.add,
    "multiplyBroadcastable": np.multiply,
    "maxBroadcastable": np.maximum,
    "minBroadcastable": np.minimum,
    "max": np.maximum,
    "min": np.minimum,
    "subtractBroadcastable": np.subtract,
    "divideBroadcastable": np.divide,
    "floorDivBroadcastable": np.floor_divide,
    "modBroadcastable": np.mod,
    "powBroadcastable": np.power,
}

_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "equal": np.equal,
    "notEqual": np.not_equal,
    "lessThan": np.less,
    "lessEqual": np.less_equal,
    "greaterThan": np.greater,
    "greaterEqual": np.greater_equal,
}

_LOGIC: dict[str, Callable[[Array, Array], Array]] = {
    "logicalAnd": np.logical_and,
    "logicalOr": np.logical_or,
    "logicalXor": np.logical_xor,
}


@layer(*_PLAIN)
def plain(layer: Layer) -> Array:
    """A function of one input without parameters."""
    return _PLAIN[layer.kind](layer.x)


@layer(*_MANY)
def many(layer: Layer) -> Array:
    """A function of two inputs, or folded over several; shapes broadcast from the last axis."""
    return functools.reduce(_MANY[layer.kind], layer.inputs)


@layer("add", "multiply")
def add_or_multiply(layer: Layer) -> Array:
    """All inputs; a single input is combined with the constant `alpha`."""
    function = np.add if layer.kind == "add" else np.multiply
    if len(layer.inputs) == 1:
        return function(layer.x, np.float32(layer.parameters.alpha))
    return functools.reduce(function, layer.inputs)


@layer(*_COMPARISONS)
def compare(layer: Layer) -> Array:
    """Two inputs, or one with the constant `alpha`."""
    other = layer.inputs[1] if len(layer.inputs) == 2 else np.float32(layer.parameters.alpha)
    return _COMPARISONS[layer.kind](layer.x, other).astype(np.float32)


@layer(*_LOGIC)
def logic(layer: Layer) -> Array:
    first, second = (value != 0 for value in layer.inputs)
    return _LOGIC[layer.kind](first, second).astype(np.float32)


@layer("whereBroadcastable")
def where(layer: Layer) -> Array:
    condition, chosen, otherwise = layer.inputs
    return np.where(condition != 0, chosen, otherwise)


@layer("clip")
def clip(layer: Layer) -> Array:
    return np.clip(layer.x, np.float32(layer.parameters.minVal), np.float32(layer.parameters.maxVal))


@layer("unary")
def unary(layer: Layer) -> Array:
    """f(scale * x + shift), with the small number `epsilon` where f has a pole."""
    p = layer.parameters
    kind = enum_name(p, "type")
    x = layer.x * np.float32(p.scale or 1) + np.float32(p.shift)
    epsilon = np.float32(p.epsilon)
    if kind == "SQRT":
        return np.sqrt(x)
    if kind == "RSQRT":
        return 1 / np.sqrt(x + epsilon)
    if kind == "INVERSE":
        return 1 / (x + epsilon)
    if kind == "POWER":
        return np.power(x, np.float32(p.alpha))
    if kind == "EXP":
        return np.exp(x)
    if kind == "LOG":
        return np.log(np.maximum(x, epsilon) if epsilon else x)
    if kind == "ABS":
        return np.abs(x)
    return np.maximum(x, np.float32(p.alpha))

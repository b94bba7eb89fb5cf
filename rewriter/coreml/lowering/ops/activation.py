"""Activation functions."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import scalar
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []

_DIRECT = {"Relu": "relu", "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign"}
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875


@lowering(*_DIRECT)
def direct(node: Node) -> Var:
    x = node.var()
    if node.op == "Relu" and not node.is_float():
        return mb.maximum(x=x, y=scalar(0, x))
    return getattr(mb, _DIRECT[node.op])(x=x)


@lowering("LeakyRelu")
def leaky_relu(node: Node) -> Var:
    return mb.leaky_relu(x=node.var(), alpha=np.float32(node.attr("alpha", 0.01)))


@lowering("PRelu")
def prelu(node: Node) -> Var:
    x, slope = node.var(0), node.constant(1)
    shape = node.shape(0)
    if slope is not None and len(shape) >= 3 and node.is_float():
        aligned = (1,) * (len(shape) - slope.ndim) + slope.shape
        if slope.size == 1 or (aligned[1] == shape[1] and slope.size == shape[1]):
            return mb.prelu(x=x, alpha=np.broadcast_to(slope.reshape(-1), (shape[1],)).astype(np.float32))
    zero = scalar(0, x)
    negative = mb.mul(x=mb.minimum(x=x, y=zero), y=node.var(1))
    return mb.add(x=mb.maximum(x=x, y=zero), y=negative)


@lowering("Elu")
def elu(node: Node) -> Var:
    return mb.elu(x=node.var(), alpha=np.float32(node.attr("alpha", 1.0)))


@lowering("Selu")
def selu(node: Node) -> Var:
    inner = mb.elu(x=node.var(), alpha=np.float32(node.attr("alpha", _SELU_ALPHA)))
    return mb.mul(x=inner, y=np.float32(node.attr("gamma", _SELU_GAMMA)))


@lowering("Celu")
def celu(node: Node) -> Var:
    # max(0, x) + min(0, alpha (exp(x / alpha) - 1)) = alpha elu(x / alpha) for the positive alpha of the definition
    x, alpha = node.var(), np.float32(node.attr("alpha", 1.0))
    if alpha <= 0:
        raise node.refuse(f"alpha is {alpha}, the operator is defined for positive values")
    if alpha == 1:
        return mb.elu(x=x, alpha=alpha)
    return mb.mul(x=mb.elu(x=mb.real_div(x=x, y=alpha), alpha=np.float32(1)), y=alpha)


@lowering("HardSigmoid")
def hard_sigmoid(node: Node) -> Var:
    return mb.sigmoid_hard(
        x=node.var(), alpha=np.float32(node.attr("alpha", 0.2)), beta=np.float32(node.attr("beta", 0.5))
    )


@lowering("HardSwish")
def hard_swish(node: Node) -> Var:
    x = node.var()
    return mb.mul(x=x, y=mb.sigmoid_hard(x=x, alpha=np.float32(1 / 6), beta=np.float32(0.5)))


@lowering("Swish")
def swish(node: Node) -> Var:
    x, alpha = node.var(), node.attr("alpha", 1.0)
    if alpha == 1:
        return mb.silu(x=x)
    return mb.mul(x=x, y=mb.sigmoid(x=mb.mul(x=x, y=np.float32(alpha))))


@lowering("Mish")
def mish(node: Node) -> Var:
    x = node.var()
    return mb.mul(x=x, y=mb.tanh(x=mb.softplus(x=x)))


@lowering("Gelu")
def gelu(node: Node) -> Var:
    approximate = node.attr("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise node.refuse(f"unknown approximation '{approximate}'")
    return mb.gelu(x=node.var(), mode="EXACT" if approximate == "none" else "TANH_APPROXIMATION")


@lowering("ThresholdedRelu")
def thresholded_relu(node: Node) -> Var:
    # ONNX keeps x > alpha, MIL's operator of that name x >= alpha.
    x = node.var()
    kept = mb.greater(x=x, y=np.float32(node.attr("alpha", 1.0)))
    return mb.select(cond=kept, a=x, b=scalar(0, x))


@lowering("Shrink")
def shrink(node: Node) -> Var:
    x, bound, bias = node.var(), node.attr("lambd", 0.5), node.attr("bias", 0.0)
    if not node.is_float():
        raise node.refuse("integers are not shrunk")
    above = mb.select(
        cond=mb.greater(x=x, y=np.float32(bound)), a=mb.sub(x=x, y=np.float32(bias)), b=scalar(0, x)
    )
    below = mb.less(x=x, y=np.float32(-bound))
    return mb.select(cond=below, a=mb.add(x=x, y=np.float32(bias)), b=above)

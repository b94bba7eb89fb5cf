"""Element-wise arithmetic of two or more inputs; broadcasting is numpy's on both sides."""

from __future__ import annotations

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import as_float, cast, chain, scalar
from rewriter.coreml.lowering.node import Node, is_float
from rewriter.coreml.lowering.registry import lowering

__all__ = ["truncated_division"]

_OPERATORS = {"Add": "add", "Sub": "sub", "Mul": "mul"}
_VARIADIC = {"Sum": "add", "Max": "maximum", "Min": "minimum"}


@lowering(*_OPERATORS)
def direct(node: Node) -> Var:
    return getattr(mb, _OPERATORS[node.op])(x=node.var(0), y=node.var(1))


@lowering(*_VARIADIC)
def variadic(node: Node) -> Var:
    values = node.vars()
    return values[0] if len(values) == 1 else chain(getattr(mb, _VARIADIC[node.op]), values)


@lowering("Mean")
def mean(node: Node) -> Var:
    values = node.vars()
    if len(values) == 1:
        return values[0]
    return mb.mul(x=chain(mb.add, values), y=scalar(1 / len(values), values[0]))


@lowering("Div")
def divide(node: Node) -> Var:
    x, y = node.var(0), node.var(1)
    return mb.real_div(x=x, y=y) if is_float(x) else truncated_division(x, y)


def truncated_division(x: Var, y: Var) -> Var:
    """x / y for integers, rounded towards zero as ONNX does; MIL's own division rounds down."""
    size = mb.floor_div(x=mb.abs(x=x), y=mb.abs(x=y))
    return mb.mul(x=mb.mul(x=mb.sign(x=x), y=mb.sign(x=y)), y=size)


@lowering("Mod")
def modulo(node: Node) -> Var:
    x, y = node.var(0), node.var(1)
    if not node.attr("fmod", 0):
        return mb.mod(x=x, y=y)  # both take the sign of the divisor
    # C's fmod takes the sign of the dividend: on sizes, both agree.
    return mb.mul(x=mb.sign(x=x), y=mb.mod(x=mb.abs(x=x), y=mb.abs(x=y)))


@lowering("Pow")
def power(node: Node) -> Var:
    x, y = node.var(0), node.var(1)
    if is_float(x):
        return mb.pow(x=x, y=as_float(y))
    if not is_float(y):
        return mb.pow(x=x, y=y)
    return cast(mb.pow(x=as_float(x), y=y), "int32")

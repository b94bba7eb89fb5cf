"""Element-wise operators of one input."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import as_float, scalar
from rewriter.coreml.lowering.node import Node, is_float
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []

_FLOAT_OPERATORS = {
    "Acos": "acos",
    "Asin": "asin",
    "Atan": "atan",
    "Atanh": "atanh",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Round": "round",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}


@lowering(*_FLOAT_OPERATORS)
def direct(node: Node) -> Var:
    return getattr(mb, _FLOAT_OPERATORS[node.op])(x=as_float(node.var()))


@lowering("Abs", "Sign")
def with_integers(node: Node) -> Var:
    return getattr(mb, node.op.lower())(x=node.var())


@lowering("Neg")
def negate(node: Node) -> Var:
    x = node.var()
    return mb.mul(x=x, y=scalar(-1, x))


@lowering("Log")
def log(node: Node) -> Var:
    # MIL adds an epsilon of 1e-45 unless told otherwise.
    return mb.log(x=node.var(), epsilon=np.float32(0))


@lowering("Reciprocal")
def reciprocal(node: Node) -> Var:
    # MIL's inverse adds an epsilon of 1e-4 by default; a division has none.
    x = node.var()
    return mb.real_div(x=scalar(1, x), y=x)


@lowering("Acosh")
def acosh(node: Node) -> Var:
    x = node.var()
    root = mb.sqrt(x=mb.mul(x=mb.sub(x=x, y=scalar(1, x)), y=mb.add(x=x, y=scalar(1, x))))
    return mb.log(x=mb.add(x=x, y=root), epsilon=np.float32(0))


@lowering("Asinh")
def asinh(node: Node) -> Var:
    # Odd: computed on |x|, where nothing cancels.
    x = node.var()
    size = mb.abs(x=x)
    root = mb.sqrt(x=mb.add(x=mb.mul(x=size, y=size), y=scalar(1, x)))
    return mb.mul(x=mb.sign(x=x), y=mb.log(x=mb.add(x=size, y=root), epsilon=np.float32(0)))


@lowering("IsNaN")
def is_nan(node: Node) -> Var:
    x = node.var()
    return mb.not_equal(x=x, y=x)


@lowering("IsInf")
def is_inf(node: Node) -> Var:
    x = node.var()
    positive, negative = node.attr("detect_positive", 1), node.attr("detect_negative", 1)
    if positive and negative:
        return mb.equal(x=mb.abs(x=x), y=scalar(np.inf, x))
    if positive or negative:
        return mb.equal(x=x, y=scalar(np.inf if positive else -np.inf, x))
    raise node.refuse("it detects neither positive nor negative infinity, so its output is constant")


@lowering("Not")
def logical_not(node: Node) -> Var:
    return mb.logical_not(x=node.var())


@lowering("Clip")
def clip(node: Node) -> Var:
    x = node.var()
    low, high = _bound(node, "min", 1), _bound(node, "max", 2)
    if isinstance(low, float) and isinstance(high, float) and is_float(x) and low <= high:
        return _constant_clip(x, low, high)
    # Bounds known at run time, integers, or bounds that cross: then every output is the upper one.
    if low is not None:
        x = mb.maximum(x=x, y=scalar(low, x) if isinstance(low, float) else low)
    if high is not None:
        x = mb.minimum(x=x, y=scalar(high, x) if isinstance(high, float) else high)
    return mb.identity(x=x) if x is node.var() else x


def _constant_clip(x: Var, low: float, high: float) -> Var:
    if low == 0 and high == 6:
        return mb.relu6(x=x)
    return mb.clip(x=x, alpha=np.float32(low), beta=np.float32(high))


def _bound(node: Node, attribute: str, index: int) -> float | Var | None:
    """A number where constant, a variable where known at run time, None where absent or infinite."""
    if attribute in node.attributes:
        value = float(node.attributes[attribute])
    elif not node.has(index):
        return None
    else:
        constant = node.constant(index)
        if constant is None:
            return node.var(index)
        if not np.issubdtype(constant.dtype, np.floating):
            # Integers stay exact as variables; limits beyond 32 bits bound nothing.
            bounds = np.iinfo(np.int32)
            outside = constant <= bounds.min if attribute == "min" else constant >= bounds.max
            return None if np.all(outside) else node.var(index)
        value = float(constant.reshape(-1)[0])
    limitless = -np.inf if attribute == "min" else np.inf
    return None if value == limitless else value


@lowering("Identity", "Dropout")
def identity(node: Node) -> list[Var | np.ndarray | None]:
    if node.op == "Identity":
        return [node.var()]
    training = node.constant(2)
    if node.has(2) and (training is None or bool(training.reshape(-1)[0])):
        ratio = node.constant(1)
        if ratio is None or float(ratio.reshape(-1)[0]) != 0:
            raise node.refuse("it drops values at random (training_mode)", "export the model for inference")
    mask = np.ones(node.shape(), dtype=np.bool_) if node.wants(1) else None
    return [node.var(), mask]

"""Operators that work pixel by pixel, and products over an axis."""

from __future__ import annotations

from rewriter.alignment.states import Lost, Place, State

__all__ = ["JOINING", "POINTWISE"]

Rows = list[State]


def unchanged(place: Place, states: Rows) -> Rows:
    """One image in, one image out, pixel by pixel."""
    extra: Rows = [Lost("a second output that is no image")] * (len(place.node.outputs) - 1)
    return [states[0], *extra]


def without_positions(place: Place, states: Rows) -> Rows:
    """Shapes, constants and random numbers: nothing of the input's pixels is in them."""
    results: Rows = []
    for index, _ in enumerate(place.node.outputs):
        shape = place.output_shape(index)
        results.append((None,) * len(shape) if shape is not None else (None,))
    return results


def product(place: Place, states: Rows) -> Rows:
    """MatMul and Gemm with a constant matrix on the right: the last axis is mixed, the others stay."""
    left, right = states[0], states[1]
    if isinstance(left, Lost):
        return [left]
    if isinstance(right, Lost):
        return [right]
    if any(entry is not None for entry in right):
        return [Lost("a product of two tensors that both depend on the input")]
    if place.node.op == "Gemm" and place.attribute("transA", 0):
        left = left[::-1]
    rank = max(len(left), len(right))
    kept = left[:-1] if len(left) >= 1 else left
    if all(entry is None for entry in left) or len(right) < 2:
        return [(None,) * rank if len(right) > 1 else kept]
    return [(*(None,) * (rank - len(left)), *kept, None)]


_UNARY = """
Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh Elu
Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LRN LeakyRelu Log LogSoftmax
LpNormalization MeanVarianceNormalization Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid
Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu BatchNormalization
InstanceNormalization GroupNormalization LayerNormalization RMSNormalization Dropout
DequantizeLinear QuantizeLinear
"""
_CONSTANT = """
Constant ConstantOfShape EyeLike RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range
Shape Size
"""
_JOINING = """
Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Concat Div Equal Greater GreaterOrEqual Less
LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor
"""
POINTWISE = {
    **dict.fromkeys(_UNARY.split(), unchanged),
    **dict.fromkeys(_CONSTANT.split(), without_positions),
    "MatMul": product,
    "Gemm": product,
}
JOINING = frozenset(_JOINING.split())
"""Operators that bring branches together, pixel by pixel; Concat along one axis."""

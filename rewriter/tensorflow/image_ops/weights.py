"""Weight matrices of ResizeArea and ScaleAndTranslate as formulas, in the steps of TensorFlow's kernels.

The definitions are those of `rewriter.resampling.area` and `rewriter.resampling.filtered`, against which the tests
compare; here each step is an `Expression`, so that lengths and scales may be known only when the model runs. The
order of float32 operations decides which pixels a window takes at its ends, so it is the kernels' own.
"""

from __future__ import annotations

import numpy as np

from rewriter.tensorflow.image_ops.expression import Expression, Value

__all__ = ["FILTER_RADIUS", "area_weights", "filter_weights"]

F = np.float32
FILTER_RADIUS = {
    "lanczos1": 1.0,
    "lanczos3": 3.0,
    "lanczos5": 5.0,
    "gaussian": 1.5,
    "box": 1.0,
    "triangle": 1.0,
    "keyscubic": 2.0,
    "mitchellcubic": 2.0,
}
"""Kernel type of ScaleAndTranslate → radius in pixels."""

_PI = F(3.14159265359)
_SMALLEST = F(1000) * np.finfo(F).tiny


def _c(value: float) -> np.ndarray:
    return np.array(value, F)


def area_weights(e: Expression, n: Value, m: Value, align_corners: bool) -> Value:
    """ResizeArea of one axis, float32 [m, n]: the share of each pixel in the stretch that an output averages.

    Args:
        e: where the formula is written.
        n, m: int64 scalars, input and output length.
        align_corners: the op's flag.
    """
    fn, fm = e.floats(n), e.floats(m)
    step = e("Div", fn, fm)
    if align_corners:
        between = e("Div", e("Sub", fn, _c(1)), e("Max", e("Sub", fm, _c(1)), _c(1)))
        several = e("Greater", e("Min", fn, fm), _c(1))
        step = e("Where", several, between, step)
    i = e.reshaped(e.counting(m), (-1, 1))
    j = e.reshaped(e.counting(n), (1, -1))
    start, end = e("Mul", i, step), e("Mul", e("Add", i, _c(1)), step)
    # What lies beyond the last pixel counts as that pixel.
    last = e("Greater", j, e("Sub", fn, _c(1.5)))
    upper = e("Where", last, _c(3e38), e("Add", j, _c(1)))
    covered = e("Max", e("Sub", e("Min", end, upper), e("Max", start, j)), _c(0))
    return e("Div", covered, step)


def filter_weights(
    e: Expression, kernel: str, n: Value, m: Value, scale: Value, translation: Value, antialias: bool
) -> Value:
    """ScaleAndTranslate of one axis, float32 [m, n]; a row of zeros where the centre lies outside the input.

    Args:
        e: where the formula is written.
        kernel: a key of `FILTER_RADIUS`.
        n, m: int64 scalars, input and output length.
        scale, translation: float32 scalars, output pixels per input pixel, and output pixels.
        antialias: stretch the kernel by 1 / scale when shrinking.
    """
    inverse = e("Div", _c(1), scale)
    # -(inverse * translation) is (-inverse) * translation in floating point.
    shift = e("Sub", _c(0), e("Mul", inverse, translation))
    stretch = e("Max", inverse, _c(1)) if antialias else _c(1)
    i = e.reshaped(e.counting(m), (-1, 1))
    j = e.reshaped(e.counting(n), (1, -1))
    fn = e.floats(n)
    centre = e("Add", e("Mul", e("Add", i, _c(0.5)), inverse), shift)
    reach = e("Mul", _c(FILTER_RADIUS[kernel]), stretch)
    first = e("Ceil", e("Sub", e("Sub", centre, reach), _c(0.5)))
    last = e("Floor", e("Sub", e("Add", centre, reach), _c(0.5)))
    highest = e("Sub", fn, _c(1))
    # Ends outside the input move to its first or last pixel, which are then part of the window.
    first, last = (e("Max", e("Min", end, highest), _c(0)) for end in (first, last))
    distance = e("Mul", e("Abs", e("Sub", e("Add", j, _c(0.5)), centre)), e("Div", _c(1), stretch))
    outside = _or(e, e("Less", j, first), e("Greater", j, last))
    away = _or(e, e("Less", centre, _c(0)), e("Greater", centre, fn))
    weights = e("Where", _or(e, outside, away), _c(0), _kernel(e, kernel, distance))
    total = e.row_sums(weights)
    nothing = e("Less", e("Abs", total), _c(float(_SMALLEST)))
    over = e("Div", e("Where", nothing, _c(0), _c(1)), e("Where", nothing, _c(1), total))
    return e("Mul", weights, over)


def _or(e: Expression, a: Value, b: Value) -> Value:
    return e("Not", e("And", e("Not", a), e("Not", b)))


def _kernel(e: Expression, kernel: str, x: Value) -> Value:
    """Weight at distance x, not negative."""
    if kernel.startswith("lanczos"):
        return _lanczos(e, FILTER_RADIUS[kernel], x)
    if kernel == "gaussian":
        bell = e("Exp", e("Mul", _c(-2), e("Mul", x, x)))
        return e("Where", e("Less", x, _c(1.5)), bell, _c(0))
    if kernel == "box":
        edge = e("Where", e("Equal", x, _c(0.5)), _c(0.5), _c(0))
        return e("Where", e("Less", x, _c(0.5)), _c(1), edge)
    if kernel == "triangle":
        return e("Max", e("Sub", _c(1), x), _c(0))
    inner, outer = _CUBICS[kernel]
    beyond = e("Where", e("Less", x, _c(2)), _polynomial(e, outer, x), _c(0))
    return e("Where", e("Less", x, _c(1)), _polynomial(e, inner, x), beyond)


_CUBICS = {
    "keyscubic": ((1.5, -2.5, 0.0, 1.0), (-0.5, 2.5, -4.0, 2.0)),
    "mitchellcubic": ((7 / 6, -2.0, 0.0, 8 / 9), (-7 / 18, 2.0, -10 / 3, 16 / 9)),
}
"""Coefficients below distance 1, and from 1 to 2, of the highest power first."""


def _polynomial(e: Expression, coefficients: tuple[float, ...], x: Value) -> Value:
    """Horner's rule."""
    value: Value = _c(coefficients[0])
    for coefficient in coefficients[1:]:
        value = e("Mul", value, x)
        if coefficient:
            value = e("Add", value, _c(coefficient))
    return value


def _lanczos(e: Expression, radius: float, x: Value) -> Value:
    near = e("Max", x, _c(1e-3))  # where x is smaller the weight is 1; here it only keeps 0 / 0 away
    angle = e("Mul", _c(float(_PI)), near)
    waves = e("Mul", e("Sin", angle), e("Sin", e("Div", angle, _c(radius))))
    weight = e("Div", e("Mul", _c(radius), waves), e("Mul", angle, angle))
    inside = e("Where", e("Greater", x, _c(1e-3)), weight, _c(1))
    return e("Where", e("Greater", x, _c(radius)), _c(0), inside)

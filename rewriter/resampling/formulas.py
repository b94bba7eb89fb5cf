"""Are two coordinate formulas the same function of output index and lengths?

Every formula of `rewriter.resampling.coordinates` is, for n_in and n_out above 1, a quotient of polynomials:
affine in the output index i, of degree at most 2 in each length, at most 4 with n_out = f n_in put in. The
difference of two such quotients has a numerator of degree at most 8 in each variable, and a polynomial of that
degree that vanishes on a grid of 9 values of each variable is zero. So finitely many evaluations, of the same code
that computes the matrices, decide the identity for all lengths. (At n_in = 1 there is only one pixel to take.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.coordinates import COORDINATES, CROPPING, Grid

__all__ = ["coordinate", "same_formula", "same_kernel", "same_pixel_rule"]

_POINTS = 9
Lengths = Callable[[int, int], tuple[int, int]]
_HALF = Fraction(1, 2)
# Each nearest rule is a floor or a ceiling of the coordinate plus an offset.
_DIRECTIONS = {
    "floor": ("floor", Fraction(0)),
    "ceil": ("ceil", Fraction(0)),
    "round_prefer_ceil": ("floor", _HALF),
    "round_prefer_floor": ("ceil", -_HALF),
}


def coordinate(axis: AxisResize, i: int, n: int, m: int) -> Fraction:
    """The source coordinate of output index i at lengths n and m; i need not lie in the output."""
    scale = Fraction(m, n) if axis.scale is None else axis.scale
    return COORDINATES[axis.coordinates](Grid(n, m, scale, axis.roi), i)


def same_formula(a: AxisResize, b: AxisResize, lengths: Lengths, offset: Fraction = Fraction(0)) -> bool:
    """Whether x_a + offset = x_b for every i and every size of a family with n_out > 1.

    Args:
        a, b: two resizes; their own lengths are ignored.
        lengths: sizes of the family as polynomials of two numbers from 2 on; must give n_out > 1.
        offset: added to the coordinate of `a`.
    """
    span = range(2, 2 + _POINTS)
    for s, t in itertools.product(span, span):
        n, m = lengths(s, t)
        # Both are affine in i: two points decide.
        if any(coordinate(a, i, n, m) + offset != coordinate(b, i, n, m) for i in (0, 1)):
            return False
    return True


def same_kernel(a: AxisResize, b: AxisResize, *, shrinks: bool) -> bool:
    """Whether equal coordinates give equal rows; `shrinks` says whether the family has n_out < n_in."""
    return _kernel(a, shrinks) == _kernel(b, shrinks) and _extrapolates(a) == _extrapolates(b)


def _extrapolates(axis: AxisResize) -> bool:
    """Whether the grid may leave the input, and the output is then the extrapolation value."""
    return axis.coordinates in CROPPING and not all(0 <= end <= 1 for end in axis.roi)


def _kernel(axis: AxisResize, shrinks: bool) -> AxisResize:
    """The resize without what has no effect on it, and without its grid and rounding."""
    antialias = axis.antialias and shrinks and axis.kernel != "nearest"
    cubic = axis.kernel == "cubic"
    return replace(
        axis,
        n_in=1,
        n_out=1,
        coordinates="half_pixel",
        rounding="floor",
        scale=None,
        antialias=antialias,
        exclude_outside=axis.exclude_outside and (cubic or antialias),
        cubic_a=axis.cubic_a if cubic else Fraction(0),
        roi=(Fraction(0), Fraction(1)),
    )


def same_pixel_rule(a: AxisResize, b: AxisResize) -> Fraction | None:
    """What has to be added to the coordinates of `a` for its nearest rule to be that of `b`; None where none is."""
    (direction_a, offset_a), (direction_b, offset_b) = nearest_rule(a), nearest_rule(b)
    return offset_a - offset_b if direction_a == direction_b else None


def nearest_rule(axis: AxisResize) -> tuple[str, Fraction]:
    """``floor`` or ``ceil``, and what is added to the coordinate before it."""
    return _DIRECTIONS[axis.rounding]

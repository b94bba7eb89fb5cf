"""Are two resizes the same? Decided on exact matrices; where they differ, by how much and which way."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.kernels import Row
from rewriter.resampling.tensor import TensorResize

__all__ = ["Comparison", "ShiftProfile", "compare"]


@dataclass(frozen=True)
class ShiftProfile:
    """How far the second grid samples from the first, in input pixels; positive is towards the end of the axis.

    Attributes:
        left: at the first output pixel.
        centre: at the middle (mean of the two middle pixels for even lengths).
        right: at the last output pixel.
        max: largest absolute shift over all output pixels.
    """

    left: float = 0.0
    centre: float = 0.0
    right: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The result of `compare(a, b)`.

    Attributes:
        equal: whether both give the same output for every input (exact).
        max_weight_difference: largest |weight of a - weight of b| over all matrix entries.
        worst_case_error: bound on |output of a - output of b| for inputs in [0, 1]; attained when one axis
            differs, an upper bound when several do.
        shift: of b against a; for tensors that of the axis with the largest shift.
        first: `a` in words.
        second: `b` in words.
        sizes: (n_in, n_out) of each axis compared.
    """

    equal: bool
    max_weight_difference: float
    worst_case_error: float
    shift: ShiftProfile
    first: str
    second: str
    sizes: tuple[tuple[int, int], ...]

    def certificate(self) -> dict[str, Any]:
        """The comparison as plain data, for reports and model metadata."""
        return {
            "equal": self.equal,
            "arithmetic": "exact rational",
            "first": self.first,
            "second": self.second,
            "sizes": [list(size) for size in self.sizes],
            "max_weight_difference": self.max_weight_difference,
            "worst_case_error": self.worst_case_error,
            "max_shift_px": self.shift.max,
        }


def compare(a: AxisResize | TensorResize, b: AxisResize | TensorResize) -> Comparison:
    """Compare two resizes of the same input and output shape.

    Raises:
        ValueError: the shapes differ, or an axis is compared with a tensor.
    """
    if isinstance(a, AxisResize) and isinstance(b, AxisResize):
        return _compare_axes(a, b)
    if isinstance(a, TensorResize) and isinstance(b, TensorResize):
        return _compare_tensors(a, b)
    raise ValueError("an axis can only be compared with an axis, a tensor with a tensor")


def _compare_axes(a: AxisResize, b: AxisResize) -> Comparison:
    if (a.n_in, a.n_out) != (b.n_in, b.n_out):
        raise ValueError(f"{a.n_in}→{a.n_out} and {b.n_in}→{b.n_out} have different lengths")
    largest = worst = Fraction(0)
    outside_differs = False
    for row_a, row_b in zip(a.rows, b.rows, strict=True):
        if row_a == row_b:
            continue
        outside_differs |= not row_a or not row_b
        differences = _row_difference(row_a, row_b)
        largest = max(largest, *(abs(d) for d in differences))
        rising = sum((d for d in differences if d > 0), Fraction(0))
        falling = -sum((d for d in differences if d < 0), Fraction(0))
        worst = max(worst, rising, falling)
    equal = largest == 0 and not outside_differs
    return Comparison(
        equal=equal,
        max_weight_difference=float(largest),
        worst_case_error=float(worst),
        shift=ShiftProfile() if equal else _shift(a, b),
        first=a.describe(),
        second=b.describe(),
        sizes=((a.n_in, a.n_out),),
    )


def _compare_tensors(a: TensorResize, b: TensorResize) -> Comparison:
    if (a.input_shape, a.output_shape) != (b.input_shape, b.output_shape):
        raise ValueError(
            f"{a.input_shape}→{a.output_shape} and {b.input_shape}→{b.output_shape} have different shapes"
        )
    parts = [
        Comparison(True, 0.0, 0.0, ShiftProfile(), x.describe(), y.describe(), ((x.n_in, x.n_out),))
        if x == y
        else _compare_axes(x, y)
        for x, y in zip(a.axes, b.axes, strict=True)
    ]
    same_outside = not (a.extrapolates or b.extrapolates) or a.extrapolation_value == b.extrapolation_value
    return Comparison(
        equal=same_outside and all(part.equal for part in parts),
        max_weight_difference=max((part.max_weight_difference for part in parts), default=0.0),
        worst_case_error=_product_bound(a, b, [part.worst_case_error for part in parts]),
        shift=max((part.shift for part in parts), key=lambda shift: shift.max, default=ShiftProfile()),
        first=a.describe(),
        second=b.describe(),
        sizes=tuple(size for part in parts for size in part.sizes),
    )


def _product_bound(a: TensorResize, b: TensorResize, errors: list[float]) -> float:
    """Bound on the error of a product of maps from the errors of its factors.

    Swapping one factor at a time, each swap costs its own error times the norms of the others
    (1 for linear and nearest, up to about 1.5 for cubic).
    """
    norms = [max(_norm(x), _norm(y)) for x, y in zip(a.axes, b.axes, strict=True)]
    total = 0.0
    for index, error in enumerate(errors):
        if error == 0.0:
            continue
        factor = 1.0
        for other, norm in enumerate(norms):
            factor *= norm if other != index else 1.0
        total += error * factor
    return total


def _norm(axis: AxisResize) -> float:
    if axis.kernel != "cubic":
        return 1.0
    return max(float(sum((abs(weight) for _, weight in row), Fraction(0))) for row in axis.rows)


def _row_difference(a: Row, b: Row) -> list[Fraction]:
    difference = dict(b)
    for index, weight in a:
        difference[index] = difference.get(index, Fraction(0)) - weight
    return list(difference.values())


def _shift(a: AxisResize, b: AxisResize) -> ShiftProfile:
    first, second = _positions(a), _positions(b)
    shifts = [float(y - x) for x, y in zip(first, second, strict=True)]
    m = len(shifts)
    return ShiftProfile(
        left=shifts[0],
        centre=(shifts[(m - 1) // 2] + shifts[m // 2]) / 2,
        right=shifts[-1],
        max=max(abs(shift) for shift in shifts),
    )


def _positions(axis: AxisResize) -> list[Fraction]:
    """What each output pixel looks at: the pixel taken for nearest, the sampling coordinate otherwise."""
    coordinates = axis.source_coordinates()
    if axis.kernel != "nearest":
        return coordinates
    return [Fraction(row[0][0]) if row else x for row, x in zip(axis.rows, coordinates, strict=True)]

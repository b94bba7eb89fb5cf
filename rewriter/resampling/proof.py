"""Are two resizes the same? Decided on exact matrices; where they differ, by how much and which way.

One pair of sizes at a time; `rewriter.resampling.ranges` proves it for many sizes, or for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.kernels import Row
from rewriter.resampling.tensor import TensorResize

__all__ = ["Comparison", "ShiftProfile", "WorstCase", "compare"]


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
class WorstCase:
    """An input in [0, 1] on which two maps differ most.

    Attributes:
        axis: index of the tensor axis (0 for a comparison of two axes); the input is constant along the others.
        output_index: output pixel where they differ.
        input: the input along the axis, zeros and ones, length n_in.
    """

    axis: int
    output_index: int
    input: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """The result of `compare(a, b)`.

    Attributes:
        equal: whether both are proved to give the same output for every input.
        max_weight_difference: largest |weight of a - weight of b| over all matrix entries.
        worst_case_error: bound on |output of a - output of b| for inputs in [0, 1]; attained when one axis
            differs, an upper bound when several do.
        shift: of b against a; for tensors that of the axis with the largest shift.
        first: `a` in words.
        second: `b` in words.
        sizes: (n_in, n_out) of each axis compared.
        weight_error: bound on the error of `max_weight_difference`: 0 for exact maps. Maps with irrational weights
            are proved equal only where they are the same map; a difference not above this bound decides nothing.
        worst_case: an input that attains `worst_case_error` (of the axis that differs most); None where equal.
        axes: the two maps of each axis.
    """

    equal: bool
    max_weight_difference: float
    worst_case_error: float
    shift: ShiftProfile
    first: str
    second: str
    sizes: tuple[tuple[int, int], ...]
    weight_error: float = 0.0
    worst_case: WorstCase | None = None
    axes: tuple[tuple[AxisMap, AxisMap], ...] = ()

    @property
    def decided(self) -> bool:
        """Whether equal or proved different; False where rounded weights are too close to tell."""
        return self.equal or self.max_weight_difference > self.weight_error or self.weight_error == 0

    def certificate(self) -> dict[str, Any]:
        """The comparison as plain data, for reports and model metadata.

        `axes` holds the semantics of both sides of each axis that is not left alone: enough to prove it again.
        """
        axes = [
            {"axis": axis, "n_in": a.n_in, "n_out": a.n_out, "first": a.to_json(), "second": b.to_json()}
            for axis, (a, b) in enumerate(self.axes)
            if not (a.is_identity and b.is_identity)
        ]
        return {
            "equal": self.equal,
            "kind": "comparison",
            "axes": axes,
            "proved_for": "one size",
            "arithmetic": "exact rational" if self.weight_error == 0 else "float64 with an error bound",
            "first": self.first,
            "second": self.second,
            "sizes": [list(size) for size in self.sizes],
            "max_weight_difference": self.max_weight_difference,
            "worst_case_error": self.worst_case_error,
            "max_shift_px": self.shift.max,
            "shift_px": {"left": self.shift.left, "centre": self.shift.centre, "right": self.shift.right},
        }


def compare(a: AxisMap | TensorResize, b: AxisMap | TensorResize) -> Comparison:
    """Compare two resizes of the same input and output shape.

    Raises:
        ValueError: the shapes differ, or an axis is compared with a tensor.
    """
    if isinstance(a, AxisMap) and isinstance(b, AxisMap):
        return _compare_axes(a, b)
    if isinstance(a, TensorResize) and isinstance(b, TensorResize):
        return _compare_tensors(a, b)
    raise ValueError("an axis can only be compared with an axis, a tensor with a tensor")


def _compare_axes(a: AxisMap, b: AxisMap, axis: int = 0) -> Comparison:
    if (a.n_in, a.n_out) != (b.n_in, b.n_out):
        raise ValueError(f"{a.n_in}→{a.n_out} and {b.n_in}→{b.n_out} have different lengths")
    same = a == b
    largest = worst = Fraction(0)
    worst_index: int | None = None
    outside_differs = False
    pairs = () if same else zip(a.rows, b.rows, strict=True)
    for index, (row_a, row_b) in enumerate(pairs):
        if row_a == row_b:
            continue
        outside_differs |= (not row_a) != (not row_b)
        difference = _row_difference(row_a, row_b).values()
        largest = max(largest, *(abs(d) for d in difference))
        error = max(*_one_sided(difference))
        if error > worst:
            worst, worst_index = error, index
    # Rounded weights cannot prove that two different maps are equal.
    rounding = Fraction(0) if same else a.weight_error + b.weight_error
    equal = same or (rounding == 0 and largest == 0 and not outside_differs)
    return Comparison(
        equal=equal,
        max_weight_difference=float(largest),
        worst_case_error=float(worst),
        shift=ShiftProfile() if equal else _shift(a, b),
        first=a.describe(),
        second=b.describe(),
        sizes=((a.n_in, a.n_out),),
        weight_error=float(rounding),
        worst_case=None if worst_index is None else _worst_case(a, b, axis, worst_index),
        axes=((a, b),),
    )


def _one_sided(difference: Iterable[Fraction]) -> tuple[Fraction, Fraction]:
    """The sums of the positive and of the negative differences, both as magnitudes."""
    rising = falling = Fraction(0)
    for d in difference:
        if d > 0:
            rising += d
        else:
            falling -= d
    return rising, falling


def _worst_case(a: AxisMap, b: AxisMap, axis: int, index: int) -> WorstCase:
    """The input that is 1 where one row's weights exceed the other's, whichever way sums to more."""
    difference = _row_difference(a.rows[index], b.rows[index])
    rising, falling = _one_sided(difference.values())
    sign = 1 if rising >= falling else -1
    return WorstCase(axis, index, tuple(int(sign * difference.get(j, 0) > 0) for j in range(a.n_in)))


def _compare_tensors(a: TensorResize, b: TensorResize) -> Comparison:
    if (a.input_shape, a.output_shape) != (b.input_shape, b.output_shape):
        raise ValueError(
            f"{a.input_shape}→{a.output_shape} and {b.input_shape}→{b.output_shape} have different shapes"
        )
    parts = [_compare_axes(x, y, axis) for axis, (x, y) in enumerate(zip(a.axes, b.axes, strict=True))]
    worst = max(parts, key=lambda part: part.worst_case_error, default=None)
    surroundings = _difference_outside(a, b)
    return Comparison(
        equal=surroundings == 0.0 and all(part.equal for part in parts),
        max_weight_difference=max((part.max_weight_difference for part in parts), default=0.0),
        worst_case_error=_product_bound(a, b, [part.worst_case_error for part in parts]) + surroundings,
        shift=max((part.shift for part in parts), key=lambda shift: shift.max, default=ShiftProfile()),
        first=a.describe(),
        second=b.describe(),
        sizes=tuple(size for part in parts for size in part.sizes),
        weight_error=max((part.weight_error for part in parts), default=0.0),
        worst_case=None if worst is None else worst.worst_case,
        axes=tuple(zip(a.axes, b.axes, strict=True)),
    )


def _difference_outside(a: TensorResize, b: TensorResize) -> float:
    """Bound on the difference that extrapolation values and backgrounds add; 0 where they cannot be seen."""
    difference = 0.0
    if a.extrapolates and b.extrapolates:
        difference += abs(a.extrapolation_value - b.extrapolation_value)
    elif a.extrapolates or b.extrapolates:
        # Where one interpolates something in [0, 1] the rows count the other's value as 0.
        value = a.extrapolation_value if a.extrapolates else b.extrapolation_value
        difference += max(-value, value - 1, 0.0)
    if a.sees_background or b.sees_background:
        difference += abs(a.background - b.background)
    return difference


def _product_bound(a: TensorResize, b: TensorResize, errors: list[float]) -> float:
    """Bound on the error of a product of maps from the errors of its factors.

    Swapping one factor at a time, each swap costs its own error times the norms of the others
    (1 for linear and nearest, up to about 1.5 for cubic).
    """
    if not any(errors):
        return 0.0
    norms = [float(max(x.norm, y.norm)) for x, y in zip(a.axes, b.axes, strict=True)]
    total = 0.0
    for index, error in enumerate(errors):
        if error == 0.0:
            continue
        factor = 1.0
        for other, norm in enumerate(norms):
            factor *= norm if other != index else 1.0
        total += error * factor
    return total


def _row_difference(a: Row, b: Row) -> dict[int, Fraction]:
    difference = {index: -weight for index, weight in b}
    for index, weight in a:
        difference[index] = difference.get(index, Fraction(0)) + weight
    return difference


def _shift(a: AxisMap, b: AxisMap) -> ShiftProfile:
    shifts = [float(y - x) for x, y in zip(a.positions(), b.positions(), strict=True)]
    m = len(shifts)
    return ShiftProfile(
        left=shifts[0],
        centre=(shifts[(m - 1) // 2] + shifts[m // 2]) / 2,
        right=shifts[-1],
        max=max(abs(shift) for shift in shifts),
    )

"""Proofs by induction over the length: n_out = factor × n_in, and one output pixel.

At a fixed factor p/q the coordinates satisfy x(i + p) = x(i) + q and do not depend on the length. From a length on
that keeps the two borders apart, every row of the next size is a row of this one: the same index where the row does
not see the right border, the index p back and the taps q back where it does not see the left one. So two resizes
that are equal up to that length are equal at every longer one. (The border between the two cases can be the same
for both resizes: the length leaves room for the wider of the two.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from rewriter.resampling.area import AreaAxis
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.coordinates import CROPPING
from rewriter.resampling.filtered import FILTERS, FilteredAxis
from rewriter.resampling.kernels import Row
from rewriter.resampling.sizes import FixedFactor

__all__ = ["Make", "Repetition", "repetition", "stable_size"]

Make = Callable[[int, int], AxisMap]
_SELF_CHECKS = 3


def stable_size(make: Make, family: FixedFactor) -> int | None:
    """The k from which each size of a fixed factor is decided by the one before; None where none is known.

    The step of the induction is also executed: the rows of a few sizes are rebuilt from those of the size before.
    """
    q, p = family.pair(1)
    reach = _reach(make(*family.pair(2)))
    if reach is None or not _periodic(make, family):
        return None
    offset = max(abs(x - Fraction(i * q, p)) for i, x in enumerate(make(2 * q, 2 * p).source_coordinates()))
    longest = 2 * (reach + offset + q + 2)
    k = max(2, math.ceil(longest / q))
    for step in range(_SELF_CHECKS):
        _check_step(make, family, k + step, reach + offset)
    return k


def _periodic(make: Make, family: FixedFactor) -> bool:
    """Whether x(i + p) = x(i) + q at every size: quotients of polynomials of low degree, so a few sizes decide."""
    q, p = family.pair(1)
    reference = make(*family.pair(12)).source_coordinates()
    for k in range(2, 13):
        x = make(*family.pair(k)).source_coordinates()
        if x != reference[: len(x)] or any(b != a + q for a, b in zip(x, x[p:], strict=False)):
            return False
    return True


def _check_step(make: Make, family: FixedFactor, k: int, reach: Fraction) -> None:
    """Rebuild the rows of size k + 1 from those of size k as the induction does.

    Raises:
        AssertionError: a row is not the one that the argument predicts: the argument would be wrong.
    """
    q, p = family.pair(1)
    n, _ = family.pair(k)
    shorter, longer = make(*family.pair(k)), make(*family.pair(k + 1))
    for i, row in enumerate(longer.rows):
        if Fraction(i * q, p) + reach < n - 1:
            predicted = shorter.rows[i]
        else:
            predicted = _moved(shorter.rows[i - p], q)
        if row != predicted:
            raise AssertionError(f"row {i} of {longer.describe()} at {longer.n_in} is not periodic")


def _moved(row: Row, taps: int) -> Row:
    return tuple((index + taps, weight) for index, weight in row)


@dataclass(frozen=True)
class Repetition:
    """With one output pixel at coordinate `slope` n + constant.

    Attributes:
        slope: growth of the coordinate with the length.
        first: the length from which the row sees at most one border.
        period: from there on the row depends on n only through n % period, but for where it lies.
    """

    slope: Fraction
    first: int
    period: int


def repetition(make: Make) -> Repetition | None:
    """How the row of a single output pixel depends on the length; None where no such law is known."""
    reach = _reach(make(2, 1))
    if reach is None or _stretches(make(2, 1)):
        return None
    at = {n: make(n, 1).source_coordinates()[0] for n in range(2, 13)}
    slope = at[3] - at[2]
    constant = at[2] - 2 * slope
    if any(x != slope * n + constant for n, x in at.items()):
        return None
    rates = [abs(rate) for rate in (slope, 1 - slope) if rate != 0]
    first = max(2 * (reach + abs(constant) + 2) / rate for rate in rates)
    return Repetition(slope, math.ceil(first), slope.denominator)


def _stretches(axis: AxisMap) -> bool:
    """Whether the kernel widens as the input gets longer."""
    if isinstance(axis, AreaAxis):
        return True
    return bool(getattr(axis, "antialias", False)) and getattr(axis, "kernel", "") != "nearest"


def _reach(axis: AxisMap) -> Fraction | None:
    """How far from its coordinate a row looks, in input pixels; None for maps without such a bound."""
    if isinstance(axis, AxisResize):
        if axis.coordinates in CROPPING or axis.scale is not None:
            return None
        return (2 if axis.kernel == "cubic" else 1) * axis.stretch + 1
    if isinstance(axis, AreaAxis):
        return axis.step + 1
    if isinstance(axis, FilteredAxis) and axis.scale is None and axis.translation == 0:
        stretch = max(1 / axis.effective_scale, Fraction(1)) if axis.antialias else Fraction(1)
        return FILTERS[axis.filter][0] * stretch + 1
    return None

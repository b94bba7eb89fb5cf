"""Equal at many sizes, or at all of them? Exact comparisons where sizes are finite, arguments where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from rewriter.errors import UnsupportedError, UsageError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.factors import equal_factors
from rewriter.resampling.formulas import Lengths, same_formula, same_kernel, same_pixel_rule
from rewriter.resampling.induction import Make, repetition, stable_size
from rewriter.resampling.proof import Comparison, compare
from rewriter.resampling.sizes import EveryFactor, EveryPair, FiniteSizes, FixedFactor, OneOutput, Sizes

__all__ = ["RangeComparison", "compare_range"]

Family = AxisMap | Callable[[int, int], AxisMap]
"""A map whose own lengths are ignored, or, for finite families, a function of (n_in, n_out)."""

_SEARCH = 12  # Lengths among which a counterexample is looked for where no argument decides.


@dataclass(frozen=True)
class RangeComparison:
    """The result of `compare_range`.

    Attributes:
        equal: True: proved equal at every size of the family. False: `counterexample` is a size where they differ.
            None: no difference found, and no argument that there is none.
        sizes: the family in words.
        proved_for: ``range`` (every size compared) or ``all`` (an argument that covers infinitely many).
        statement: what was proved, in one sentence.
        argument: the steps of the proof.
        compared: sizes that were compared exactly.
        counterexample: the first size where they differ; None where equal.
        holds_from: with a counterexample, the n_in from which they are nevertheless equal at every size; None where
            nothing of the kind is known.
    """

    equal: bool | None
    sizes: str
    proved_for: str
    statement: str
    argument: tuple[str, ...]
    compared: int
    counterexample: Comparison | None = None
    holds_from: int | None = None

    def certificate(self) -> dict[str, Any]:
        """The result as plain data, for reports and model metadata."""
        return {
            "equal": self.equal,
            "proved_for": self.proved_for,
            "sizes": self.sizes,
            "statement": self.statement,
            "argument": list(self.argument),
            "compared": self.compared,
            "arithmetic": "exact rational",
            "holds_from": self.holds_from,
            "counterexample": None if self.counterexample is None else self.counterexample.certificate(),
        }


def compare_range(a: Family, b: Family, sizes: Sizes) -> RangeComparison:
    """Compare two resizes at every size of a family.

    Args:
        a, b: maps as templates (their lengths are ignored), or functions of (n_in, n_out).
        sizes: a finite family, or an infinite one of `rewriter.resampling.sizes`.

    Raises:
        UsageError: a function with an infinite family: nothing is known of it at sizes that were not tried.
        UnsupportedError: a template that is a map of one size only.
    """
    make_a, make_b = _maker(a), _maker(b)
    templates = isinstance(a, AxisMap) and isinstance(b, AxisMap)
    if isinstance(sizes, FiniteSizes):
        return _finite(make_a, make_b, sizes, templates=templates)
    if not templates:
        raise UsageError(
            "a function of the lengths cannot be proved for all sizes", remedy="give a map, as a template"
        )
    if isinstance(sizes, FixedFactor):
        return _fixed_factor(make_a, make_b, sizes)
    if isinstance(sizes, OneOutput):
        return _one_output(make_a, make_b, sizes)
    if isinstance(sizes, EveryFactor):
        return _every_factor(make_a, make_b, sizes)
    return _every_pair(make_a, make_b, sizes)


def _maker(family: Family) -> Make:
    if not isinstance(family, AxisMap):
        return family
    if not hasattr(family, "__dataclass_fields__") or "n_out" not in family.__dataclass_fields__:
        raise UnsupportedError(f"'{family.describe()}' is a map of one size only")
    return lambda n, m: replace(family, n_in=n, n_out=m)  # type: ignore[type-var]


def _difference(a: Make, b: Make, pairs: Iterable[tuple[int, int]]) -> tuple[int, Comparison | None]:
    """How many sizes were compared, and the first that differs; else the first that rounded weights left open."""
    compared = 0
    left_open: Comparison | None = None
    for n, m in pairs:
        compared += 1
        comparison = compare(a(n, m), b(n, m))
        if not comparison.equal and comparison.decided:
            return compared, comparison
        if not comparison.equal and left_open is None:
            left_open = comparison
    return compared, left_open


def _differences(a: Make, b: Make, pairs: Iterable[tuple[int, int]]) -> list[Comparison]:
    """Every size that differs."""
    comparisons = (compare(a(n, m), b(n, m)) for n, m in pairs)
    return [comparison for comparison in comparisons if not comparison.equal]


def _finite(a: Make, b: Make, sizes: FiniteSizes, *, templates: bool) -> RangeComparison:
    statement = f"equal for {sizes.words}"
    if templates and all(m > 1 for _, m in sizes.pairs):
        formula = _by_formula(a, b, lambda n, m: (n, m), shrinks=True)
        if formula is not None:
            return RangeComparison(True, sizes.words, "range", statement, (formula,), 0)
    compared, found = _difference(a, b, sizes.pairs)
    if found is not None:
        return _differs(sizes, compared, found)
    return RangeComparison(True, sizes.words, "range", statement, ("every size compared exactly",), compared)


def _differs(
    sizes: Sizes, compared: int, found: Comparison, holds_from: int | None = None
) -> RangeComparison:
    ((n, m),) = found.sizes
    if not found.decided:
        statement = f"not decided: rounded weights are too close to tell at n_in = {n}, n_out = {m}"
        return RangeComparison(None, sizes.words, "range", statement, (), compared)
    statement = f"different at n_in = {n}, n_out = {m}"
    if holds_from is not None:
        statement += f"; equal for {sizes.words.replace('n_in >= 1', f'n_in >= {holds_from}')}"
    proved_for = "range" if holds_from is None else "all"
    return RangeComparison(
        False, sizes.words, proved_for, statement, (), compared, found, holds_from=holds_from
    )


def _proved(sizes: Sizes, compared: int, *argument: str) -> RangeComparison:
    return RangeComparison(True, sizes.words, "all", f"equal for {sizes.words}", argument, compared)


def _undecided(sizes: Sizes, compared: int) -> RangeComparison:
    statement = f"no difference among {compared} sizes, and no argument for {sizes.words}"
    return RangeComparison(None, sizes.words, "range", statement, (), compared)


def _by_formula(a: Make, b: Make, lengths: Lengths, *, shrinks: bool) -> str | None:
    """The argument that coordinates and kernels are the same for n_out > 1; None where they are not."""
    first, second = a(2, 2), b(2, 2)
    if not (isinstance(first, AxisResize) and isinstance(second, AxisResize)):
        return None
    if first.scale is not None or second.scale is not None:
        return None
    if not same_kernel(first, second, shrinks=shrinks):
        return None
    if first.kernel != "nearest":
        if same_formula(first, second, lengths):
            return "n_out > 1: both coordinate formulas are the same function, and the kernels are the same"
        return None
    offset = same_pixel_rule(first, second)
    if offset is not None and same_formula(first, second, lengths, offset):
        return "n_out > 1: both take the floor (or both the ceiling) of the same function"
    return None


def _every_pair(a: Make, b: Make, sizes: EveryPair) -> RangeComparison:
    outputs = range(sizes.least_output, sizes.least_output + _SEARCH)
    compared, found = _difference(a, b, ((n, m) for n in range(1, _SEARCH + 1) for m in outputs))
    if found is not None:
        return _differs(sizes, compared, found)
    formula = _by_formula(a, b, lambda n, m: (n, m), shrinks=True)
    if sizes.least_output > 1:
        return _undecided(sizes, compared) if formula is None else _proved(sizes, compared, formula)
    single = _one_output(a, b, OneOutput())
    if formula is None or not single.equal:
        return _undecided(sizes, compared)
    return _proved(sizes, compared, formula, *(f"n_out = 1: {step}" for step in single.argument))


def _one_output(a: Make, b: Make, sizes: OneOutput) -> RangeComparison:
    first, second = repetition(a), repetition(b)
    if first is None or second is None or first.slope != second.slope:
        return _one_output_by_formula(a, b, sizes)
    stable = max(first.first, second.first)
    last = stable + math.lcm(first.period, second.period)
    differences = _differences(a, b, [(n, 1) for n in range(1, last + 1)])
    if not differences:
        return _proved(
            sizes,
            last,
            f"n_in <= {last} compared exactly; from {stable} on a row sees one border at most and repeats",
        )
    latest = differences[-1].sizes[0][0]
    return _differs(sizes, last, differences[0], latest + 1 if latest < stable else None)


def _one_output_by_formula(a: Make, b: Make, sizes: OneOutput) -> RangeComparison:
    """Kernels that widen with the input: the same row wherever centre and kernel are the same."""
    compared, found = _difference(a, b, ((n, 1) for n in range(1, 2 * _SEARCH)))
    if found is not None:
        return _differs(sizes, compared, found)
    first, second = a(2, 1), b(2, 1)
    if first == second:
        return _proved(sizes, compared, "both are the same map")
    if _alike(first, second):
        # Quotients of polynomials of low degree in n_in: a few lengths decide.
        centres = [make(n, 1).source_coordinates() for n in range(2, 12) for make in (a, b)]
        if centres[::2] == centres[1::2]:
            return _proved(
                sizes, compared, "both centres are the same function of n_in, and the kernels are the same"
            )
    return _undecided(sizes, compared)


def _alike(a: AxisMap, b: AxisMap) -> bool:
    """Whether two maps differ in nothing but their grids."""
    if not isinstance(a, AxisResize) or not isinstance(b, AxisResize):
        return False
    comparable = a.kernel != "nearest" and a.scale is None and b.scale is None
    return comparable and same_kernel(a, b, shrinks=True)


def _fixed_factor(a: Make, b: Make, sizes: FixedFactor) -> RangeComparison:
    stable = stable_size(a, sizes), stable_size(b, sizes)
    if None in stable:
        q, p = sizes.pair(1)
        compared, found = _difference(a, b, map(sizes.pair, range(1, _SEARCH + 1)))
        if found is not None:
            return _differs(sizes, compared, found)
        formula = _by_formula(a, b, lambda s, t: (q * (s + t), p * (s + t)), shrinks=p < q)
        return _undecided(sizes, compared) if formula is None else _proved(sizes, compared, formula)
    last = max(k for k in stable if k is not None)
    differences = _differences(a, b, [sizes.pair(k) for k in range(1, last + 1)])
    longest = sizes.pair(last)[0]
    if not differences:
        return _proved(
            sizes,
            last,
            f"n_in <= {longest} compared exactly",
            f"from n_in = {longest} on every row is a row of the size before, moved by {sizes.pair(1)[0]} pixels "
            "or not at all, in both alike",
        )
    latest = differences[-1].sizes[0][0]
    holds_from = latest + sizes.pair(1)[0] if latest < longest else None
    return _differs(sizes, last, differences[0], holds_from)


def _every_factor(a: Make, b: Make, sizes: EveryFactor) -> RangeComparison:
    pairs = ((n, n * f) for f in sizes.factors(2 * _SEARCH) for n in range(1, 7))
    compared, found = _difference(a, b, pairs)
    if found is not None:
        return _differs(sizes, compared, found)
    formula = _by_formula(a, b, lambda n, f: (n, n * f), shrinks=False)
    if formula is not None:
        return _proved(sizes, compared, formula, "n_out = 1: one input pixel, which both copy")
    first, second = a(2, 2), b(2, 2)
    if isinstance(first, AxisResize) and isinstance(second, AxisResize):
        classes = equal_factors(first, second)
        if classes is not None and _covers(classes, sizes):
            return _proved(
                sizes,
                compared,
                "output f a + r takes pixel a + s(r) in both, with the same thresholds of r for every such f",
            )
    return _undecided(sizes, compared)


def _covers(classes: tuple[int, frozenset[int]], sizes: EveryFactor) -> bool:
    modulus, residues = classes
    return all(f % modulus in residues for f in sizes.factors(modulus * sizes.modulus))

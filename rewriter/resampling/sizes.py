"""Families of sizes (n_in, n_out): finite ones, and infinite ones for proofs that hold at every size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from rewriter.errors import UsageError

__all__ = ["EveryFactor", "EveryLength", "EveryPair", "FiniteSizes", "FixedFactor", "OneOutput", "Sizes"]


@dataclass(frozen=True)
class FiniteSizes:
    """A list of sizes.

    Attributes:
        pairs: (n_in, n_out), in the order in which they are compared.
        words: the family in words.
    """

    pairs: tuple[tuple[int, int], ...]
    words: str = "the sizes listed"

    def __post_init__(self) -> None:
        if not self.pairs:
            raise UsageError("a family of sizes without any size proves nothing")

    @classmethod
    def grid(cls, n_in: Iterable[int], n_out: Iterable[int]) -> FiniteSizes:
        """Every n_in with every n_out."""
        inputs, outputs = tuple(n_in), tuple(n_out)
        return cls(tuple(itertools.product(inputs, outputs)), f"n_in {_span(inputs)}, n_out {_span(outputs)}")

    @classmethod
    def by_factor(cls, n_in: Iterable[int], *factors: int | Fraction) -> FiniteSizes:
        """Every n_in, enlarged or shrunk by each factor; lengths that it does not make whole are left out."""
        inputs = tuple(n_in)
        products = [(n, Fraction(factor) * n) for factor in factors for n in inputs]
        pairs = tuple((n, int(m)) for n, m in products if m.denominator == 1)
        return cls(pairs, f"n_in {_span(inputs)}, n_out = {', '.join(map(str, factors))} n_in")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.pairs)


@dataclass(frozen=True)
class EveryPair:
    """Every n_in of at least 1 and every n_out of at least `least_output`."""

    least_output: int = 1

    @property
    def words(self) -> str:
        return f"every n_in >= 1 and every n_out >= {self.least_output}"


@dataclass(frozen=True)
class OneOutput:
    """n_out = 1, every n_in."""

    @property
    def words(self) -> str:
        return "n_out = 1 and every n_in >= 1"


@dataclass(frozen=True)
class FixedFactor:
    """n_out = factor × n_in, for every n_in that makes that whole."""

    factor: Fraction

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise UsageError(f"a factor of {self.factor} leaves no pixels")

    @property
    def words(self) -> str:
        multiples = "" if self.factor.denominator == 1 else f" (multiples of {self.factor.denominator})"
        return f"n_out = {self.factor} n_in and every n_in >= 1{multiples}"

    def pair(self, k: int) -> tuple[int, int]:
        """The k-th size of the family, from k = 1."""
        return self.factor.denominator * k, self.factor.numerator * k


def EveryLength() -> FixedFactor:  # noqa: N802 - reads as one of the families
    """n_out = n_in, every length: when is a resize to the same size the identity?"""
    return FixedFactor(Fraction(1))


@dataclass(frozen=True)
class EveryFactor:
    """n_out = f × n_in for every n_in and every whole f with f % modulus == residue."""

    residue: int = 0
    modulus: int = 1

    def __post_init__(self) -> None:
        if self.modulus < 1 or not 0 <= self.residue < self.modulus:
            raise UsageError(f"there is no factor f with f % {self.modulus} == {self.residue}")

    @property
    def words(self) -> str:
        which = "every whole factor f" if self.modulus == 1 else f"every f % {self.modulus} == {self.residue}"
        return f"n_out = f n_in, {which}, and every n_in >= 1"

    def factors(self, highest: int) -> list[int]:
        """The factors up to `highest`."""
        return [f for f in range(1, highest + 1) if f % self.modulus == self.residue]


Sizes = FiniteSizes | EveryPair | OneOutput | FixedFactor | EveryFactor


def _span(values: tuple[int, ...]) -> str:
    if not values:
        return "none"
    steps = {b - a for a, b in itertools.pairwise(values)}
    if len(steps) == 1 and len(values) > 2:
        (step,) = steps
        return f"{values[0]}..{values[-1]}" + (f" step {step}" if step != 1 else "")
    return ", ".join(map(str, values)) if len(values) <= 6 else f"{len(values)} lengths"

"""A length as a product: a whole number times lengths that only the running model knows."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Length"]


class Length(NamedTuple):
    """`factor` times the product of open lengths, each named by (identity of a tensor, axis)."""

    factor: int
    open: tuple[tuple[int, int], ...] = ()

    def times(self, other: Length) -> Length:
        return Length(self.factor * other.factor, tuple(sorted((*self.open, *other.open))))

    @property
    def is_known(self) -> bool:
        return not self.open

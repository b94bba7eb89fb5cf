"""What a tensor of a loop's body is, as a formula: a matrix for each thing that it depends on, and a bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Form", "Symbol", "constant", "of_symbol"]


@dataclass(frozen=True, eq=False)
class Symbol:
    """Something that a form depends on: an input of the cell, or the result of an operator that is not linear.

    Attributes:
        kind: ``sequence``, ``state``, ``product``, or the ONNX name of an activation function.
        width: number of columns.
        arguments: the forms that it is computed from.
    """

    kind: str
    width: int
    arguments: tuple[Form, ...] = ()


@dataclass(frozen=True, eq=False)
class Form:
    """``sum over symbols (symbol @ matrix) + bias``; rows are the entries of a batch.

    Attributes:
        terms: by symbol, a float64 matrix [width of the symbol, width of the form].
        bias: float64 [width of the form].
    """

    bias: np.ndarray
    terms: dict[Symbol, np.ndarray] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return int(self.bias.shape[0])

    @property
    def is_constant(self) -> bool:
        return not self.terms

    def times(self, matrix: np.ndarray) -> Form:
        """The form behind a product with a constant matrix."""
        return Form(self.bias @ matrix, {symbol: old @ matrix for symbol, old in self.terms.items()})

    def scaled(self, factors: np.ndarray) -> Form:
        """Each column times a number."""
        return Form(self.bias * factors, {symbol: old * factors for symbol, old in self.terms.items()})

    def plus(self, other: Form, sign: float = 1.0) -> Form:
        """The sum (or with -1 the difference) of two forms of one width."""
        terms = dict(self.terms)
        for symbol, matrix in other.terms.items():
            new = sign * matrix
            terms[symbol] = terms[symbol] + new if symbol in terms else new
        return Form(self.bias + sign * other.bias, {s: m for s, m in terms.items() if m.any()})

    def columns(self, start: int, stop: int) -> Form:
        """Some of the columns."""
        kept = {symbol: matrix[:, start:stop] for symbol, matrix in self.terms.items()}
        return Form(
            self.bias[start:stop], {symbol: matrix for symbol, matrix in kept.items() if matrix.any()}
        )

    def symbol(self) -> Symbol | None:
        """The symbol that this form is nothing but a copy of."""
        if len(self.terms) != 1 or self.bias.any():
            return None
        ((symbol, matrix),) = self.terms.items()
        return symbol if _is_identity(matrix, 1.0) else None

    def one_minus(self) -> Symbol | None:
        """The symbol s of a form that is 1 - s."""
        if len(self.terms) != 1 or (self.bias != 1).any():
            return None
        ((symbol, matrix),) = self.terms.items()
        return symbol if _is_identity(matrix, -1.0) else None

    def sum_of(self) -> Sequence[Symbol] | None:
        """The symbols that this form is the plain sum of."""
        if self.bias.any() or not all(_is_identity(matrix, 1.0) for matrix in self.terms.values()):
            return None
        return list(self.terms)


def constant(values: np.ndarray) -> Form:
    """A row of numbers."""
    return Form(np.asarray(values, np.float64))


def of_symbol(symbol: Symbol) -> Form:
    """A copy of a symbol."""
    return Form(np.zeros(symbol.width), {symbol: np.eye(symbol.width)})


def _is_identity(matrix: np.ndarray, value: float) -> bool:
    return matrix.shape[0] == matrix.shape[1] and bool((matrix == value * np.eye(matrix.shape[0])).all())

"""What Pad, Conv or ConvTranspose, and Slice do along one axis, as an exact matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Border", "KernelAxis", "Row"]

_BEYOND = 1 << 20
"""Ends of a Slice from here on mean the end of the axis."""

Row = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class Border:
    """What a Pad puts around an axis: nothing, zeros (``constant``), or the nearest pixel (``edge``)."""

    mode: str
    before: int
    after: int


@dataclass(frozen=True)
class KernelAxis:
    """What happens along one axis.

    Attributes:
        transposed: ConvTranspose (spreads each pixel) rather than Conv (gathers).
        kernel: weights, exact.
        stride: step between pixels of the output (Conv) or of the input (ConvTranspose).
        pads: the node's own: zeros around the input (Conv), what is cut off the output (ConvTranspose).
        output_padding: of ConvTranspose.
        border: of the Pad before.
        crop: start and end of the Slice after; an end may count from the end or lie beyond it.
    """

    transposed: bool
    kernel: tuple[Fraction, ...]
    stride: int
    pads: tuple[int, int]
    output_padding: int
    border: Border
    crop: tuple[int, int] | None

    @property
    def reach(self) -> int:
        """Input pixels from a border beyond which a row does not see it, at most."""
        step = self.stride if self.transposed else 1
        cut = sum(abs(edge) for edge in self.crop or () if abs(edge) < _BEYOND)
        return (len(self.kernel) + sum(self.pads) + cut) // step + self.border.before + self.border.after + 2

    def rows(self, n: int) -> tuple[Row, ...] | None:
        """The matrix for an input of length n, exact and sparse; None where nothing is left."""
        padded = self.border.before + n + self.border.after
        if self.transposed:
            m = (padded - 1) * self.stride + len(self.kernel) - sum(self.pads) + self.output_padding
        else:
            m = (padded + sum(self.pads) - len(self.kernel)) // self.stride + 1
        chosen = range(m)[slice(*self.crop)] if self.crop is not None else range(max(m, 0))
        return tuple(self._row(i, n, padded) for i in chosen) if len(chosen) else None

    def _row(self, i: int, n: int, padded: int) -> Row:
        row: dict[int, Fraction] = {}
        for place, weight in self._taps(i, padded):
            j = place - self.border.before
            if not 0 <= j < n:
                if self.border.mode == "constant":
                    continue
                j = min(max(j, 0), n - 1)
            row[j] = row.get(j, Fraction(0)) + weight
        return tuple(sorted((j, weight) for j, weight in row.items() if weight))

    def _taps(self, i: int, padded: int) -> Iterator[tuple[int, Fraction]]:
        """(place in the padded input, weight) of what output i takes."""
        if not self.transposed:
            first = i * self.stride - self.pads[0]
            taps = ((first + t, weight) for t, weight in enumerate(self.kernel))
            yield from ((place, weight) for place, weight in taps if 0 <= place < padded)
            return
        for t, weight in enumerate(self.kernel):
            place, rest = divmod(i + self.pads[0] - t, self.stride)
            if not rest and 0 <= place < padded:
                yield place, weight

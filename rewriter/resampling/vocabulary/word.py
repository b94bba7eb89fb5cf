"""One way of saying a resize in one framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from rewriter.errors import UnsupportedError
from rewriter.resampling.kernels import Row

__all__ = ["FRAMEWORKS", "AxisLike", "Build", "Word"]

FRAMEWORKS = ("tensorflow", "keras", "tflite", "onnx", "coreml", "pytorch", "metal")


class AxisLike(Protocol):
    """What a word means on one axis; see `rewriter.resampling.axis.AxisResize`. Hashable, equal maps by value."""

    def __hash__(self) -> int: ...

    @property
    def n_in(self) -> int: ...

    @property
    def n_out(self) -> int: ...

    @property
    def rows(self) -> tuple[Row, ...]: ...

    def source_coordinates(self) -> list[Fraction]: ...

    def describe(self) -> str: ...


Build = Callable[[int, int, int], "AxisLike | None"]
"""(input length, output length, tensor axis) → the map, None where the word has no meaning at these lengths."""


@dataclass(frozen=True)
class Word:
    """A call or operator with its arguments.

    Attributes:
        framework: a member of `FRAMEWORKS`.
        op: operator, function or layer.
        arguments: what decides the sampling, without sizes.
        build: the map of one axis.
        tabulated: whether the kernel takes its weights from a table, so that they are off by up to 4e-3.
        note: what a reader has to know, e.g. that it was read in documentation only.
        rank: of the tensors that it takes, None for any.
    """

    framework: str
    op: str
    arguments: tuple[tuple[str, Any], ...]
    build: Build = field(compare=False, repr=False)
    tabulated: bool = field(default=False, compare=False)
    note: str = field(default="", compare=False)
    rank: int | None = field(default=None, compare=False)

    def axis(self, n_in: int, n_out: int, axis: int) -> AxisLike | None:
        """The map of one axis; None where the word cannot be said at these lengths."""
        try:
            return self.build(n_in, n_out, axis)
        except UnsupportedError:
            return None

    @property
    def text(self) -> str:
        """The call, e.g. ``ResizeBilinear(align_corners=False, half_pixel_centers=True)``."""
        return f"{self.op}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"

    def to_json(self) -> dict[str, Any]:
        """The word as plain data."""
        return {
            "framework": self.framework,
            "op": self.op,
            "arguments": {name: _plain(value) for name, value in self.arguments},
            "text": self.text,
            "note": self.note or None,
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

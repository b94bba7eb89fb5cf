"""One way of saying a resize in one framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis_map import AxisMap

__all__ = ["FRAMEWORKS", "Build", "Rois", "Word", "roi_of", "spelled_roi"]

FRAMEWORKS = ("tensorflow", "keras", "tflite", "onnx", "coreml", "pytorch", "metal")


Build = Callable[[int, int, int], "AxisMap | None"]
"""(input length, output length, tensor axis) → the map, None where the word has no meaning at these lengths."""


Rois = Mapping[int, tuple[Fraction, Fraction]]
"""The region (start, end) of a crop by tensor axis, as fractions of length - 1."""


def roi_of(rois: Rois | None, axis: int) -> tuple[Fraction, Fraction]:
    """The region of one axis; all of it where no regions are given.

    Raises:
        UnsupportedError: regions are given, but none for this axis.
    """
    if rois is None:
        return Fraction(0), Fraction(1)
    if axis not in rois:
        raise UnsupportedError(f"no region is given for axis {axis}")
    return rois[axis]


def spelled_roi(rois: Rois | None) -> tuple[float, ...]:
    """Starts, then ends, of all axes in order: the order of ONNX's roi and of TensorFlow's boxes."""
    if rois is None:
        return (0.0, 0.0, 1.0, 1.0)
    return tuple(round(float(rois[axis][side]), 7) for side in (0, 1) for axis in sorted(rois))


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

    def axis(self, n_in: int, n_out: int, axis: int) -> AxisMap | None:
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

"""Sliding windows: kernel, strides, dilations and padding as convolution and pooling share them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rewriter.coreml.lowering.node import Node

__all__ = ["Window"]

_AUTO_PADS = ("NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Window:
    """One window per spatial axis.

    Attributes:
        kernel, strides, dilations: per spatial axis.
        begins, ends: padding before and after, explicit (auto_pad resolved); may be negative.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, node: Node, lengths: Sequence[int], kernel: Sequence[int]) -> Window:
        """The window of a node over spatial `lengths`.

        Raises:
            UnsupportedError: unknown auto_pad, or attributes of the wrong length.
        """
        count = len(lengths)
        strides = tuple(node.attr("strides") or [1] * count)
        dilations = tuple(node.attr("dilations") or [1] * count)
        auto_pad = node.attr("auto_pad", "NOTSET")
        if auto_pad not in _AUTO_PADS:
            raise node.refuse(f"unknown auto_pad '{auto_pad}'")
        pads = list(node.attr("pads") or [0] * 2 * count)
        if not len(kernel) == len(strides) == len(dilations) == len(pads) // 2 == count:
            raise node.refuse(f"kernel, strides, dilations and pads do not fit {count} spatial axes")
        begins, ends = pads[:count], pads[count:]
        if auto_pad == "VALID":
            begins = ends = [0] * count
        elif auto_pad.startswith("SAME"):
            totals = [
                max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
                for n, k, s, d in zip(lengths, kernel, strides, dilations, strict=True)
            ]
            halves = [total // 2 for total in totals]
            rests = [total - half for total, half in zip(totals, halves, strict=True)]
            begins, ends = (halves, rests) if auto_pad == "SAME_UPPER" else (rests, halves)
        return cls(tuple(kernel), strides, dilations, tuple(begins), tuple(ends))

    @property
    def extents(self) -> tuple[int, ...]:
        """How many input pixels a window spans, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def mil_pads(self) -> list[int]:
        """Padding in MIL's order: before and after, axis by axis."""
        return [value for pair in zip(self.begins, self.ends, strict=True) for value in pair]

    @property
    def is_padded(self) -> bool:
        """Whether there is any padding."""
        return any(self.begins) or any(self.ends)

    @property
    def is_dilated(self) -> bool:
        """Whether any axis skips pixels."""
        return any(dilation != 1 for dilation in self.dilations)

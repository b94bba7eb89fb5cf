"""Spellings of ONNX Resize to try against given matrices, and the node that says one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.editing import Names, set_inputs
from rewriter.resampling import AxisResize

__all__ = ["Spelling", "axis_resize", "is_safe_in_float32", "resize_node", "spellings"]

_ROUNDINGS = ("floor", "round_prefer_ceil", "round_prefer_floor", "ceil")
_COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
_TIE_MARGIN = Fraction(1, 1000)
"""Nearest coordinates closer to a tie than this may fall to either side in float32."""


class Spelling(NamedTuple):
    """The attributes of a Resize that decide its matrices."""

    mode: str
    coordinates: str
    rounding: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def attributes(self) -> dict[str, Any]:
        """As attributes of a node, without those that have no meaning for the mode."""
        words: dict[str, Any] = {"mode": self.mode, "coordinate_transformation_mode": self.coordinates}
        if self.mode == "nearest":
            words["nearest_mode"] = self.rounding
        if self.mode == "cubic":
            words["cubic_coeff_a"] = self.cubic_a
        if self.exclude_outside:
            words["exclude_outside"] = 1
        if self.antialias:
            words["antialias"] = 1
        return words


def spellings(mode: str, opset: int) -> Iterator[Spelling]:
    """What to try for a mode, the usual words first; antialias from opset 18."""
    if mode == "nearest":
        yield Spelling("nearest", "asymmetric", "floor")
        for coordinates in _COORDINATES[:3]:
            for rounding in _ROUNDINGS:
                yield Spelling("nearest", coordinates, rounding)
        return
    for antialias in (False, True) if opset >= 18 else (False,):
        outside = (False, True) if mode == "cubic" or antialias else (False,)
        for cubic_a in (-0.75, -0.5) if mode == "cubic" else (-0.75,):
            for exclude in outside:
                for coordinates in _COORDINATES:
                    yield Spelling(mode, coordinates, "round_prefer_floor", cubic_a, exclude, antialias)


@lru_cache(maxsize=4096)
def axis_resize(spelling: Spelling, n_in: int, n_out: int) -> AxisResize:
    """The spelling at lengths."""
    return AxisResize(
        n_in,
        n_out,
        spelling.mode,
        spelling.coordinates,
        spelling.rounding,
        cubic_a=Fraction(spelling.cubic_a),
        exclude_outside=spelling.exclude_outside,
        antialias=spelling.antialias,
    )


def is_safe_in_float32(axis: AxisResize) -> bool:
    """Whether float32 arithmetic takes the same pixels as exact arithmetic: no coordinate is near a tie.

    Whole factors with `asymmetric` are safe as they are: i / s is correctly rounded, and exact where it is whole.
    """
    if axis.kernel != "nearest" or axis.is_identity:
        return True
    if (
        axis.coordinates == "asymmetric"
        and axis.rounding == "floor"
        and axis.effective_scale.denominator == 1
    ):
        return True
    offset = Fraction(0) if axis.rounding in ("floor", "ceil") else Fraction(1, 2)
    for x in axis.source_coordinates():
        place = x - offset
        if abs(place - round(place)) < _TIE_MARGIN and 0 <= x <= axis.n_in - 1:
            return False
    return True


def resize_node(
    data: Tensor,
    rank: int,
    pairs: dict[int, tuple[int, int]],
    shape: Sequence[int | None] | None,
    spelling: Spelling,
    opset: int,
    name: str,
    names: Names,
) -> Node | str:
    """A Resize (opset 11 or later) of some axes to given lengths, or why there can be none.

    Args:
        data: its input.
        rank: number of axes of `data`.
        pairs: (input, output) length by axis; other axes are copied.
        shape: lengths of `data` as far as they are fixed.
        spelling: the attributes.
        opset: version that applies.
        name: for the node.
        names: makes the names of constants.
    """
    if opset < 11:
        return f"Resize of opset {opset} has no coordinate mode"
    attributes = spelling.attributes()
    inputs: list[Tensor | None]
    if opset >= 18:
        attributes["axes"] = list(pairs)
        sizes = names.constant(f"{name}_sizes", [m for _, m in pairs.values()], np.int64)
        inputs = [data, None, None, sizes]
    else:
        unused = names.constant(f"{name}_unused", [], np.float32) if opset < 13 else None
        full = [pairs[a][1] if a in pairs else (None if shape is None else shape[a]) for a in range(rank)]
        if all(length is not None for length in full):
            inputs = [data, unused, unused, names.constant(f"{name}_sizes", full, np.int64)]
        else:
            scales = [
                float(np.float32(pairs[a][1] / pairs[a][0])) if a in pairs else 1.0 for a in range(rank)
            ]
            # onnxruntime multiplies in float32, onnx's shape inference in float64.
            if any(
                int(np.float32(n) * np.float32(scales[a])) != m or math.floor(n * scales[a]) != m
                for a, (n, m) in pairs.items()
            ):
                return "an axis is open, and no float32 scale gives the lengths; sizes of some axes need opset 18"
            inputs = [data, unused, names.constant(f"{name}_scales", scales, np.float32)]
    node = Node("Resize", names.fresh(name), attributes)
    set_inputs(node, inputs)
    return node

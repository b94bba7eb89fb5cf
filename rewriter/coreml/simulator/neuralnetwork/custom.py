"""The custom layer RWAlignedResize, written a second time: in numpy, beside the C of its CPU path.

Positions are exact fractions of 64-bit integers, as there. It shares no code with `rewriter.resampling`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, layer

__all__: list[str] = []

_CLASS = "RWAlignedResize"
_HALF = Fraction(1, 2)

_ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda x: ceil(x - _HALF),
    "round_prefer_ceil": lambda x: floor(x + _HALF),
}


@layer("custom")
def custom(layer: Layer) -> Array:
    """x [..., H, W] resized along its last two axes."""
    if layer.parameters.className != _CLASS:
        raise layer.refuse(
            f"the class {layer.parameters.className} belongs to the app; only {_CLASS} is known"
        )
    given = {name: _value(message) for name, message in layer.parameters.parameters.items()}
    x = layer.x.astype(np.float64)
    for axis, side in ((-2, "height"), (-1, "width")):
        matrix = _matrix(layer, given, side, x.shape[axis])
        x = np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)
    return x.astype(np.float32)


def _value(message: Any) -> Any:
    return getattr(message, message.WhichOneof("value"))


def _matrix(layer: Layer, given: dict[str, Any], side: str, n: int) -> Array:
    """The map of one axis [target, n], float64."""
    stated = given[f"scale_{side}"]
    target = given[f"target_{side}"] or floor(n * Fraction(stated))
    if target < 1:
        raise layer.refuse(f"neither target_{side} nor scale_{side} is given")
    scale = Fraction(stated) if stated else Fraction(target, n)
    matrix = np.zeros((target, n))
    for row in range(target):
        x = _position(layer, given["coordinates"], row, n, target, scale)
        if given["kind"] == "nearest":
            matrix[row, min(max(_ROUNDINGS[given["rounding"]](x), 0), n - 1)] = 1
        else:
            _spread(matrix[row], x, given, scale)
    return matrix


def _position(layer: Layer, coordinates: str, i: int, n: int, m: int, scale: Fraction) -> Fraction:
    """Where output pixel i samples, in input pixels."""
    if coordinates == "align_corners":
        return Fraction(i * (n - 1), m - 1) if m > 1 else Fraction(0)
    if coordinates == "asymmetric":
        return i / scale
    if coordinates == "tf_half_pixel_for_nn":
        return (i + _HALF) / scale
    if coordinates == "pytorch_half_pixel" and m == 1:
        return Fraction(0)
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        return (i + _HALF) / scale - _HALF
    raise layer.refuse(f"unknown coordinates '{coordinates}'")


def _spread(row: Array, x: Fraction, given: dict[str, Any], scale: Fraction) -> None:
    """Add the kernel's weights around x to a row of the matrix."""
    n = len(row)
    cubic, a = given["kind"] == "cubic", given["cubic_a"]
    stretch = 1 / scale if given["antialias"] and scale < 1 else Fraction(1)
    if not cubic and stretch == 1:
        x = min(max(x, Fraction(0)), Fraction(n - 1))
    reach = (2 if cubic else 1) * stretch
    for tap in range(floor(x - reach) + 1, ceil(x + reach)):
        if given["exclude_outside"] and not 0 <= tap < n:
            continue
        distance = float(abs(tap - x) / stretch)
        row[min(max(tap, 0), n - 1)] += _cubic(distance, a) if cubic else 1 - distance
    total = row.sum()
    if total == 0:
        row[min(max(ceil(x - _HALF), 0), n - 1)] = total = 1.0
    row /= total


def _cubic(d: float, a: float) -> float:
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return (((d - 5) * d + 8) * d - 4) * a if d < 2 else 0.0

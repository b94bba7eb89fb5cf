"""Golden values for the emitted XCTest: a picture that both sides can compute, and what the algebra makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from rewriter.coreml.customlayer.cases import Case, expected
from rewriter.coreml.customlayer.parameters import LayerParameters

__all__ = ["golden_json", "picture"]

_PLANES = 2
_POSITIONS = 300

_ALWAYS = (
    (LayerParameters("linear", "align_corners", target_height=13, target_width=9), (5, 4)),
    (LayerParameters("linear", "half_pixel", target_height=7, target_width=11), (5, 8)),
    (LayerParameters("cubic", "half_pixel", target_height=11, target_width=7), (6, 5)),
    (
        LayerParameters("nearest", "half_pixel", "round_prefer_ceil", target_height=9, target_width=4),
        (6, 6),
    ),
)


def golden_json(layers: Sequence[tuple[LayerParameters, tuple[int, int]]]) -> str:
    """The golden file: `layers` with their input sizes (height, width), and a few that every file has.

    At most 300 output values of each are kept, spread evenly with the last one among them.
    """
    entries = [_entry(layer, size) for layer, size in dict.fromkeys([*layers, *_ALWAYS])]
    return json.dumps(entries, indent=1) + "\n"


def picture(planes: int, height: int, width: int) -> np.ndarray:
    """Values that repeat with no regard to rows and columns, in [-1, 1], exact in float32."""
    plane, row, column = np.ogrid[:planes, :height, :width]
    return (((plane * 7 + row * 3 + column * 5 + row * column) % 17) / 8 - 1).astype(np.float32)


def _entry(layer: LayerParameters, size: tuple[int, int]) -> dict[str, Any]:
    image = picture(_PLANES, *size)
    values = expected(Case(layer, image))
    positions = np.unique(np.linspace(0, values.size - 1, min(_POSITIONS, values.size)).astype(int))
    return {
        "name": f"{layer.kind} {layer.coordinates} {size[0]}x{size[1]} to {values.shape[1]}x{values.shape[2]}",
        "parameters": layer.to_dict(),
        "input_shape": list(image.shape),
        "output_shape": list(values.shape),
        "positions": positions.tolist(),
        "values": [float(np.float32(value)) for value in values.ravel()[positions]],
    }

"""The operators that recovery starts from."""

from __future__ import annotations

__all__ = ["AXIS_MAPS", "REPEATING"]

REPEATING = ("Tile", "Expand")
"""They copy pixels."""
AXIS_MAPS = ("Gather", "MatMul", "Gemm", "Einsum")
"""They apply a matrix to one axis."""

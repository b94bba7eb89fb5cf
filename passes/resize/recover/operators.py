"""The operators that recovery starts from."""

from __future__ import annotations

__all__ = ["AXIS_MAPS", "COPYING", "KERNELS", "REPEATING"]

REPEATING = ("Tile", "Expand")
"""They copy pixels."""
COPYING = ("Concat",)
"""It copies pixels where its inputs are one tensor."""
KERNELS = ("Conv", "ConvTranspose")
"""They apply a kernel to all spatial axes."""
AXIS_MAPS = ("Gather", "MatMul", "Gemm", "Einsum")
"""They apply a matrix to one axis."""

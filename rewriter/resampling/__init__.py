"""The algebra of resizing: every resize is one exact linear map per axis.

Mode, coordinate transformation, nearest rounding, cubic coefficient, antialias, roi and extrapolation only
decide the numbers in that map, so two resizes are the same when their matrices are equal. This package knows
nothing of files or graphs; each framework's vocabulary is one module that translates words into axis maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.onnx import OnnxResize
from rewriter.resampling.proof import Comparison, ShiftProfile, WorstCase, compare
from rewriter.resampling.tensor import TensorResize

if TYPE_CHECKING:
    from rewriter.resampling.ranges import RangeComparison, compare_range

__all__ = [
    "AxisMap",
    "AxisResize",
    "Comparison",
    "OnnxResize",
    "RangeComparison",
    "ShiftProfile",
    "TensorResize",
    "WorstCase",
    "compare",
    "compare_range",
]


def __getattr__(name: str) -> Any:
    """Proofs for many sizes are loaded when they are used: a rewrite needs none."""
    if name in ("RangeComparison", "compare_range"):
        from rewriter.resampling import ranges

        return getattr(ranges, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

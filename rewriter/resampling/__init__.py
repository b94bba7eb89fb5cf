"""The algebra of resizing: every resize is one exact linear map per axis.

Mode, coordinate transformation, nearest rounding, cubic coefficient, antialias, roi and extrapolation only
decide the numbers in that map, so two resizes are the same when their matrices are equal. This package knows
nothing of files or graphs; each framework's vocabulary is one module that translates words into axis maps.
"""

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.onnx import OnnxResize
from rewriter.resampling.proof import Comparison, ShiftProfile, WorstCase, compare
from rewriter.resampling.ranges import RangeComparison, compare_range
from rewriter.resampling.tensor import TensorResize

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

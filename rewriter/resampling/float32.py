"""What kernels compute in float32: coordinates and weights rounded after every operation, in the kernels' order.

`kernel_matrix` gives the weights that onnxruntime's and TensorFlow's CPU kernels really use, bit for bit
(tests/resampling/test_float32_kernels.py feeds them impulses). They explain why a kernel picks another pixel than
exact arithmetic does: x = 3 computed as 2.9999998 floors to 2.
"""

from __future__ import annotations

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.area import AreaAxis
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.filtered import FilteredAxis
from rewriter.resampling.float32_onnxruntime import onnxruntime_rows
from rewriter.resampling.float32_tensorflow import area_rows, filtered_rows, resize_rows
from rewriter.resampling.sampled import SampledAxis, WindowAxis

__all__ = ["KERNEL_LIBRARIES", "kernel_matrix"]

KERNEL_LIBRARIES = ("onnxruntime", "tensorflow")


def kernel_matrix(axis: AxisMap, library: str) -> np.ndarray:
    """The float32 weights [n_out, n_in] of a library's CPU kernel; a row of zeros where it extrapolates.

    Args:
        axis: for onnxruntime an `AxisResize` of the ONNX modes; for TensorFlow a map that
            `rewriter.resampling.tensorflow_ops` gives.
        library: a member of `KERNEL_LIBRARIES`.

    Raises:
        UnsupportedError: the library has no kernel for such a map.
    """
    if library not in KERNEL_LIBRARIES:
        raise UnsupportedError(f"the kernels of {library} are not known")
    if isinstance(axis, WindowAxis):
        dense = np.zeros((axis.n_out, axis.n_in), np.float32)
        inner = kernel_matrix(axis.inner, library)
        first, last = max(axis.start, 0), min(axis.start + axis.inner.n_in, axis.n_in)
        dense[:, first:last] = inner[:, first - axis.start : last - axis.start]
        return dense
    dense = np.zeros((axis.n_out, axis.n_in), np.float32)
    for i, row in enumerate(_rows(axis, library)):
        for index, weight in row:
            dense[i, index] += weight
    return dense


def _rows(axis: AxisMap, library: str) -> list[list[tuple[int, np.float32]]]:
    if isinstance(axis, AxisResize):
        return onnxruntime_rows(axis) if library == "onnxruntime" else resize_rows(axis)
    if isinstance(axis, SampledAxis) and library == "onnxruntime" and axis.kernel == "nearest":
        return [[(index, np.float32(weight)) for index, weight in row] for row in axis.rows]
    if isinstance(axis, AreaAxis) and library == "tensorflow":
        return area_rows(axis)
    if isinstance(axis, FilteredAxis) and library == "tensorflow":
        return filtered_rows(axis)
    raise UnsupportedError(f"{library} has no kernel for '{axis.describe()}'")

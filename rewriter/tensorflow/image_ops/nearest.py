"""ResizeNearestNeighbor as two gathers with the indices that TensorFlow's float32 arithmetic picks."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from rewriter.errors import UnsupportedError
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.tensorflow import tf_resize
from rewriter.tensorflow.image_ops.expression import Expression, Operand, Value, known_input

__all__ = ["convert_nearest_by_gather", "nearest_indices", "resize_picks_the_same"]

F = np.float32
_TYPES_OF_RESIZE = frozenset(
    (
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.INT32,
        onnx.TensorProto.INT8,
        onnx.TensorProto.UINT8,
    )
)
"""Element types for which onnxruntime has a nearest Resize."""


def resize_picks_the_same(
    dtype: int, lengths: list[int], targets: list[int], align_corners: bool, half_pixel_centers: bool
) -> bool:
    """Whether an ONNX Resize copies the pixels that TensorFlow copies, on every axis and in onnxruntime.

    TensorFlow multiplies by a scale that is rounded to float32 first, and picks a neighbour of the exact pixel for
    some lengths (2 → 82, 4 → 75); onnxruntime has roundings of its own. Where a length is not known (below 1),
    nothing is proved: one to three of a hundred pairs of lengths have such a pixel.
    """
    if dtype not in _TYPES_OF_RESIZE:
        return False
    for n, m in zip(lengths, targets, strict=True):
        if n < 1 or m < 1:
            return False
        axis = tf_resize("ResizeNearestNeighbor", n, m, align_corners, half_pixel_centers)
        picked = kernel_matrix(axis, "tensorflow")
        if not (picked == axis.matrix("float32")).all():
            return False
        if not (picked == kernel_matrix(axis, "onnxruntime")).all():
            return False
    return True


def convert_nearest_by_gather(graph: Any, node: Any, name: str, size: tuple[int, int] | None) -> None:
    """Replace ResizeNearestNeighbor by a Gather of rows and one of columns: exact for every type and length.

    Args:
        graph, node, name: what tf2onnx gives a handler.
        size: output height and width; None where the op's second input says it.
    """
    from tf2onnx import utils

    e = Expression(graph)
    given: Value = e.integers(known_input(node, 1)) if size is None else np.array(size, np.int64)
    targets = [e.pick(given, axis) for axis in range(2)]
    align_corners = bool(node.get_attr_value("align_corners", 0))
    half_pixel_centers = bool(node.get_attr_value("half_pixel_centers", 0))
    if align_corners and half_pixel_centers:
        raise UnsupportedError("TensorFlow rejects align_corners together with half_pixel_centers", node=name)
    image = Operand(node.input[0])
    rows, columns = (
        nearest_indices(e, e.length(image.name, axis + 1), targets[axis], align_corners, half_pixel_centers)
        for axis in range(2)
    )
    outputs, shapes, dtypes = node.output, node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    gathered = e.node("Gather", [image, rows], axis=1)
    graph.make_node(
        "Gather",
        [gathered.name, e.name(columns)],
        attr={"axis": 2},
        name=utils.make_name(f"{name}/columns"),
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def nearest_indices(
    e: Expression, n: Value, m: Value, align_corners: bool, half_pixel_centers: bool
) -> Value:
    """Input index of each output pixel, int64 [m]; every step in float32, as the kernel makes it."""
    fn, fm = e.floats(n), e.floats(m)
    scale = e("Div", fn, fm)
    i = e.counting(m)
    if align_corners:
        several = e("Greater", e("Min", fn, fm), np.array(1, F))
        between = e(
            "Div", e("Sub", fn, np.array(1, F)), e("Max", e("Sub", fm, np.array(1, F)), np.array(1, F))
        )
        x = e("Mul", i, e("Where", several, between, scale))
        low = e("Floor", x)
        up = e("Less", e("Sub", x, low), np.array(0.5, F))
        index = e("Add", low, e("Where", up, np.array(0, F), np.array(1, F)))
    elif half_pixel_centers:
        index = e("Floor", e("Mul", e("Add", i, np.array(0.5, F)), scale))
    else:
        index = e("Floor", e("Mul", i, scale))
    return e.integers(e("Min", index, e("Sub", fn, np.array(1, F))))

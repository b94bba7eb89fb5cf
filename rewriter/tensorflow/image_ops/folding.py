"""What a small vector of the graph holds, as far as shapes that are partly known tell.

`tf.image.resize` divides the target by the image's shape in the graph. Where only the batch is open, TensorFlow folds
none of it, although height and width, and so their scales, are known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

__all__ = ["known_elements"]

_WHOLE = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


def known_elements(node: Any) -> np.ndarray | None:
    """Elements of a node's first output, float64, NaN for each that is not known; None where nothing is.

    Args:
        node: of a tf2onnx graph, of TensorFlow or converted already; Shape, Slice, Cast, Div and constants are
            followed. Divisions are float32, as the nodes that they stand for.
    """
    if node is None:
        return None
    if node.is_const():
        values = np.asarray(node.get_tensor_value(as_list=False))
        return values.astype(np.float64) if values.dtype.kind in "iuf" else None
    if node.type == "Shape":
        shape = node.graph.get_shape(node.input[0])
        return None if shape is None else np.array([np.nan if n < 0 else n for n in shape], np.float64)
    follow = {"Slice": _slice, "Cast": _cast, "Div": _divide, "RealDiv": _divide, "Identity": _same}
    return follow[node.type](node) if node.type in follow else None


def _same(node: Any) -> np.ndarray | None:
    return known_elements(node.inputs[0])


def _cast(node: Any) -> np.ndarray | None:
    """A cast of whole numbers, or to float32, keeps lengths of images as they are."""
    values = known_elements(node.inputs[0])
    target = node.graph.get_dtype(node.output[0])
    if values is None or (target != onnx.TensorProto.FLOAT and target not in _WHOLE):
        return None
    if target == onnx.TensorProto.FLOAT:
        return values.astype(np.float32).astype(np.float64)
    return values if (np.isnan(values) | (values == np.trunc(values))).all() else None


def _slice(node: Any) -> np.ndarray | None:
    """A stretch of a vector, in steps of one."""
    values, *bounds = (known_elements(source) for source in node.inputs)
    if values is None or values.ndim != 1 or len(bounds) not in (2, 3):
        return None
    if any(bound is None or bound.size != 1 or np.isnan(bound).any() for bound in bounds):
        return None
    start, end, *axes = (int(bound.item()) for bound in bounds if bound is not None)
    return values[start:end] if axes in ([], [0]) else None


def _divide(node: Any) -> np.ndarray | None:
    if node.graph.get_dtype(node.output[0]) != onnx.TensorProto.FLOAT:
        return None
    dividend, divisor = (known_elements(source) for source in node.inputs)
    if dividend is None or divisor is None or (divisor == 0).any():
        return None
    return (dividend.astype(np.float32) / divisor.astype(np.float32)).astype(np.float64)

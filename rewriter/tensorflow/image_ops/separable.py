"""ResizeArea and ScaleAndTranslate: one weight matrix per axis, or an average pool."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.image_ops.expression import Expression, Operand, Value, known_input
from rewriter.tensorflow.image_ops.weights import FILTER_RADIUS, area_weights, filter_weights

__all__ = ["convert_area", "convert_scale_and_translate"]

_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def convert_area(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Replace ResizeArea(images, size) by AveragePool where both factors are whole, else by two matrix products.

    What an AveragePool or a matrix computes holds for any element type: the op returns float32.
    """
    e = Expression(graph)
    align_corners = bool(node.get_attr_value("align_corners", 0))
    lengths = [e.length(node.input[0], axis) for axis in (1, 2)]
    targets = _targets(e, node)
    factors = None if align_corners else _whole_factors(lengths, targets)
    if factors is not None:
        _replace(graph, node, lambda image: _pooled(e, image, factors))
        return
    height, width = (area_weights(e, n, m, align_corners) for n, m in zip(lengths, targets, strict=True))
    _replace(graph, node, lambda image: _multiplied(e, image, height, width))


def convert_scale_and_translate(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Replace ScaleAndTranslate(images, size, scale, translation) by two matrix products.

    Raises:
        UnsupportedError: a kernel type that is not known, or a scale that is not positive.
    """
    e = Expression(graph)
    kernel = node.get_attr_value("kernel_type", b"lanczos3").decode()
    antialias = bool(node.get_attr_value("antialias", 1))
    if kernel not in FILTER_RADIUS:
        raise UnsupportedError(f"ScaleAndTranslate has an unknown kernel type '{kernel}'", node=name)
    scale, translation = known_input(node, 2), known_input(node, 3)
    if isinstance(scale, np.ndarray) and not (np.isfinite(scale).all() and scale.min() > 0):
        raise UnsupportedError(
            f"ScaleAndTranslate with scale {scale.tolist()}, which TensorFlow does not compute either",
            node=name,
        )
    height, width = (
        filter_weights(
            e,
            kernel,
            e.length(node.input[0], axis + 1),
            target,
            e.pick(scale, axis),
            e.pick(translation, axis),
            antialias,
        )
        for axis, target in enumerate(_targets(e, node))
    )
    _replace(graph, node, lambda image: _multiplied(e, image, height, width))


def _targets(e: Expression, node: Any) -> list[Value]:
    """Output height and width, int64 scalars; known where TensorFlow's shape inference knows them."""
    inferred = node.output_shapes[0]
    if inferred is not None and len(inferred) == 4 and min(inferred[1:3]) > 0:
        return [np.array(length, np.int64) for length in inferred[1:3]]
    size = e.integers(known_input(node, 1))
    return [e.pick(size, axis) for axis in range(2)]


def _whole_factors(lengths: list[Value], targets: list[Value]) -> list[int] | None:
    pairs = []
    for n, m in zip(lengths, targets, strict=True):
        if not isinstance(n, np.ndarray) or not isinstance(m, np.ndarray) or int(n) % int(m):
            return None
        pairs.append(int(n) // int(m))
    return pairs


def _replace(graph: Any, node: Any, resized: Any) -> None:
    """Put Cast, Transpose, `resized`, Transpose in the place of an op whose images are NHWC."""
    from tf2onnx import utils

    e = Expression(graph)
    outputs, shapes, dtypes = node.output, node.output_shapes, node.output_dtypes
    image = e.node("Transpose", [e.floats(Operand(node.input[0]))], perm=_TO_NCHW)
    result = resized(image)
    name = node.name
    graph.remove_node(name)
    if shapes[0] is not None and len(shapes[0]) == 4:
        graph.set_shape(result.name, [shapes[0][axis] for axis in _TO_NCHW])
    graph.make_node(
        "Transpose",
        [result.name],
        attr={"perm": _TO_NHWC},
        name=utils.make_name(f"{name}/to_nhwc"),
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def _pooled(e: Expression, image: Operand, factors: list[int]) -> Operand:
    if factors == [1, 1]:
        return e.node("Identity", [image])
    return e.node("AveragePool", [image], kernel_shape=factors, strides=factors)


def _multiplied(e: Expression, image: Operand, height: Value, width: Value) -> Operand:
    """Weights [m, n] of both axes times an image [N, C, H, W]; an axis that keeps every pixel is left out."""
    result = image
    if not _keeps_everything(height):
        result = e.node("MatMul", [height, result])
    if not _keeps_everything(width):
        result = e.node("MatMul", [result, e.transposed(width)])
    return result if result is not image else e.node("Identity", [image])


def _keeps_everything(weights: Value) -> bool:
    return (
        isinstance(weights, np.ndarray)
        and weights.shape[0] == weights.shape[1]
        and bool((weights == np.eye(len(weights), dtype=weights.dtype)).all())
    )

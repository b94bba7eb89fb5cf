"""ResizeArea and ScaleAndTranslate: one weight matrix per axis, or an average pool."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.image_ops.expression import Expression, Operand, Value, known_input
from rewriter.tensorflow.image_ops.folding import known_elements
from rewriter.tensorflow.image_ops.taps import (
    area_taps,
    becomes_whole,
    bicubic_taps,
    bilinear_ends,
    interpolated,
    matrix_taps,
    weighted_sum,
)
from rewriter.tensorflow.image_ops.weights import FILTER_RADIUS, area_weights, filter_weights

__all__ = ["convert_area", "convert_scale_and_translate", "convert_to_whole_numbers"]

F = np.float32
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def convert_area(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Replace ResizeArea(images, size) by AveragePool where both factors are whole, else by two matrix products.

    What an AveragePool or a matrix computes holds for any element type: the op returns float32.
    """
    e = Expression(graph)
    align_corners = bool(node.get_attr_value("align_corners", 0))
    lengths = [e.length(node.input[0], axis) for axis in (1, 2)]
    targets = _targets(e, node)
    whole = becomes_whole(graph, node.output[0])
    factors = None if align_corners else _whole_factors(lengths, targets)
    if factors is not None and not (whole and (factors[0] * factors[1]) & (factors[0] * factors[1] - 1)):
        _replace(graph, node, lambda image: _pooled(e, image, factors))
        return
    if whole:
        with _naming(name):
            (rows, tall), (columns, wide) = (
                area_taps(n, m, align_corners) for n, m in zip(lengths, targets, strict=True)
            )
            over = F(1.0 / float(F(tall * wide)))
            image = e.image(node.input[0])
            summed = weighted_sum(e, weighted_sum(e, image, columns, 2), rows, 1)
            _put_in_place(graph, node, e.node("Mul", [summed, np.array(over, F)]))
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
    scale = known_input(node, 2)
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
            _element(e, node, 2, axis),
            _element(e, node, 3, axis),
            antialias,
        )
        for axis, target in enumerate(_targets(e, node))
    )
    if becomes_whole(graph, node.output[0]):
        with _naming(name):
            summed = weighted_sum(e, e.image(node.input[0]), matrix_taps(height), 1)
            _put_in_place(graph, node, weighted_sum(e, summed, matrix_taps(width), 2))
        return
    _replace(graph, node, lambda image: _multiplied(e, image, height, width))


def convert_to_whole_numbers(graph: Any, node: Any, name: str, size: tuple[int, int] | None) -> None:
    """Replace ResizeBilinear or ResizeBicubic, whose result becomes whole numbers, in the kernel's own steps.

    Args:
        graph, node, name: what tf2onnx gives a handler.
        size: output height and width; None where the op's second input says it.
    """
    e = Expression(graph)
    align_corners = bool(node.get_attr_value("align_corners", 0))
    half_pixel_centers = bool(node.get_attr_value("half_pixel_centers", 0))
    given: Value = e.integers(known_input(node, 1)) if size is None else np.array(size, np.int64)
    axes = [(e.length(node.input[0], axis + 1), e.pick(given, axis)) for axis in range(2)]
    image = e.image(node.input[0])
    if node.type == "ResizeBilinear":
        ends = [bilinear_ends(e, n, m, align_corners, half_pixel_centers) for n, m in axes]
        _put_in_place(graph, node, interpolated(e, image, ends))
        return
    rows, columns = (bicubic_taps(e, n, m, align_corners, half_pixel_centers) for n, m in axes)
    _put_in_place(graph, node, weighted_sum(e, weighted_sum(e, image, rows, 1), columns, 2))


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Refusals inside the block name the op."""
    try:
        yield
    except UnsupportedError as error:
        error.node = error.node or name
        raise


def _put_in_place(graph: Any, node: Any, result: Operand) -> None:
    """Let a tensor take the place of an op's output."""
    from tf2onnx import utils

    name, outputs, shapes, dtypes = node.name, node.output, node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    graph.make_node(
        "Identity",
        [result.name],
        name=utils.make_name(f"{name}/resized"),
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def _targets(e: Expression, node: Any) -> list[Value]:
    """Output height and width, int64 scalars; known where TensorFlow's shape inference knows them."""
    inferred = node.output_shapes[0]
    if inferred is not None and len(inferred) == 4 and min(inferred[1:3]) > 0:
        return [np.array(length, np.int64) for length in inferred[1:3]]
    size = e.integers(known_input(node, 1))
    return [e.pick(size, axis) for axis in range(2)]


def _element(e: Expression, node: Any, source: int, axis: int) -> Value:
    """One element of an input, a float32 scalar; known also where it follows from shapes."""
    known = known_elements(node.inputs[source])
    if known is not None and known.shape == (2,) and not np.isnan(known[axis]):
        return np.array(known[axis], F)
    return e.pick(known_input(node, source), axis)


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
    image = e.node("Transpose", [e.image(node.input[0])], perm=_TO_NCHW)
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

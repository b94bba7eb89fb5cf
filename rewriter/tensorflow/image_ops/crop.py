"""CropAndResize as gathers: the kernel's own coordinates and corner pixels, for constant and run-time boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.image_ops.expression import Expression, Operand, Value, known_input

__all__ = ["convert_crop_and_resize"]

F = np.float32


def convert_crop_and_resize(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Replace CropAndResize(image, boxes, box_ind, crop_size): every step as TensorFlow's kernel makes it.

    ONNX Resize with `tf_crop_and_resize` does not serve: runtimes copy an axis whose length stays whatever the box
    says, extrapolate the last row for boxes that end at 1, and take one box at a time.

    Raises:
        UnsupportedError: a method that is not known.
    """
    from tf2onnx import utils

    method = node.get_attr_value("method", b"bilinear").decode()
    if method not in ("bilinear", "nearest"):
        raise UnsupportedError(f"CropAndResize has an unknown method '{method}'", node=name)
    e = Expression(graph)
    image = Operand(node.input[0])
    boxes, box_ind = e.floats(known_input(node, 1)), e.integers(known_input(node, 2))
    size = _crop_size(e, node)
    spans = [e("Sub", e.floats(e.length(image.name, axis)), np.array(1, F)) for axis in (1, 2)]
    rows, columns = (
        _coordinates(e, e.column(boxes, axis), e.column(boxes, axis + 2), spans[axis], size[axis])
        for axis in range(2)
    )
    number = e.reshaped(box_ind, (-1, 1, 1))
    rows, columns = e.unsqueezed(rows, 2), e.unsqueezed(columns, 1)
    inside = e("And", _within(e, rows, spans[0]), _within(e, columns, spans[1]))
    rows, columns = (_clipped(e, x, span) for x, span in ((rows, spans[0]), (columns, spans[1])))
    sampled = (_nearest if method == "nearest" else _bilinear)(e, image, number, rows, columns)
    fill = np.array(node.get_attr_value("extrapolation_value", 0.0), F)
    outputs, shapes, dtypes = node.output, node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    graph.make_node(
        "Where",
        [e.name(e.unsqueezed(inside, 3)), sampled.name, e.name(fill)],
        name=utils.make_name(f"{name}/crops"),
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def _crop_size(e: Expression, node: Any) -> list[Value]:
    size = e.integers(known_input(node, 3))
    return [e.pick(size, axis) for axis in range(2)]


def _coordinates(e: Expression, start: Value, end: Value, span: Value, m: Value) -> Value:
    """Where each pixel of each crop samples, float32 [boxes, m]; `span` is the image's length minus 1."""
    start, end = e.reshaped(start, (-1, 1)), e.reshaped(end, (-1, 1))
    several = e.floats(e("Max", e("Sub", m, np.array(1, np.int64)), np.array(1, np.int64)))
    step = e("Div", e("Mul", e("Sub", end, start), span), several)
    i = e.reshaped(e.counting(m), (1, -1))
    spread = e("Add", e("Mul", start, span), e("Mul", i, step))
    centre = e("Mul", e("Mul", np.array(0.5, F), e("Add", start, end)), span)
    if isinstance(m, np.ndarray):
        return spread if int(m) > 1 else centre
    return e("Where", e("Greater", m, np.array(1, np.int64)), spread, centre)


def _within(e: Expression, x: Value, span: Value) -> Value:
    before, behind = e("Less", x, np.array(0, F)), e("Greater", x, span)
    return e("And", e("Not", before), e("Not", behind))


def _clipped(e: Expression, x: Value, span: Value) -> Value:
    return e("Max", e("Min", x, span), np.array(0, F))


def _bilinear(e: Expression, image: Operand, number: Value, rows: Value, columns: Value) -> Operand:
    """Two interpolations along rows, one between them, as the kernel nests them."""
    top, bottom = e("Floor", rows), e("Ceil", rows)
    left, right = e("Floor", columns), e("Ceil", columns)
    down, across = e.unsqueezed(e("Sub", rows, top), 3), e.unsqueezed(e("Sub", columns, left), 3)
    upper = _between(e, _pixels(e, image, number, top, left), _pixels(e, image, number, top, right), across)
    lower = _between(
        e, _pixels(e, image, number, bottom, left), _pixels(e, image, number, bottom, right), across
    )
    return _between(e, upper, lower, down)


def _between(e: Expression, a: Operand, b: Operand, share: Value) -> Operand:
    return e.node("Add", [a, e.node("Mul", [e.node("Sub", [b, a]), share])])


def _nearest(e: Expression, image: Operand, number: Value, rows: Value, columns: Value) -> Operand:
    return _pixels(e, image, number, _rounded(e, rows), _rounded(e, columns))


def _rounded(e: Expression, x: Value) -> Value:
    """Halves up; x + 0.5 would round 0.49999997 up too."""
    low = e("Floor", x)
    up = e("Less", e("Sub", x, low), np.array(0.5, F))
    return e("Add", low, e("Where", up, np.array(0, F), np.array(1, F)))


def _pixels(e: Expression, image: Operand, number: Value, rows: Value, columns: Value) -> Operand:
    """The pixels [boxes, H', W', C] at float32 rows [boxes, H', 1] and columns [boxes, 1, W'], as float32."""
    zero = e("Mul", _zeros_like(e, rows), _zeros_like(e, columns))
    indices = [e("Add", e.integers(part), zero) for part in (number, rows, columns)]
    joined: Value
    parts = [e.unsqueezed(part, 3) for part in indices]
    if all(isinstance(part, np.ndarray) for part in parts):
        joined = np.concatenate(parts, axis=3)  # type: ignore[arg-type]
    else:
        joined = e.node("Concat", parts, axis=3)
    gathered = e.node("GatherND", [image, joined])
    return Operand(e.name(e.floats(gathered)))


def _zeros_like(e: Expression, x: Value) -> Value:
    return e("Mul", e.integers(x), np.array(0, np.int64))

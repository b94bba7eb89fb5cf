"""Resize and Upsample: a native operator only where its matrix is proved equal, else an exact decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import as_float, cast, reshape, transpose
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.padding import take
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.coreml import Expression, express
from rewriter.resampling.onnx import OnnxResize
from rewriter.resampling.tensor import TensorResize

__all__: list[str] = []


@lowering("Resize", "Upsample")
def resize(node: Node) -> Var:
    semantics = _semantics(node)
    expression, order = _expression(semantics, node.target)
    if node.custom_layer != "never":
        from rewriter.coreml.neuralnetwork.custom_resize import choose_custom_layer, emit_custom_layer

        layer = choose_custom_layer(node, semantics, expression)
        if layer is not None:
            node.record_resize(_entry(node, semantics, layer.expression, layer.order))
            return emit_custom_layer(node, layer)
    node.record_resize(_entry(node, semantics, expression, order))
    x = node.var()
    if expression.kind == "identity":
        return x
    if expression.kind == "gather":
        return _gather(x, semantics)
    if not node.is_float():
        # ONNX truncates what it interpolates between integers.
        return cast(_blend(as_float(x), semantics, expression, order), "int32")
    return _blend(x, semantics, expression, order)


def _blend(x: Var, semantics: TensorResize, expression: Expression, order: tuple[int, ...]) -> Var:
    if expression.kind == "native":
        return _native(x, expression, order)
    return _extrapolate(_multiply(x, semantics), semantics)


def _semantics(node: Node) -> TensorResize:
    """What the node computes at its fixed shapes, every constant input read."""
    if node.op == "Upsample":
        scales = None if "scales" in node.attributes else node.need_constant(1, "the scale")
        spelled = OnnxResize.from_attributes(node.op, node.opset, node.attributes, scales=_floats(scales))
    elif node.opset < 11:
        scales = node.need_constant(1, "the scale")
        spelled = OnnxResize.from_attributes(node.op, node.opset, node.attributes, scales=_floats(scales))
    else:
        spelled = OnnxResize.from_attributes(
            node.op,
            node.opset,
            node.attributes,
            roi=_floats(_optional(node, 1, "the region")),
            scales=_floats(_optional(node, 2, "the scale")),
            sizes=_integers(_optional(node, 3, "the size")),
        )
    if not _has_two_readings(node, spelled):
        return spelled.semantics(node.shape())
    # onnxruntime does what the specification's text says.
    reading = "onnx.reference" if node.reading == "onnx.reference" else "specification"
    return spelled.semantics(node.shape(), reading=reading)


def _has_two_readings(node: Node, spelled: OnnxResize) -> bool:
    """align_corners by scales where length × scale is not whole: the specification's text and onnxruntime align the
    corners of the whole output length, onnx's reference implementation and test data those of the fractional one."""
    if spelled.scales is None or spelled.coordinate_transformation_mode != "align_corners":
        return False
    shape = node.shape()
    for axis, scale in zip(spelled.named_axes(len(shape)), spelled.scales, strict=True):
        length = shape[axis] * scale
        # float32 scales of whole lengths are off by less than this.
        if abs(length - round(length)) > 1e-5 * length and int(length) > 1:
            if node.reading is None:
                raise node.refuse(
                    f"align_corners with the scale {scale:g}, which makes {shape[axis]} pixels {length:g}: "
                    "onnxruntime and onnx's reference implementation read that differently",
                    "give sizes instead of scales, as `rewrite` does, or say who is right with --reading",
                )
            return True
    return False


def _optional(node: Node, index: int, what: str) -> np.ndarray | None:
    if not node.has(index) or 0 in node.shape(index):
        return None
    if index == 1 and node.attr("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return None
    return node.need_constant(index, what)


def _floats(values: np.ndarray | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values.reshape(-1)]


def _integers(values: np.ndarray | None) -> list[int] | None:
    return None if values is None else [int(value) for value in values.reshape(-1)]


def _expression(semantics: TensorResize, target: str) -> tuple[Expression, tuple[int, ...]]:
    """How to write the resize, and the order of axes that a native operator needs: the resized ones last."""
    plain = tuple(range(len(semantics.axes)))
    expression = express(semantics, target)
    if expression.kind != "matmul" or len(semantics.resized_axes) > 2 or semantics.extrapolates:
        return _without_vanishing(expression, semantics, target), plain
    # The native operators resize the last two axes: try with those that are resized moved there.
    still = tuple(axis for axis in plain if axis not in semantics.resized_axes)
    order = (*still, *semantics.resized_axes)
    if order == plain:
        return expression, plain
    moved = express(TensorResize(tuple(semantics.axes[axis] for axis in order)), target)
    if moved.kind == "native":
        return moved, order
    return expression, plain


def _without_vanishing(expression: Expression, semantics: TensorResize, target: str) -> Expression:
    """coremltools deletes a resize that keeps the shape, whatever it samples: such a one is never native."""
    if expression.kind != "native" or semantics.input_shape != semantics.output_shape:
        return expression
    return Expression(
        "matmul",
        "matmul",
        {},
        expression.axes,
        {**expression.certificate, "expressed_as": "the resize's own matrix"},
        "coremltools removes native resize operators that keep the shape",
    )


def _native(x: Var, expression: Expression, order: tuple[int, ...]) -> Var:
    """The resized axes last and at rank 4 at least, one operator, and back."""
    moved = transpose(x, order)
    shape = static_shape(moved)
    parameters = dict(expression.parameters)
    if expression.op == "upsample_nearest_neighbor":
        # Whole factors have to be given as such: MIL reads floats as recomputed ratios.
        parameters = {key: int(value) for key, value in parameters.items()}
    padded = reshape(moved, (1,) * (4 - len(shape)) + shape)
    result = getattr(mb, str(expression.op))(x=padded, **parameters)
    result = reshape(result, static_shape(result)[max(4 - len(shape), 0) :])
    return transpose(result, [order.index(axis) for axis in range(len(order))])


def _gather(x: Var, semantics: TensorResize) -> Var:
    """Every output pixel copies one input pixel: copied axis by axis, bit for bit."""
    for axis in semantics.resized_axes:
        x = take(x, np.array(semantics.axes[axis].selection, dtype=np.int32), axis)
    return x


def _multiply(x: Var, semantics: TensorResize) -> Var:
    """One constant matrix per axis; the axes that shrink most go first, so that the rest has less to do."""
    axes = sorted(
        semantics.resized_axes, key=lambda axis: semantics.axes[axis].n_out / semantics.axes[axis].n_in
    )
    for axis in axes:
        x = _multiply_axis(x, semantics.axes[axis], axis)
    return x


def _multiply_axis(x: Var, resize: AxisResize, axis: int) -> Var:
    rank = x.rank
    matrix = resize.matrix("float32")
    if axis == rank - 1:
        if rank == 1:
            return reshape(mb.matmul(x=reshape(x, (1, resize.n_in)), y=matrix.T.copy()), (resize.n_out,))
        return mb.matmul(x=x, y=matrix.T.copy())
    if axis == rank - 2:
        return mb.matmul(x=matrix, y=x)
    # Merge what lies behind the axis: the matrix then multiplies from the left.
    shape = static_shape(x)
    merged = mb.matmul(x=matrix, y=reshape(x, (*shape[:axis], shape[axis], int(np.prod(shape[axis + 1 :])))))
    return reshape(merged, (*shape[:axis], resize.n_out, *shape[axis + 1 :]))


def _extrapolate(x: Var, semantics: TensorResize) -> Var:
    """The extrapolation value where the resize samples outside of the input."""
    if not semantics.extrapolates:
        return x
    inside = np.ascontiguousarray(semantics.inside_mask())
    return mb.select(cond=inside, a=x, b=np.float32(semantics.extrapolation_value))


def _entry(
    node: Node, semantics: TensorResize, expression: Expression, order: tuple[int, ...]
) -> dict[str, Any]:
    return {
        "node": node.name,
        "graph": "main",
        "op_type": node.op,
        "semantics": semantics.describe(),
        "input_shape": list(semantics.input_shape),
        "output_shape": list(semantics.output_shape),
        "kind": expression.kind,
        "op": expression.op,
        "parameters": dict(expression.parameters),
        "axis_order": list(order),
        "reason": expression.reason,
        "certificate": expression.certificate,
    }

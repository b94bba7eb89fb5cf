"""Resizes that become the custom layer `RWAlignedResize`: which ones, and the MIL operator that turns into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Operation, Var, types
from coremltools.converters.mil.mil.input_type import InputSpec, TensorInputType
from coremltools.converters.mil.mil.ops.defs._op_reqs import register_op

from rewriter.coreml.customlayer.parameters import CLASS_NAME, LayerParameters, parameters_for
from rewriter.coreml.lowering.mil import reshape, transpose
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.values import static_shape
from rewriter.resampling.coreml import Expression
from rewriter.resampling.tensor import TensorResize

__all__ = ["LARGE_MATRICES", "CustomResize", "choose_custom_layer", "emit_custom_layer"]

LARGE_MATRICES = 1 << 20
"""Bytes of constant matrices above which `auto` takes the custom layer instead (float32)."""

_REMEDY = "use --custom-layer auto, which takes an exact form without the layer there"


@register_op(is_custom_op=True)
class rw_aligned_resize(Operation):  # noqa: N801 - the class name is the operator's name
    """The custom layer as a MIL operator: x [N, C, H, W] → [N, C, target_height, target_width]."""

    input_spec = InputSpec(
        x=TensorInputType(type_domain="T"),
        kind=TensorInputType(const=True, type_domain=types.str),
        coordinates=TensorInputType(const=True, type_domain=types.str),
        rounding=TensorInputType(const=True, type_domain=types.str),
        cubic_a=TensorInputType(const=True, type_domain=types.fp32),
        exclude_outside=TensorInputType(const=True, type_domain=types.bool),
        antialias=TensorInputType(const=True, type_domain=types.bool),
        target_height=TensorInputType(const=True, type_domain=types.int32),
        target_width=TensorInputType(const=True, type_domain=types.int32),
        scale_height=TensorInputType(const=True, type_domain=types.fp32),
        scale_width=TensorInputType(const=True, type_domain=types.fp32),
    )
    type_domains = {"T": (types.fp32,)}  # noqa: RUF012 - coremltools reads a plain dictionary
    bindings = {  # noqa: RUF012
        "class_name": CLASS_NAME,
        "input_order": ["x"],
        "parameters": list(LayerParameters().to_dict()),
        "description": "Resize with exact sampling positions, see RWAlignedResize.m",
    }

    def type_inference(self) -> Any:
        lead = list(self.x.shape[:-2])
        return types.tensor(self.x.dtype, [*lead, int(self.target_height.val), int(self.target_width.val)])


@dataclass(frozen=True)
class CustomResize:
    """One resize as a custom layer.

    Attributes:
        parameters: of the layer.
        order: order of axes that it needs: the resized ones last.
        expression: for the report and the certificate.
    """

    parameters: LayerParameters
    order: tuple[int, ...]
    expression: Expression


def choose_custom_layer(node: Node, semantics: TensorResize, expression: Expression) -> CustomResize | None:
    """The custom layer for a resize, or None where the policy of `node.custom_layer` prefers `expression`.

    Raises:
        UnsupportedError: the policy is ``always``, and the layer cannot compute this resize.
    """
    if expression.kind == "identity":
        return None
    if node.custom_layer == "auto" and (
        expression.kind != "matmul" or matrix_bytes(semantics) <= LARGE_MATRICES
    ):
        return None
    cause = _obstacle(node, semantics)
    order = _order(semantics)
    layer = None if cause else parameters_for((semantics.axes[order[-2]], semantics.axes[order[-1]]))
    if layer is not None:
        return CustomResize(layer, order, _described(semantics, layer))
    if node.custom_layer == "auto":
        return None
    raise node.refuse(f"{CLASS_NAME} cannot compute it: {cause or semantics.describe()}", _REMEDY)


def matrix_bytes(semantics: TensorResize) -> int:
    """Size of the constant matrices that a product form of `semantics` stores, float32."""
    return 4 * sum(semantics.axes[axis].n_in * semantics.axes[axis].n_out for axis in semantics.resized_axes)


def emit_custom_layer(node: Node, resize: CustomResize) -> Var:
    """The resized axes last and at rank 4 at least, the layer, and back."""
    moved = transpose(node.var(), resize.order)
    shape = static_shape(moved)
    padded = reshape(moved, (1,) * (4 - len(shape)) + shape)
    result = mb.rw_aligned_resize(x=padded, **resize.parameters.to_dict())
    result = reshape(result, static_shape(result)[max(4 - len(shape), 0) :])
    return transpose(result, [resize.order.index(axis) for axis in range(len(resize.order))])


def _obstacle(node: Node, semantics: TensorResize) -> str | None:
    if not node.is_float():
        return "it resizes integers, which ONNX truncates"
    if semantics.extrapolates:
        return "it samples outside of the input and puts an extrapolation value there"
    if len(semantics.axes) < 2 or len(semantics.axes) > 4:
        return f"the tensor has rank {len(semantics.axes)}"
    if len(semantics.resized_axes) > 2:
        return "more than two axes are resized"
    return None


def _order(semantics: TensorResize) -> tuple[int, ...]:
    """The axes with the resized ones last; as they are where those are among the last two."""
    plain = tuple(range(len(semantics.axes)))
    if set(semantics.resized_axes) <= set(plain[-2:]):
        return plain
    return (*(axis for axis in plain if axis not in semantics.resized_axes), *semantics.resized_axes)


def _described(semantics: TensorResize, layer: LayerParameters) -> Expression:
    certificate = {
        "equal": True,
        "arithmetic": "exact rational",
        "semantics": semantics.describe(),
        "expressed_as": f"{CLASS_NAME} {layer.kind} {layer.coordinates}",
        "sizes": [[axis.n_in, axis.n_out] for axis in semantics.axes],
    }
    reason = "the custom layer's matrices are equal"
    return Expression("custom", CLASS_NAME, layer.to_dict(), semantics.resized_axes, certificate, reason)

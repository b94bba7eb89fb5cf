"""What counts as a change: objects that passes saw against the messages that they stem from."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import AttributeProto, SparseTensorProto
from onnx_graphsurgeon import Constant, Node, Tensor, Variable
from onnx_graphsurgeon.ir.tensor import LazyValues

from rewriter.model.values import OpaqueAttribute, plain_attribute
from rewriter.model.view import Bindings, ConstantBinding, GraphBinding

__all__ = ["is_redeclared", "same_attribute", "same_constant"]


def same_attribute(value: Any, original: AttributeProto, bindings: Bindings) -> bool:
    """Whether a pass left an attribute (not a graph) as the file has it."""
    if isinstance(value, OpaqueAttribute):
        return value.proto is original or value.proto == original
    if isinstance(value, Constant):
        binding = bindings.constants.get(id(value))
        if binding is None or binding.scope is not None or original.ref_attr_name:
            return False
        same_field = binding.proto is original.t or binding.proto == original.t
        return same_field and same_constant(value, binding)
    if original.type in (AttributeProto.TENSOR, AttributeProto.GRAPH) and not original.ref_attr_name:
        return False
    if isinstance(value, Node.AttributeRef):
        return bool(original.ref_attr_name) and value == plain_attribute(original)
    if original.ref_attr_name:
        return False
    before = plain_attribute(original)
    if isinstance(before, OpaqueAttribute):
        return False
    return _equal_plain(value, before)


def same_constant(constant: Constant, binding: ConstantBinding) -> bool:
    """Whether a tensor has the name and values that the file gives it; values that nobody read are not read here."""
    proto = binding.proto
    name = proto.values.name if isinstance(proto, SparseTensorProto) else proto.name
    if constant.name != name:
        return False
    if constant._values is binding.values or isinstance(proto, SparseTensorProto):
        return True
    if isinstance(constant._values, LazyValues):
        return False
    stored = binding.values.load()
    now = constant._values
    return stored.dtype == now.dtype and stored.shape == now.shape and _same_bytes(stored, now)


def _same_bytes(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return bool(np.array_equal(a, b))
    return a.tobytes() == b.tobytes()


def _equal_plain(value: Any, before: Any) -> bool:
    """Equality of attribute values in which 1, 1.0 and True are different, and NaN equals itself."""
    if isinstance(before, list):
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, (list, tuple)) or len(value) != len(before):
            return False
        return all(_equal_plain(a, b) for a, b in zip(value, before, strict=True))
    if isinstance(before, float):
        if not isinstance(value, (float, np.floating)):
            return False
        return np.float32(value).tobytes() == np.float32(before).tobytes()
    if isinstance(before, int):
        return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) == before
    return type(value) is type(before) and value == before


def is_redeclared(tensor: Tensor, binding: GraphBinding | None) -> bool:
    """Whether a pass changed the type or shape that the file declares for a variable."""
    if not isinstance(tensor, Variable) or binding is None or tensor.name not in binding.declared:
        return False
    shape = None if tensor.shape is None else tuple(tensor.shape)
    return (tensor.dtype, shape) != binding.declared[tensor.name]

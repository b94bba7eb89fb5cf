"""Short texts for values of ONNX's messages."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto

__all__ = ["display_name", "shown"]

_LONGEST = 160
_CONTENT = ("t", "g", "tensors", "graphs", "sparse_tensor", "sparse_tensors", "tp", "type_protos")


def shown(value: Any) -> str:
    """A value in one short line."""
    if isinstance(value, TensorProto):
        return _tensor(value)
    if isinstance(value, onnx.NodeProto):
        return f"{value.op_type}({', '.join(value.input)}) → {', '.join(value.output)}"
    if isinstance(value, onnx.AttributeProto):
        return _attribute(value)
    if isinstance(value, onnx.StringStringEntryProto):
        return _cut(value.value)
    if isinstance(value, onnx.OperatorSetIdProto):
        return str(value.version)
    if isinstance(value, onnx.ValueInfoProto):
        return _declaration(value)
    if isinstance(value, (onnx.GraphProto, onnx.FunctionProto)):
        return f"{len(value.node)} nodes"
    if isinstance(value, bytes):
        try:
            return _cut(value.decode())
        except UnicodeDecodeError:
            return _cut(repr(value))
    if hasattr(value, "DESCRIPTOR"):
        return _cut(" ".join(str(value).split()))
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return _cut(
            f"[{', '.join(shown(entry) for entry in list(value)[:24])}{', …' if len(value) > 24 else ''}]"
        )
    return _cut(str(value))


def display_name(node: onnx.NodeProto) -> str:
    """The node's name, or that of its first output where it has none."""
    return str(node.name or next((name for name in node.output if name), node.op_type))


def _tensor(tensor: TensorProto) -> str:
    kind = (
        TensorProto.DataType.Name(tensor.data_type)
        if tensor.data_type in TensorProto.DataType.values()
        else "?"
    )
    return f"{kind.lower()}[{'×'.join(map(str, tensor.dims))}]"


def _attribute(attribute: onnx.AttributeProto) -> str:
    if attribute.ref_attr_name:
        return f"parameter {attribute.ref_attr_name}"
    for name in _CONTENT:
        value = getattr(attribute, name)
        is_list = name.endswith("s")
        if (len(value) if is_list else attribute.HasField(name)) and _type_says(attribute, name):
            return shown(list(value) if is_list else value)
    try:
        return shown(onnx.helper.get_attribute_value(attribute))
    except ValueError:
        return "a value of no type"


def _type_says(attribute: onnx.AttributeProto, field: str) -> bool:
    wanted = {"t": "TENSOR", "g": "GRAPH", "tp": "TYPE_PROTO"}.get(field, field.upper())
    return bool(attribute.type == onnx.AttributeProto.AttributeType.Value(wanted))


def _declaration(info: onnx.ValueInfoProto) -> str:
    if not info.type.HasField("tensor_type"):
        return "declared"
    try:
        return _cut(onnx.helper.printable_value_info(info).replace("%", ""))
    except ValueError:  # an element type that this onnx does not know
        return _cut(" ".join(str(info.type.tensor_type).split()))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

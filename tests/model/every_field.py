"""A model in which every field of every message of ONNX's protobuf is set, made from the descriptors."""

from __future__ import annotations

import itertools
from typing import Any

import onnx
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from onnx import helper

from tests.model.onnx_models import tensor

UNKNOWN = b"\xfa\xff\x03\x03abc"
"""A field of number 8191, which no version of ONNX has."""
_TYPES = [
    each.number for each in onnx.AttributeProto.DESCRIPTOR.enum_types_by_name["AttributeType"].values[1:]
]


def model_with_every_field() -> onnx.ModelProto:
    """Not a valid model, but one that any reader must take: with one Resize named ``up`` among the rest."""
    proto = onnx.ModelProto()
    _fill(proto, itertools.count(1), {})
    for node in proto.graph.node:
        _give_types(node.attribute, itertools.count())
    proto.ir_version = 10
    del proto.opset_import[1:]
    proto.opset_import[0].domain, proto.opset_import[0].version = "", 18
    del proto.functions[1:]
    for function in proto.functions:
        del function.opset_import[1:]
        function.opset_import[0].domain, function.opset_import[0].version = "", 18
    graph = proto.graph
    graph.node.append(helper.make_node("Resize", ["in", "", "scales"], ["out"], name="up", mode="linear"))
    graph.input.append(helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, [1, 1, 4, 4]))
    graph.output.append(helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 1, 8, 8]))
    graph.initializer.append(tensor("scales", [1, 1, 2, 2]))
    return proto


def every_field(root: Descriptor) -> dict[str, set[str]]:
    """Names of the fields of each message that `root` can hold."""
    found: dict[str, set[str]] = {}
    waiting = [root]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in found:
            continue
        found[descriptor.full_name] = {entry.name for entry in descriptor.fields}
        waiting += [entry.message_type for entry in descriptor.fields if entry.message_type]
    return found


def fields_set(message: Any, found: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Names of the fields that are set anywhere in `message`, by message type."""
    found = {} if found is None else found
    names = found.setdefault(message.DESCRIPTOR.full_name, set())
    for entry, value in message.ListFields():
        names.add(entry.name)
        for inner in (value if entry.is_repeated else [value]) if entry.message_type else ():
            fields_set(inner, found)
    return found


def _give_types(attributes: Any, counter: itertools.count[int]) -> None:
    """Let attributes be of each type in turn; the first remains a reference to a parameter."""
    for attribute in attributes:
        kind = next(counter) % len(_TYPES)
        attribute.type = _TYPES[kind]
        if kind:
            attribute.ClearField("ref_attr_name")
        for graph in (attribute.g, *attribute.graphs):
            for node in graph.node:
                _give_types(node.attribute, counter)


def _fill(message: Any, numbers: itertools.count[int], depth: dict[str, int], variant: int = 0) -> None:
    descriptor = message.DESCRIPTOR
    depth = {**depth, descriptor.full_name: depth.get(descriptor.full_name, 0) + 1}
    chosen = {name: union.fields[variant % len(union.fields)].name for name, union in _unions(descriptor)}
    for entry in descriptor.fields:
        union = entry.containing_oneof
        if union is not None and chosen.get(union.name, entry.name) != entry.name:
            continue
        if entry.message_type is None:
            _set_plain(message, entry, numbers)
        elif depth.get(entry.message_type.full_name, 0) < 2:
            if not entry.is_repeated:
                _fill(getattr(message, entry.name), numbers, depth, variant)
                continue
            for each in range(max([1, *(len(u.fields) for _, u in _unions_inside(entry.message_type))])):
                _fill(getattr(message, entry.name).add(), numbers, depth, each)
    message.MergeFromString(UNKNOWN)


def _unions(descriptor: Descriptor) -> list[tuple[str, Any]]:
    return [(name, union) for name, union in descriptor.oneofs_by_name.items() if len(union.fields) > 1]


def _unions_inside(descriptor: Descriptor) -> list[tuple[str, Any]]:
    inner = [entry.message_type for entry in descriptor.fields if entry.message_type]
    return [found for each in (descriptor, *inner) for found in _unions(each)]


def _set_plain(message: Any, entry: FieldDescriptor, numbers: itertools.count[int]) -> None:
    if entry.is_repeated:
        getattr(message, entry.name).extend(_plain_value(entry, next(numbers)) for _ in range(2))
    else:
        setattr(message, entry.name, _plain_value(entry, next(numbers)))


def _plain_value(entry: FieldDescriptor, number: int) -> Any:
    value: Any = number
    if entry.enum_type is not None:
        value = entry.enum_type.values[1].number
    elif entry.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        value = f"text{number}" if entry.type == FieldDescriptor.TYPE_STRING else b"\xff\x00bytes%d" % number
    elif entry.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        value = number / 4
    elif entry.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        value = number % 100
    return value

"""Walks two models side by side, field by field.

The walk follows the descriptors of the installed onnx, so that a field is compared because it exists, not because it
is listed here; only what reads better in other words (nodes, attributes, tensors, types) has a method of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from rewriter.difference.data import compare_data
from rewriter.difference.matching import match, match_nodes, out_of_order
from rewriter.difference.result import Difference, Kind
from rewriter.difference.texts import display_name, shown
from rewriter.model import Model

__all__ = ["Comparison"]

_KEYS: dict[str, Callable[[Any], Hashable]] = {
    "AttributeProto": lambda entry: entry.name,
    "DeviceConfigurationProto": lambda entry: entry.name,
    "FunctionProto": lambda entry: (entry.domain, entry.name, entry.overload),
    "OperatorSetIdProto": lambda entry: entry.domain,
    "SparseTensorProto": lambda entry: entry.values.name,
    "StringStringEntryProto": lambda entry: entry.key,
    "TensorAnnotation": lambda entry: entry.tensor_name,
    "TensorProto": lambda entry: entry.name,
    "ValueInfoProto": lambda entry: entry.name,
}
"""What names an entry of a list; entries of other types are named by their place."""
_DATA = {"raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"}
_PLACES = {"external_data", "data_location"}
_PLAIN_VALUES = ("type", "ref_attr_name", "f", "i", "s", "floats", "ints", "strings")
_HOLDERS = (
    AttributeProto.TENSOR,
    AttributeProto.TENSORS,
    AttributeProto.GRAPH,
    AttributeProto.GRAPHS,
    AttributeProto.SPARSE_TENSOR,
    AttributeProto.SPARSE_TENSORS,
)


@dataclass(frozen=True)
class _Place:
    """Where the walk is: graph, node, and the operator sets of both sides."""

    graph: str = ""
    node: str | None = None
    opsets: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})

    def inside(self, graph: str) -> _Place:
        return _Place(graph, None, self.opsets)

    def at(self, node: str) -> _Place:
        return _Place(self.graph, node, self.opsets)


class Comparison:
    """One comparison of two models as their files have them."""

    def __init__(self, first: Model, second: Model) -> None:
        self.first, self.second = first, second
        self._found: list[Difference] = []

    def differences(self) -> list[Difference]:
        """Every difference."""
        a, b = self.first.original, self.second.original
        place = _Place(opsets=(_opsets(a.opset_import), _opsets(b.opset_import)))
        self._found = []
        self._message(a, b, place, "")
        return self._found

    # -- any message ----------------------------------------------------------------------------------------------

    def _add(self, kind: Kind, place: _Place, what: str, old: Any, new: Any, same: bool = False) -> None:
        before, after = (None if value is None else shown(value) for value in (old, new))
        self._found.append(Difference(kind, place.graph, place.node, what, before, after, same))

    def _message(self, a: Any, b: Any, place: _Place, label: str, skip: Sequence[str] = ()) -> None:
        """Every field of two messages of one type, and what the installed onnx does not know of them."""
        for entry in a.DESCRIPTOR.fields:
            if entry.name not in skip:
                self._field(entry, a, b, place, f"{label} {entry.name}".strip())
        unknown = [_unknown(message) for message in (a, b)]
        if unknown[0] != unknown[1]:
            old, new = (", ".join(fields) or None for fields in unknown)
            kind: Kind = "added" if old is None else "removed" if new is None else "changed"
            self._add(kind, place, f"{label} fields unknown to onnx {onnx.__version__}".strip(), old, new)

    def _field(self, entry: Any, a: Any, b: Any, place: _Place, label: str) -> None:
        old, new = getattr(a, entry.name), getattr(b, entry.name)
        if entry.is_repeated:
            if entry.message_type is not None:
                self._list(old, new, place, label, entry.message_type.name)
            elif list(old) != list(new):
                self._add("changed", place, label, list(old), list(new))
            return
        present = [message.HasField(entry.name) if entry.has_presence else True for message in (a, b)]
        if present == [False, False]:
            return
        if entry.message_type is not None and all(present):
            self._inner(old, new, place, label)
        elif present[0] != present[1]:
            self._add("added" if present[1] else "removed", place, label, *_both(old, new, present))
        elif old != new and not (old != old and new != new):  # NaN is what it was
            self._add("changed", place, label, old, new)

    def _inner(self, a: Any, b: Any, place: _Place, label: str) -> None:
        """Two messages of one type, by the method that speaks best of them."""
        if isinstance(a, GraphProto):
            self._graph(a, b, place.inside("main" if not place.graph else f"{place.graph}/{label}"))
        elif isinstance(a, FunctionProto):
            self._function(a, b, place)
        elif isinstance(a, NodeProto):
            self._node(a, b, place)
        elif isinstance(a, AttributeProto):
            self._attribute(a, b, place, label)
        elif isinstance(a, TensorProto):
            self._tensor(a, b, place, label)
        elif isinstance(a, ValueInfoProto):
            self._value_info(a, b, place, label)
        else:
            self._message(a, b, place, label)

    def _list(self, a: Any, b: Any, place: _Place, label: str, kind: str) -> None:
        """Two lists of messages, paired by what names their entries."""
        key = _KEYS.get(kind)
        if kind == "NodeProto":
            pairs = match_nodes(a, b)
        elif key is not None:
            pairs = match(a, b, [key])
        else:
            pairs = [(index, index) for index in range(min(len(a), len(b)))]
        partner = dict(pairs)
        for index, entry in enumerate(a):
            name = _label(label, entry, key, index)
            if index in partner:
                self._inner(entry, b[partner[index]], place, name)
            else:
                self._gone(entry, place, name)
        taken = set(partner.values())
        for index, entry in enumerate(b):
            if index not in taken:
                self._new(entry, place, _label(label, entry, key, index))
        for old, new in out_of_order(pairs):
            where = place.at(display_name(a[old])) if kind == "NodeProto" else place
            self._add("moved", where, _label(label, a[old], key, old), str(old), str(new))

    def _gone(self, entry: Any, place: _Place, label: str) -> None:
        where = place.at(display_name(entry)) if isinstance(entry, NodeProto) else place
        self._add("removed", where, label, entry, None)

    def _new(self, entry: Any, place: _Place, label: str) -> None:
        where = place.at(display_name(entry)) if isinstance(entry, NodeProto) else place
        self._add("added", where, label, None, entry)

    # -- messages that read better in other words -----------------------------------------------------------------

    def _graph(self, a: GraphProto, b: GraphProto, place: _Place) -> None:
        self._message(a, b, place, "")

    def _function(self, a: FunctionProto, b: FunctionProto, place: _Place) -> None:
        path = ":".join(["function", a.domain, a.name, *([a.overload] if a.overload else [])])
        opsets = (
            {**place.opsets[0], **_opsets(a.opset_import)},
            {**place.opsets[1], **_opsets(b.opset_import)},
        )
        self._message(a, b, _Place(path, None, opsets), "")

    def _node(self, a: NodeProto, b: NodeProto, place: _Place) -> None:
        if self._certainly_equal(a, b):
            return
        where = place.at(display_name(a))
        self._message(a, b, where, "", skip=["attribute"])
        self._attributes(a, b, where)

    def _attributes(self, a: NodeProto, b: NodeProto, place: _Place) -> None:
        partner = dict(match(a.attribute, b.attribute, [_KEYS["AttributeProto"]]))
        for index, entry in enumerate(a.attribute):
            label = f"attribute {entry.name}"
            if index in partner:
                self._attribute(entry, b.attribute[partner[index]], place, label)
            else:
                same = _is_default(entry, place, 1, b)
                self._add("removed", place, label, entry, None, same)
        for index, entry in enumerate(b.attribute):
            if index not in partner.values():
                self._add(
                    "added", place, f"attribute {entry.name}", None, entry, _is_default(entry, place, 0, a)
                )
        for old, new in out_of_order(sorted(partner.items())):
            self._add("moved", place, f"attribute {a.attribute[old].name}", str(old), str(new))

    def _attribute(self, a: AttributeProto, b: AttributeProto, place: _Place, label: str) -> None:
        plain = [[_plain(getattr(message, name)) for name in _PLAIN_VALUES] for message in (a, b)]
        if plain[0] != plain[1]:
            self._add("changed", place, label, *_telling(a, b))
        for entry in a.DESCRIPTOR.fields:
            if entry.name in _PLAIN_VALUES:
                continue
            if entry.name == "g" and a.HasField("g") and b.HasField("g"):
                path = f"{place.graph}/{place.node}/{a.name}" if place.node else f"{place.graph}/{a.name}"
                self._graph(a.g, b.g, place.inside(path))
            else:
                self._field(entry, a, b, place, label if entry.name == "t" else f"{label} {entry.name}")
        self._message(a, b, place, label, skip=[entry.name for entry in a.DESCRIPTOR.fields])

    def _tensor(self, a: TensorProto, b: TensorProto, place: _Place, label: str) -> None:
        own = [model.source.hole(tensor) is not None for model, tensor in ((self.first, a), (self.second, b))]
        # References into the model's own file are how it was read, not what it says.
        places = _PLACES if any(own) else set()
        self._message(a, b, place, label, skip=[*_DATA, *places])
        found = compare_data(a, b, self.first, self.second)
        if found is not None:
            self._add("changed", place, f"{label} data", *found)
        elif not any(own) and (stored := _stored_in(a)) != (other := _stored_in(b)):
            self._add("encoding", place, f"{label} data field", stored, other)

    def _value_info(self, a: ValueInfoProto, b: ValueInfoProto, place: _Place, label: str) -> None:
        texts = shown(a), shown(b)
        if texts[0] != texts[1]:
            self._add("changed", place, label, *texts)
            self._message(a, b, place, label, skip=["type"])
        else:
            self._message(a, b, place, label)

    def _certainly_equal(self, a: NodeProto, b: NodeProto) -> bool:
        # References may be the same where the data that they point to is not.
        references = bool(self.first.source.holes or self.second.source.holes)
        if references and any(attribute.type in _HOLDERS for attribute in a.attribute):
            return False
        return a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


def _opsets(imports: Any) -> dict[str, int]:
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in imports}


def _label(label: str, entry: Any, key: Callable[[Any], Hashable] | None, index: int) -> str:
    if isinstance(entry, NodeProto):
        return "node"
    if key is None:
        return f"{label}[{index}]"
    name = key(entry)
    text = ":".join(part for part in name if part) if isinstance(name, tuple) else str(name)
    return f"{label} {text or 'ai.onnx' if isinstance(entry, onnx.OperatorSetIdProto) else text}".strip()


def _both(old: Any, new: Any, present: list[bool]) -> tuple[Any, Any]:
    return (old if present[0] else None), (new if present[1] else None)


def _plain(value: Any) -> Any:
    """A value that equals itself, NaN included."""
    return (
        repr(value)
        if isinstance(value, float)
        else value
        if isinstance(value, (int, str, bytes))
        else list(value)
    )


def _telling(a: AttributeProto, b: AttributeProto) -> tuple[str, str]:
    """Texts of two attributes that differ, with their types where the values look the same."""
    texts = shown(a), shown(b)
    if texts[0] != texts[1]:
        return texts
    kinds = [AttributeProto.AttributeType.Name(each.type).lower() for each in (a, b)]
    return (f"{kinds[0]} {texts[0]}", f"{kinds[1]} {texts[1]} (other fields)")


def _stored_in(tensor: TensorProto) -> str | None:
    """Which field holds the data."""
    lists = [name for name in sorted(_DATA - {"raw_data"}) if getattr(tensor, name)]
    return ", ".join(["raw_data"] * tensor.HasField("raw_data") + lists) or None


def _is_default(attribute: AttributeProto, place: _Place, side: int, node: NodeProto) -> bool:
    """Whether an attribute says what its absence in the node of one side says."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        schema = onnx.defs.get_schema(node.op_type, place.opsets[side].get(domain, 0), domain)
        default = schema.attributes[attribute.name].default_value
    except (onnx.defs.SchemaError, KeyError):
        return False
    bare = AttributeProto()
    bare.CopyFrom(attribute)
    bare.ClearField("doc_string")
    return bool(default.name) and bare.SerializeToString(deterministic=True) == default.SerializeToString(
        deterministic=True
    )


def _unknown(message: Any) -> list[str]:
    return [f"{entry.field_number}: {_unknown_data(entry)}" for entry in UnknownFieldSet(message)]


def _unknown_data(entry: Any) -> str:
    data = entry.data
    return (
        repr(data)
        if isinstance(data, (int, bytes))
        else f"{{{', '.join(_unknown_data(each) for each in data)}}}"
    )

"""Reading a large file without its weights: every message, with references in place of large tensor data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from rewriter.model.filebytes import FileBytes
from rewriter.model.source import Hole, Region, Source
from rewriter.model.spans import Span
from rewriter.model.wire import WireError, header, read_varint, skip

__all__ = ["outermost", "skeleton"]

_LARGE = 1024
"""Bytes of a field that is worth a reference, and of a message that can hold one."""
_WINDOW = 1 << 16
_LONGEST_HEADER = 20
_LENGTH_DELIMITED = 2
_DATA_FIELDS = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data")
_DATA = {TensorProto.DESCRIPTOR.fields_by_name[name].number for name in _DATA_FIELDS}
_ELSEWHERE = {
    TensorProto.DESCRIPTOR.fields_by_name[name].number for name in ("external_data", "data_location")
}


def _children() -> dict[str, dict[int, str]]:
    """By message, the fields that hold messages on the way to a tensor, and the types of these."""
    wanted: dict[str, dict[int, str]] = {}
    waiting = [ModelProto.DESCRIPTOR]
    leading = {
        message.DESCRIPTOR.name
        for message in (ModelProto, GraphProto, FunctionProto, NodeProto, AttributeProto)
    } | {"TrainingInfoProto", "SparseTensorProto", "TensorProto"}
    while waiting:
        descriptor = waiting.pop()
        if descriptor.name in wanted:
            continue
        inner = [entry for entry in descriptor.fields if entry.message_type is not None]
        inner = [entry for entry in inner if entry.message_type.name in leading]
        wanted[descriptor.name] = {entry.number: entry.message_type.name for entry in inner}
        waiting += [entry.message_type for entry in inner]
    return wanted


_CHILDREN = _children()


class _Edit(NamedTuple):
    """Bytes of the file that the data has otherwise."""

    file: Span
    replacement: bytes


def outermost(file: FileBytes) -> Iterator[int]:
    """Numbers of the fields of the model itself.

    Raises:
        WireError: one of them is broken.
    """
    for entry in _Scan(file)._fields(Span(0, file.size), 0):
        yield entry.number


class _Entry(NamedTuple):
    """A length-delimited field of at least `_LARGE` bytes, or in a tensor any field."""

    number: int
    start: int
    payload: Span
    delimited: bool


def skeleton(file: FileBytes) -> Source:
    """The model in `file`, its large tensor data left where it is.

    Raises:
        WireError: the bytes are not a protobuf message.
    """
    scan = _Scan(file)
    edits, _ = scan.message("ModelProto", Span(0, file.size))
    pieces: list[bytes] = []
    regions: list[Region] = []
    position = length = 0
    for edit in edits:
        pieces += [file.read(position, edit.file.start), edit.replacement]
        start = length + edit.file.start - position
        length = start + len(edit.replacement)
        position = edit.file.stop
        regions.append(Region(Span(start, length), edit.file))
    pieces.append(file.read(position, file.size))
    return Source(b"".join(pieces), file, regions, scan.holes)


@dataclass
class _Scan:
    """Walks through messages, reading headers only."""

    file: FileBytes
    holes: dict[tuple[int, int], Hole] = field(default_factory=dict)
    _window: bytes = b""
    _window_start: int = 0

    def message(self, kind: str, span: Span) -> tuple[list[_Edit], int]:
        """What becomes otherwise in a message, and by how many bytes it grows (usually a negative number)."""
        if kind == "TensorProto":
            return self._tensor(span)
        edits: list[_Edit] = []
        growth = 0
        children = _CHILDREN[kind]
        for entry in self._fields(span, _LARGE):
            if not entry.delimited or entry.number not in children:
                continue
            inner, change = self.message(children[entry.number], entry.payload)
            if not inner:
                continue
            fresh = header(entry.number, entry.payload.size + change)
            edits.append(_Edit(Span(entry.start, entry.payload.start), fresh))
            edits += inner
            growth += change + len(fresh) - (entry.payload.start - entry.start)
        return edits, growth

    def _tensor(self, span: Span) -> tuple[list[_Edit], int]:
        entries = list(self._fields(span, 0))
        data = [entry for entry in entries if entry.number in _DATA and entry.delimited]
        if len(data) != 1 or data[0].payload.size < _LARGE:
            return [], 0
        if any(entry.number in _ELSEWHERE or entry.number in _DATA for entry in entries if entry != data[0]):
            return [], 0
        whole = Span(data[0].start, data[0].payload.stop)
        offset, length = data[0].payload.start, data[0].payload.size
        self.holes[offset, length] = Hole(data[0].number, whole)
        reference = TensorProto(data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self.file.real_path.name), ("offset", offset), ("length", length)):
            reference.external_data.add(key=key, value=str(value))
        replacement = reference.SerializeToString()
        return [_Edit(whole, replacement)], len(replacement) - whole.size

    def _fields(self, span: Span, least: int) -> Iterator[_Entry]:
        """The fields of a message whose payload has at least `least` bytes."""
        position, stop = span
        while position < stop:
            window, base = self._at(position, stop)
            limit = min(len(window), stop - base)
            # Inside the window positions are relative to it; this loop sees every node of a graph.
            at = position - base
            while at < limit and (limit - at >= _LONGEST_HEADER or base + limit == stop):
                start = at
                tag = window[at]
                if tag < 0x80:
                    at += 1
                else:
                    tag, at = read_varint(window, at, limit)
                delimited = tag & 7 == _LENGTH_DELIMITED
                if not delimited:
                    at = skip(window, at, limit, tag)
                    payload = Span(base + at, base + at)
                else:
                    size, at = read_varint(window, at, limit)
                    payload = Span(base + at, base + at + size)
                    at += size
                if tag < 8 or base + at > stop:
                    raise WireError(f"no field ends where it should at byte {base + start}")
                if payload.size >= least:
                    yield _Entry(tag >> 3, base + start, payload, delimited)
            position = base + at

    def _at(self, position: int, stop: int) -> tuple[bytes, int]:
        """A window with the bytes from `position` on, and where it begins."""
        begin = self._window_start
        needed = min(position + _LONGEST_HEADER, stop)
        if not begin <= position or needed > begin + len(self._window):
            self._window = self.file.read(position, min(position + _WINDOW, self.file.size))
            self._window_start = begin = position
        return self._window, begin

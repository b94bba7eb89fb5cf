"""Protobuf messages as bytes: find fields, and replace some of them without touching the others.

A protobuf parser may reorder and re-encode whatever it reads, so a file that must stay the same outside an edit is
never serialised again: the edited fields are spliced into the original bytes, and only the length headers on the
way to them are written anew. The result is a `Rope`, whose parts are new bytes and spans of the source, so that a
caller can copy spans from a file instead of holding them in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = [
    "Field",
    "Keep",
    "Raw",
    "Rope",
    "Span",
    "WireError",
    "fields",
    "message_field",
    "payloads",
    "splice",
    "varint_field",
]

_VARINT, _FIXED64, _BYTES, _GROUP_START, _GROUP_END, _FIXED32 = range(6)


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


class Span(NamedTuple):
    """Bytes `start` to `stop` of the source."""

    start: int
    stop: int


class Field(NamedTuple):
    """One field of a message: its number, where it begins (tag included), where its payload is."""

    number: int
    wire_type: int
    start: int
    payload: Span

    @property
    def whole(self) -> Span:
        return Span(self.start, self.payload.stop)


@dataclass
class Rope:
    """Bytes made of new pieces and spans of a source."""

    parts: list[bytes | Span] = field(default_factory=list)
    length: int = 0

    def append(self, part: bytes | Span) -> None:
        """Add bytes or a span; neighbouring spans become one."""
        if isinstance(part, Span):
            size = part.stop - part.start
            last = self.parts[-1] if self.parts else None
            if isinstance(last, Span) and last.stop == part.start:
                self.parts[-1] = Span(last.start, part.stop)
            elif size:
                self.parts.append(part)
            self.length += size
            return
        if part:
            self.parts.append(part)
            self.length += len(part)

    def extend(self, other: Rope) -> None:
        for part in other.parts:
            self.append(part)

    def to_bytes(self, source: bytes) -> bytes:
        """The bytes, with spans read from `source`."""
        view = memoryview(source)
        return b"".join(
            part if isinstance(part, bytes) else view[part.start : part.stop] for part in self.parts
        )


@dataclass(frozen=True)
class Keep:
    """Item of an edit: the original occurrence number `index` of the field, as it is."""

    index: int


@dataclass(frozen=True)
class Raw:
    """Item of an edit: a whole encoded field, tag included."""

    data: bytes


Item: TypeAlias = "Keep | Raw | Rope | bytes"
"""What a repeated field holds after an edit; a rope or bytes is the payload of a length-delimited field."""


def payloads(source: bytes, span: Span, number: int) -> list[Span]:
    """Where the occurrences of a length-delimited field lie."""
    return [
        entry.payload
        for entry in fields(source, span)
        if entry.number == number and entry.wire_type == _BYTES
    ]


def fields(source: bytes, span: Span) -> Iterator[Field]:
    """The fields of the message that lies at `span` of `source`, in file order.

    Raises:
        WireError: the bytes are not a message.
    """
    position, stop = span
    while position < stop:
        start = position
        tag, position = _read_varint(source, position, stop)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 at byte {start}")
        payload = _payload(source, position, stop, number, wire_type)
        yield Field(number, wire_type, start, payload)
        position = payload.stop


def _payload(source: bytes, position: int, stop: int, number: int, wire_type: int) -> Span:
    if wire_type == _BYTES:
        length, position = _read_varint(source, position, stop)
        end = position + length
    elif wire_type == _VARINT:
        end = _read_varint(source, position, stop)[1]
    elif wire_type == _FIXED64:
        end = position + 8
    elif wire_type == _FIXED32:
        end = position + 4
    elif wire_type == _GROUP_START:
        end = _group_end(source, position, stop, number)
    else:
        raise WireError(f"wire type {wire_type} at byte {position}")
    if end > stop:
        raise WireError(f"the field at byte {position} ends at byte {end}, the message at byte {stop}")
    return Span(position, end)


def _group_end(source: bytes, position: int, stop: int, number: int) -> int:
    while position < stop:
        tag, after = _read_varint(source, position, stop)
        if tag & 7 == _GROUP_END:
            if tag >> 3 != number:
                raise WireError(f"a group is closed by another at byte {position}")
            return after
        position = _payload(source, after, stop, tag >> 3, tag & 7).stop
    raise WireError("an unclosed group")


def _read_varint(source: bytes, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while position < stop:
        byte = source[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise WireError(f"an overlong number at byte {position}")
    raise WireError("the data ends inside a number")


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative int64 values take ten bytes
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_field(number: int, value: int) -> Raw:
    """An integer field."""
    return Raw(_varint(number << 3 | _VARINT) + _varint(value))


def message_field(number: int, payload: Rope | bytes) -> Rope:
    """A length-delimited field (message, string or bytes) with its header."""
    rope = Rope()
    length = payload.length if isinstance(payload, Rope) else len(payload)
    rope.append(_varint(number << 3 | _BYTES) + _varint(length))
    if isinstance(payload, Rope):
        rope.extend(payload)
    else:
        rope.append(payload)
    return rope


def splice(source: bytes, span: Span, edits: Mapping[int, Sequence[Item]]) -> Rope:
    """The message at `span` with the fields named in `edits` replaced, and every other byte as it was.

    Args:
        source: the original bytes.
        span: where the message lies; an empty span builds a message from nothing.
        edits: for each field number the complete new list of its occurrences. Kept ones stay where they are as
            long as their order is unchanged; new ones come where the list puts them between these.
    """
    original = list(fields(source, span))
    scalar = {number for number, items in edits.items() if any(isinstance(item, Raw) for item in items)}

    def is_edited(entry: Field) -> bool:
        # A field of a known number but another wire type is an unknown field to every parser.
        return entry.number in edits and (entry.wire_type == _BYTES or entry.number in scalar)

    last = {entry.number: position for position, entry in enumerate(original) if is_edited(entry)}
    pending = {number: list(items)[::-1] for number, items in edits.items()}
    seen = dict.fromkeys(edits, 0)
    kept = {number: {i.index for i in items if isinstance(i, Keep)} for number, items in edits.items()}
    shuffled = {number for number, items in edits.items() if not _in_order(items)}
    occurrences: dict[int, list[Field]] = {}
    for entry in original:
        if entry.number in shuffled and is_edited(entry):
            occurrences.setdefault(entry.number, []).append(entry)
    absent = sorted((number for number in edits if number not in last), reverse=True)

    rope = Rope()

    def emit(number: int, item: Item) -> None:
        if isinstance(item, Keep):
            rope.append(occurrences[number][item.index].whole)
        elif isinstance(item, Raw):
            rope.append(item.data)
        else:
            rope.extend(message_field(number, item))

    def drain(number: int, *, until_keep: bool = False) -> None:
        queue = pending[number]
        while queue and not (until_keep and isinstance(queue[-1], Keep)):
            emit(number, queue.pop())

    for position, entry in enumerate(original):
        while absent and absent[-1] < entry.number:
            drain(absent.pop())
        if not is_edited(entry):
            rope.append(entry.whole)
            continue
        if entry.number in shuffled:
            drain(entry.number)
            continue
        drain(entry.number, until_keep=True)
        index = seen[entry.number]
        seen[entry.number] += 1
        if index in kept[entry.number]:
            pending[entry.number].pop()
            rope.append(entry.whole)
        if position == last[entry.number]:
            drain(entry.number)
    while absent:
        drain(absent.pop())
    return rope


def _in_order(items: Sequence[Item]) -> bool:
    indices = [item.index for item in items if isinstance(item, Keep)]
    return all(a < b for a, b in itertools.pairwise(indices))

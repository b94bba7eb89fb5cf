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
from typing import NamedTuple, Protocol, TypeAlias

from rewriter.model.spans import Span

__all__ = [
    "Field",
    "Keep",
    "Original",
    "Raw",
    "Rope",
    "WireError",
    "fields",
    "header",
    "message_field",
    "occurrences",
    "payloads",
    "read_varint",
    "skip",
    "splice",
    "varint_field",
]

_VARINT, _FIXED64, _BYTES, _GROUP_START, _GROUP_END, _FIXED32 = range(6)


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


class Original(Protocol):
    """Where kept fields come from: messages to look at, and where each span of them lies in the file."""

    def fields(self, span: Span) -> list[Field]: ...

    def stored(self, span: Span) -> Span: ...


class Field(NamedTuple):
    """One field of a message: its number, where it begins (tag included), where its payload begins, where it ends."""

    number: int
    wire_type: int
    start: int
    inner: int
    stop: int

    @property
    def payload(self) -> Span:
        return Span(self.inner, self.stop)

    @property
    def whole(self) -> Span:
        return Span(self.start, self.stop)


@dataclass
class Rope:
    """Bytes made of new pieces and spans of the file."""

    parts: list[bytes | Span] = field(default_factory=list)
    length: int = 0

    def append(self, part: bytes | Span) -> None:
        """Add bytes or a span; neighbouring spans become one."""
        if isinstance(part, Span):
            last = self.parts[-1] if self.parts else None
            if isinstance(last, Span) and last.stop == part.start:
                self.parts[-1] = Span(last.start, part.stop)
            elif part.size:
                self.parts.append(part)
            self.length += part.size
            return
        if part:
            self.parts.append(part)
            self.length += len(part)

    def extend(self, other: Rope) -> None:
        """Add all parts of another rope."""
        if not other.parts:
            return
        first, *rest = other.parts
        self.append(first)
        self.parts += rest
        self.length += other.length - (first.size if isinstance(first, Span) else len(first))


class Keep(NamedTuple):
    """Item of an edit: the original occurrence of the field at `place`, as it is."""

    place: int


@dataclass(frozen=True)
class Raw:
    """Item of an edit: a whole encoded field, tag included."""

    data: bytes


Item: TypeAlias = "Keep | Raw | Rope | bytes"
"""What a repeated field holds after an edit; a rope or bytes is the payload of a length-delimited field."""


def payloads(original: Original, span: Span, number: int) -> list[Span]:
    """Where the occurrences of a length-delimited field lie in the message at `span`."""
    return [entry.payload for entry in occurrences(original, span, number)]


def occurrences(original: Original, span: Span, number: int) -> list[Field]:
    """The occurrences of a length-delimited field in the message at `span`."""
    return [entry for entry in original.fields(span) if entry.number == number and entry.wire_type == _BYTES]


def fields(data: bytes, span: Span) -> Iterator[Field]:
    """The fields of the message that lies at `span` of `data`, in the order of the bytes.

    Raises:
        WireError: the bytes are not a message.
    """
    position, stop = span
    while position < stop:
        start = position
        tag = data[position]
        if tag < 0x80:  # written out, as is the length below: this loop sees every node of a graph
            position += 1
        else:
            tag, position = read_varint(data, position, stop)
        if tag < 8:
            raise WireError(f"field number 0 at byte {start}")
        wire_type = tag & 7
        if wire_type == _BYTES:
            if position < stop and (size := data[position]) < 0x80:
                position += 1
            else:
                size, position = read_varint(data, position, stop)
            end = position + size
        else:
            end = skip(data, position, stop, tag)
        if end > stop:
            raise WireError(f"the field at byte {start} ends at byte {end}, the message at byte {stop}")
        yield Field(tag >> 3, wire_type, start, position, end)
        position = end


def skip(data: bytes, position: int, stop: int, tag: int) -> int:
    """Where a field ends whose tag ends at `position`.

    Raises:
        WireError: no such wire type, or a group that is not closed.
    """
    wire_type = tag & 7
    if wire_type == _VARINT:
        return read_varint(data, position, stop)[1]
    if wire_type == _FIXED64:
        return position + 8
    if wire_type == _FIXED32:
        return position + 4
    if wire_type == _BYTES:
        size, position = read_varint(data, position, stop)
        return position + size
    if wire_type == _GROUP_START:
        return _group_end(data, position, stop, tag >> 3)
    raise WireError(f"wire type {wire_type} at byte {position}")


def _group_end(data: bytes, position: int, stop: int, number: int) -> int:
    # Nested groups are counted, not called: a file of group tags alone must not exhaust the stack.
    opened = [number]
    while position < stop:
        tag, after = read_varint(data, position, stop)
        if tag & 7 == _GROUP_START:
            opened.append(tag >> 3)
            position = after
        elif tag & 7 == _GROUP_END:
            if tag >> 3 != opened.pop():
                raise WireError(f"a group is closed by another at byte {position}")
            if not opened:
                return after
            position = after
        else:
            position = skip(data, after, stop, tag)
    raise WireError("the data ends inside a group")


def read_varint(data: bytes, position: int, stop: int) -> tuple[int, int]:
    """A number and where it ends.

    Raises:
        WireError: the number is longer than ten bytes, or the data ends inside it.
    """
    if position < stop and (byte := data[position]) < 0x80:
        return byte, position + 1
    value = shift = 0
    while position < stop:
        byte = data[position]
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


def header(number: int, length: int) -> bytes:
    """Tag and length of a length-delimited field."""
    return _varint(number << 3 | _BYTES) + _varint(length)


def varint_field(number: int, value: int) -> Raw:
    """An integer field."""
    return Raw(_varint(number << 3 | _VARINT) + _varint(value))


def message_field(number: int, payload: Rope | bytes) -> Rope:
    """A length-delimited field (message, string or bytes) with its header."""
    rope = Rope()
    if isinstance(payload, Rope):
        rope.append(header(number, payload.length))
        rope.extend(payload)
    else:
        rope.append(header(number, len(payload)) + payload)
    return rope


def splice(original: Original, span: Span, edits: Mapping[int, Sequence[Item]]) -> Rope:
    """The message at `span` with the fields named in `edits` replaced, and every other byte as it was.

    Args:
        original: where the message is.
        span: where the message lies; an empty span builds a message from nothing.
        edits: for each field number the complete new list of its occurrences. Kept ones stay where they are as
            long as their order is unchanged; new ones come where the list puts them between these.
    """
    entries = original.fields(span)
    occurrences = _occurrences(entries, edits)
    replaced: dict[int, Item] = {}
    listed: dict[int, Sequence[Item]] = {}
    for number, items in edits.items():
        found = occurrences[number]
        if found and _is_in_place(items, len(found)):
            pairs = zip(found, items, strict=True)
            replaced.update((entry.start, item) for entry, item in pairs if not isinstance(item, Keep))
        else:
            listed[number] = items
    last = {number: occurrences[number][-1] for number in listed if occurrences[number]}
    pending = {number: list(items)[::-1] for number, items in listed.items()}
    shuffled = {number for number, items in listed.items() if not _in_order(items)}
    absent = sorted((number for number in listed if not occurrences[number]), reverse=True)
    counts = dict.fromkeys(last, 0)
    rope = Rope()
    rest = _Rest(original, rope, span)

    def put(number: int, item: Item) -> None:
        if isinstance(item, Keep):
            rope.append(original.stored(occurrences[number][item.place].whole))
        elif isinstance(item, Raw):
            rope.append(item.data)
        else:
            rope.extend(message_field(number, item))

    def emit(number: int, *, until_keep: bool = False) -> None:
        queue = pending[number]
        while queue and not (until_keep and isinstance(queue[-1], Keep)):
            put(number, queue.pop())

    for entry in _visited(entries, occurrences, replaced, listed, absent):
        number = entry.number
        while absent and absent[-1] < number:
            rest.up_to(entry.start)
            emit(absent.pop())
        if entry.start in replaced:
            rest.without(entry)
            put(number, replaced[entry.start])
            continue
        # A field of a known number but another wire type is an unknown field, and no occurrence.
        place = counts.get(number, 0)
        if number not in counts or entry is not occurrences[number][min(place, len(occurrences[number]) - 1)]:
            continue
        counts[number] = place + 1
        rest.up_to(entry.start)
        if number in shuffled:
            rest.without(entry)
            emit(number)
            continue
        queue = pending[number]
        if not queue or not isinstance(queue[-1], Keep):
            emit(number, until_keep=True)
        item = queue[-1] if queue else None
        if isinstance(item, Keep) and item.place == place:
            queue.pop()
            rest.up_to(entry.stop)
        else:
            rest.without(entry)
        if entry is last[number]:
            emit(number)
    rest.up_to(span.stop)
    while absent:
        emit(absent.pop())
    return rope


class _Rest:
    """What stays as it is, put on the rope piece by piece."""

    def __init__(self, original: Original, rope: Rope, span: Span) -> None:
        self.original = original
        self.rope = rope
        self.place = span.start

    def up_to(self, position: int) -> None:
        """Put on what lies before `position`, unless it is on the rope already."""
        if position > self.place:
            self.rope.append(self.original.stored(Span(self.place, position)))
            self.place = position

    def without(self, entry: Field) -> None:
        """Put on what lies before a field, and go on behind it."""
        self.up_to(entry.start)
        self.place = entry.stop


def _visited(
    entries: list[Field],
    occurrences: Mapping[int, list[Field]],
    replaced: Mapping[int, Item],
    listed: Mapping[int, Sequence[Item]],
    absent: list[int],
) -> list[Field]:
    """The fields at which something happens, in their order; a graph has many at which nothing does."""
    wanted = {entry.start: entry for number in listed for entry in occurrences[number]}
    if replaced:
        wanted.update((entry.start, entry) for entry in entries if entry.start in replaced)
    for number in absent:
        following = next((entry for entry in entries if entry.number > number), None)
        if following is not None:
            wanted[following.start] = following
    return [wanted[start] for start in sorted(wanted)]


def _is_in_place(items: Sequence[Item], count: int) -> bool:
    """Whether each item keeps an occurrence where it is, or stands in its place."""
    return len(items) == count and all(
        not isinstance(item, Keep) or item.place == place for place, item in enumerate(items)
    )


def _occurrences(entries: list[Field], edits: Mapping[int, Sequence[Item]]) -> dict[int, list[Field]]:
    """The fields that `edits` speak of."""
    found: dict[int, list[Field]] = {number: [] for number in edits}
    scalar = {number for number, items in edits.items() if any(isinstance(item, Raw) for item in items)}
    for entry in entries:
        # A field of a known number but another wire type is an unknown field to every parser.
        if entry.number in found and (entry.wire_type == _BYTES or entry.number in scalar):
            found[entry.number].append(entry)
    return found


def _in_order(items: Sequence[Item]) -> bool:
    indices = [item.place for item in items if isinstance(item, Keep)]
    return all(a < b for a, b in itertools.pairwise(indices))

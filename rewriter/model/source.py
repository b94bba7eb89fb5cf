"""A model's bytes as the parser sees them, and where each of them lies in the file.

Large tensor data is left in the file. What the parser gets instead is a reference in ONNX's own form, external data
at an offset of the model file itself, so that every message is small and every tool can follow it. Where a message
became shorter, its length header differs from the one in the file; `Source.stored` translates positions, so that
unchanged parts of a model are copied from the file as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from onnx import TensorProto

from rewriter.model.filebytes import FileBytes
from rewriter.model.spans import Span
from rewriter.model.wire import Field, fields

__all__ = ["Hole", "Region", "Source"]

_LARGE = 1 << 16


class Hole(NamedTuple):
    """A data field of a tensor that was left in the file: its number in TensorProto, and the whole field."""

    number: int
    field: Span


class Region(NamedTuple):
    """Bytes of the file that read otherwise in the data: a reference, or the header of a shortened message."""

    data: Span
    file: Span


@dataclass(frozen=True)
class Source:
    """The original of a model.

    Attributes:
        data: what the parser sees.
        file: where the bytes lie; None when `data` is all there is.
        regions: where data and file differ, in order.
        holes: what was left in the file, by (offset, length) of the payload.
    """

    data: bytes
    file: FileBytes | None = None
    regions: Sequence[Region] = ()
    holes: dict[tuple[int, int], Hole] = field(default_factory=dict)
    _ends: list[int] = field(init=False, repr=False)
    _scanned: dict[Span, list[Field]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends", [region.data.stop for region in self.regions])

    @property
    def size(self) -> int:
        """Length of the model in the file."""
        return len(self.data) if self.file is None else self.file.size

    def fields(self, span: Span) -> list[Field]:
        """The fields of the message at `span` of the data; those of large messages are found once.

        Raises:
            WireError: the bytes are not a message.
        """
        if span.size < _LARGE:
            return list(fields(self.data, span))
        if span not in self._scanned:
            self._scanned[span] = list(fields(self.data, span))
        return self._scanned[span]

    @property
    def whole(self) -> Span:
        """The whole model as a span of the data."""
        return Span(0, len(self.data))

    def stored(self, span: Span) -> Span:
        """Where the bytes at `span` of the data lie in the file."""
        return Span(self._stored(span.start), self._stored(span.stop))

    def _stored(self, position: int) -> int:
        if not self.regions:
            return position
        index = bisect_right(self._ends, position)
        if index < len(self.regions) and position > self.regions[index].data.start:
            # Between the fields that make up a reference: its first field stands for the data in the file.
            return self.regions[index].file.stop
        if index == 0:
            return position
        before = self.regions[index - 1]
        return position + before.file.stop - before.data.stop

    def read(self, span: Span) -> bytes:
        """The bytes at `span` of the file."""
        return self.data[span.start : span.stop] if self.file is None else self.file.read(*span)

    def hole(self, tensor: TensorProto) -> Hole | None:
        """Where the data of `tensor` lies in the file; None for data that the message holds or another file has."""
        if not self.holes or tensor.data_location != TensorProto.EXTERNAL or self.file is None:
            return None
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries.get("location") != self.file.real_path.name:
            return None
        try:
            return self.holes.get((int(entries["offset"]), int(entries["length"])))
        except (KeyError, ValueError):
            return None

    def complete(self, tensor: TensorProto) -> TensorProto:
        """The tensor as the file has it: data that was left there is read."""
        hole = self.hole(tensor)
        if hole is None:
            return tensor
        whole = TensorProto()
        whole.CopyFrom(tensor)
        whole.ClearField("external_data")
        whole.ClearField("data_location")
        whole.MergeFromString(self.read(hole.field))
        return whole

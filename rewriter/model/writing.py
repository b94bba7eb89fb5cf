"""Writing a model: new bytes, and spans of the original copied without being held in memory."""

from __future__ import annotations

import os
import threading

from rewriter.model.filebytes import FileBytes
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.wire import Rope

__all__ = ["to_bytes", "write"]

_BUFFER = 1 << 20
"""Bytes copied at a time: smaller buffers cost more calls, larger ones were slower and erratic."""
_PAGE = 4096
_LARGE = 32 * _BUFFER
"""A span that is worth a second thread: one reads while the other writes."""


def to_bytes(rope: Rope, source: Source) -> bytes:
    """The model in memory."""
    return b"".join(part if isinstance(part, bytes) else source.read(part) for part in rope.parts)


def write(rope: Rope, source: Source, descriptor: int) -> None:
    """Write a model to an empty file that is open for writing.

    Raises:
        OSError: the disk is full, the file became too large, …
        InputError: the source cannot be read, or has changed.
    """
    position = 0
    small = bytearray()  # pieces that are not worth a call of their own

    def flush() -> int:
        _write_all(descriptor, small, position)
        end = position + len(small)
        small.clear()
        return end

    for part in rope.parts:
        large = isinstance(part, Span) and source.file is not None and part.size >= _BUFFER
        if large or len(small) >= _BUFFER:
            position = flush()
        if isinstance(part, bytes):
            small += part
        elif large:
            assert source.file is not None
            _copy(source.file, part, descriptor, position)
            position += part.size
        else:
            small += source.read(part)
    flush()
    if source.file is not None:
        source.file.require_unchanged()


def _copy(file: FileBytes, span: Span, descriptor: int, position: int) -> None:
    """Copy a span of `file` to `position`."""
    if (position - span.start) % _PAGE == 0 and hasattr(os, "copy_file_range"):
        # Pages line up: the kernel copies whole ones, and some file systems only share them.
        start = _copy_in_kernel(file, span, descriptor, position)
        position += start - span.start
        span = Span(start, span.stop)
    _copy_in_blocks(file, span, descriptor, position)


def _copy_in_kernel(file: FileBytes, span: Span, descriptor: int, position: int) -> int:
    """Copy as much as the kernel can; where it stopped."""
    start = span.start
    os.lseek(descriptor, position, os.SEEK_SET)
    while start < span.stop:
        try:
            copied = file.copy_to(descriptor, start, span.stop - start)
        except OSError:
            # Not between these file systems. A full disk shows again, and is reported, in the copy by blocks.
            return start
        if copied == 0:
            return start
        start += copied
    return start


def _copy_in_blocks(file: FileBytes, span: Span, descriptor: int, position: int) -> None:
    threads = 2 if span.size >= _LARGE and hasattr(os, "pwrite") else 1
    failures: list[BaseException] = []

    def work(first: int) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        try:
            for start in range(span.start + first * _BUFFER, span.stop, threads * _BUFFER):
                if failures:
                    return
                block = buffer[: min(_BUFFER, span.stop - start)]
                _fill(file, block, start)
                _write_all(descriptor, block, position + start - span.start)
        except BaseException as error:
            failures.append(error)

    others = [threading.Thread(target=work, args=(index,)) for index in range(1, threads)]
    for thread in others:
        thread.start()
    work(0)
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]


def _fill(file: FileBytes, block: memoryview, start: int) -> None:
    done = 0
    while done < len(block):
        taken = file.read_into(block[done:], start + done)
        if not taken:
            raise file.changed()
        done += taken


def _write_all(descriptor: int, data: bytearray | memoryview, position: int) -> None:
    """Write everything at `position`."""
    done = 0
    with memoryview(data) as view:
        while done < len(view):
            if hasattr(os, "pwrite"):
                done += os.pwrite(descriptor, view[done:], position + done)
            else:
                os.lseek(descriptor, position + done, os.SEEK_SET)
                done += os.write(descriptor, view[done:])

"""The bytes of a file that stay in the file: read by position, in pieces, and only while the file is unchanged."""

from __future__ import annotations

import os
from pathlib import Path

from rewriter.errors import InputError

__all__ = ["FileBytes"]


class FileBytes:
    """A file that is open for reading by position.

    Memory mapping would be simpler, but a page fault maps a whole large folio, so that reading 300 headers of a
    1.5 GB file makes half a gigabyte resident; `read` takes what it is asked for.

    Attributes:
        path: where the file lies.
        real_path: the same without symbolic links, which ONNX's tools refuse as places of data.
        size: its length in bytes.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a file.

        Raises:
            InputError: missing, a directory, or unreadable.
        """
        self.path = Path(path)
        self.real_path = Path(os.path.realpath(path))
        if self.path.is_dir():
            raise InputError("this is a directory, not an ONNX file", file=self.path)
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            raise InputError("no such file", file=self.path) from None
        except OSError as error:
            raise InputError(f"cannot read the file: {error.strerror}", file=self.path) from error
        self._state = self._now()
        self.size = self._state[0]

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`.

        Raises:
            InputError: the file cannot be read, or has become shorter.
        """
        parts = []
        while start < stop:
            # One call gives at most 2 GiB on Linux.
            part = self._pread(stop - start, start)
            if not part:
                raise self.changed()
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, buffer: memoryview, start: int) -> int:
        """Fill `buffer` from the bytes at `start`, and say how many it took; 0 at the end of the file."""
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._descriptor, [buffer], start)
            part = self._pread(len(buffer), start)
        except OSError as error:
            raise self._unreadable(error) from error
        buffer[: len(part)] = part
        return len(part)

    def copy_to(self, descriptor: int, start: int, size: int) -> int:
        """Let the kernel copy up to `size` bytes from `start` to the position of `descriptor`; how many it took."""
        return os.copy_file_range(self._descriptor, descriptor, size, start)

    def require_unchanged(self) -> None:
        """Make sure that the file still is what it was when it was opened.

        Raises:
            InputError: its size or its time of modification is another.
        """
        if self._now() != self._state:
            raise self.changed()

    def changed(self) -> InputError:
        """The error that says that the file is no longer what it was."""
        return InputError("the file changed while it was read", file=self.path, remedy="try again")

    def close(self) -> None:
        """Give the file back; nothing can be read afterwards."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()

    def _pread(self, size: int, start: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                return os.pread(self._descriptor, size, start)
            os.lseek(self._descriptor, start, os.SEEK_SET)
            return os.read(self._descriptor, size)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> InputError:
        return InputError(f"cannot read the file: {error.strerror}", file=self.path)

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

"""Files appear whole or not at all: written beside the target, synced, renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rewriter.errors import InputError

__all__ = ["temporary_beside", "write_bytes", "write_text"]


@contextmanager
def temporary_beside(path: str | Path) -> Iterator[Path]:
    """A path in the directory of `path` that becomes `path` when the block ends without an error.

    The block creates the file; after an error nothing is left behind. The file gets the usual permissions of a
    new file, not the private ones of a temporary.

    Raises:
        InputError: the directory does not exist or cannot be written.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise InputError(
            f"cannot write there: {error.strerror}", file=target, remedy="choose another output path"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", file=target) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with temporary_beside(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, UTF-8."""
    write_bytes(path, text.encode("utf-8"))

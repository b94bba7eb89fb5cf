"""A directory for generated models that is gone afterwards, and is large enough before."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rewriter.errors import InputError, UnsupportedError

__all__ = ["filesystem_of", "require_free", "workspace"]

_RESERVE = 1 << 30
_CHUNK = 1 << 24


@contextmanager
def workspace(parent: Path | None) -> Iterator[Path]:
    """A new directory under `parent` (the system's temporary directory when None), removed at the end, come what may.

    Raises:
        InputError: `parent` cannot be written.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="rewriter-benchmark-", dir=parent))
    except OSError as error:
        raise InputError(f"cannot make a directory there: {error.strerror}", file=parent) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def require_free(folder: Path, size: int) -> None:
    """Demand that `size` bytes and a reserve of 1 GiB can be written to `folder`.

    Raises:
        UnsupportedError: there is less.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise UnsupportedError(
            f"this needs {(size + _RESERVE) / 1e9:.1f} GB of free disk, and there are {free / 1e9:.1f}",
            remedy="name a larger disk with --workdir",
        )


def read_through(path: Path) -> None:
    """Read a file once, so that it is in the page cache."""
    with path.open("rb", buffering=0) as stream:
        buffer = bytearray(_CHUNK)
        while stream.readinto(buffer):
            pass


def filesystem_of(folder: Path) -> str:
    """The type of the file system that holds `folder`, e.g. ``ext4``."""
    device = folder.stat().st_dev
    name = "unknown"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        major, minor = map(int, fields.split()[2].split(":"))
        if os.makedev(major, minor) == device:
            name = rest.split()[0]
    return name

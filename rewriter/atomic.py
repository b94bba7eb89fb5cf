"""Files appear whole or not at all: written beside the target, then renamed.

A process that is killed leaves its temporary file behind. It holds a lock on that file as long as it lives, so that
the next run can tell an abandoned one from one that is being written, and removes it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from rewriter.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

__all__ = ["temporary_beside", "write_bytes", "write_text"]

_PREFIX, _SUFFIX = ".rewriter-", ".tmp"
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_SYNCED = 64 << 20
"""Bytes up to which a file is on the disk before it takes its name. Waiting for a larger one would double the time of
writing it; the system does it within seconds, and only a power failure in between can show."""


@contextmanager
def temporary_beside(path: str | Path) -> Iterator[Path]:
    """A new empty file in the directory of `path` that becomes `path` when the block ends without an error.

    The block writes it; after an error nothing is left behind. A symbolic link is followed. The file gets the
    permissions of the one that it replaces, else those of a new file. Temporary files that killed processes left
    in the directory are removed.

    Raises:
        InputError: the directory does not exist or cannot be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    try:
        _remove_abandoned(str(target.parent))
        descriptor, temporary = _create(target.parent)
    except OSError as error:
        raise InputError(
            f"cannot write there: {error.strerror}", file=path, remedy="choose another output path"
        ) from error
    try:
        yield temporary
        _finish(descriptor, temporary, target)
    except OSError as error:
        remedy = "free some space, or write to another disk" if error.errno in _NO_ROOM else None
        raise InputError(f"cannot write: {error.strerror}", file=path, remedy=remedy) from error
    finally:
        temporary.unlink(missing_ok=True)
        _close(descriptor)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with temporary_beside(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def _create(directory: Path) -> tuple[int, Path]:
    """A new locked file."""
    while True:
        # Not the target's name with something added: that could be longer than a name may be.
        temporary = directory / f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if _lock(descriptor) is not False and temporary.exists():
            return descriptor, temporary
        os.close(descriptor)  # another process took it for abandoned before it was locked


def _finish(descriptor: int, temporary: Path, target: Path) -> None:
    if temporary.stat().st_size <= _SYNCED:
        with temporary.open("r+b") as stream:
            os.fsync(stream.fileno())
    temporary.chmod(_permissions(target))
    if fcntl is None:
        _close(descriptor)
    temporary.replace(target)


def _permissions(target: Path) -> int:
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _lock(descriptor: int) -> bool | None:
    """Whether the lock could be had; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@lru_cache(
    maxsize=256
)  # once for each directory: a call with a thousand models must not list it a thousand times
def _remove_abandoned(directory: str) -> None:
    with os.scandir(directory) as entries:
        found = [e.path for e in entries if e.name.startswith(_PREFIX) and e.name.endswith(_SUFFIX)]
    for path in found:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            continue  # gone already, or somebody else's
        try:
            if _lock(descriptor):
                Path(path).unlink()
        except OSError:
            continue
        finally:
            os.close(descriptor)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:  # closed before the renaming, where an open file cannot be renamed
            raise

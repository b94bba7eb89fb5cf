"""Refuses a hostile `.keras` archive from its directory alone, before anything of it is unpacked."""

from __future__ import annotations

import stat
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath

from rewriter.errors import InputError

__all__ = ["MAX_RATIO", "MAX_TOTAL_BYTES", "check_archive"]

MAX_RATIO = 200
"""Largest unpacked size over packed size of one member; weights compress far less."""

MAX_TOTAL_BYTES = 16 * 2**30
"""Largest unpacked size of all members together, in bytes."""

_ALWAYS_ALLOWED_BYTES = 2**20  # a small member may compress well: a long, repetitive config.json


def check_archive(path: str | Path) -> None:
    """Check the members' names, kinds and declared sizes; `zipfile` never unpacks more than is declared.

    Raises:
        InputError: not a zip archive, or a member that leaves the archive, is a link, occurs twice or
            unpacks to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError("not a .keras file: it is no zip archive, or truncated", file=path) from error
    repeated = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if repeated:
        raise _refusal(path, f"the member {repeated[0]!r} occurs twice")
    for member in members:
        reason = _reason(member)
        if reason:
            raise _refusal(path, f"the member {member.filename!r} {reason}")
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES:
        raise _refusal(path, f"it unpacks to {total} bytes, more than {MAX_TOTAL_BYTES}")


def _reason(member: zipfile.ZipInfo) -> str | None:
    posix, windows = PurePosixPath(member.filename), PureWindowsPath(member.filename)
    if posix.is_absolute() or windows.drive or windows.root:
        return "has an absolute name"
    if ".." in posix.parts or ".." in windows.parts:
        return "leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.file_size > max(_ALWAYS_ALLOWED_BYTES, MAX_RATIO * member.compress_size):
        return f"unpacks to more than {MAX_RATIO} times its size"
    return None


def _refusal(path: str | Path, reason: str) -> InputError:
    return InputError(f"the archive is refused: {reason}", file=path, remedy="get the file from its author")

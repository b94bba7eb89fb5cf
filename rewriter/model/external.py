"""External data: which files a model may refer to, and which parts of them.

A model comes from a stranger, and names files that are then read, and copied beside the output. onnx has had a row of
defects here (CVE-2022-25882, CVE-2024-27318, CVE-2024-5187 and later): names that lead out of the model's directory,
links, and files that are none. Everything is checked when the model is opened, before any such file is.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import TensorProto

from rewriter.errors import InputError

__all__ = ["check_external_data", "check_location", "passes_through_link"]

_REMEDY = "get the model from its author, with its data in plain files beside it"
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
_LARGEST = 2**63 - 1


def check_location(location: str | bytes) -> str | None:
    """Why a name cannot be that of a data file, on any operating system; None where it can."""
    if isinstance(location, bytes):  # protobuf's way to give a string that is not UTF-8
        return "is not UTF-8"
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    if not location or not posix.parts:
        return "names no file"
    if any(ord(character) < 32 for character in location):
        return "holds control characters"
    if posix.is_absolute() or windows.drive or windows.root or ":" in location:
        return "is an absolute path"
    if "\\" in location:
        return "holds a backslash"
    if ".." in posix.parts:
        return "leads out of the model's directory"
    for part in posix.parts:
        if _RESERVED.match(part) or part != part.rstrip(". "):
            return "is no name of a file on Windows"
    return None


def check_external_data(tensors: Iterable[TensorProto], directory: Path, path: Path) -> None:
    """Check where external tensors say that their data is.

    Args:
        tensors: external ones.
        directory: of the model.
        path: of the model, for the error.

    Raises:
        InputError: a location outside the directory, a link, no regular file, or a part that does not lie in the
            file or lies across that of another tensor. Files that are missing are not looked at.
    """
    ranges: dict[str, dict[tuple[int, int], str]] = {}
    for tensor in tensors:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location")
        if location is None:
            continue  # it refers to nothing
        if len(entries) != len(tensor.external_data):
            raise InputError(
                f"tensor '{tensor.name}' says twice where its data is", file=path, remedy=_REMEDY
            )
        reason = check_location(location) or _reason(directory, location)
        if reason is not None:
            raise InputError(
                f"tensor '{tensor.name}' keeps its data in {location[:200]!r}, which {reason}",
                file=path,
                remedy=_REMEDY,
            )
        start, length = _number(entries, "offset", tensor, path), _number(entries, "length", tensor, path)
        size = _size(directory, location)
        if size is None:
            continue
        stop = size if length is None else (start or 0) + length
        if (start or 0) > size or stop > size:
            raise InputError(
                f"tensor '{tensor.name}' keeps its data at bytes {start or 0} to {stop} of '{location}', which has "
                f"{size}",
                file=path,
                remedy=_REMEDY,
            )
        ranges.setdefault(location, {})[(start or 0, stop)] = tensor.name
    for location, parts in ranges.items():
        _check_overlaps(location, parts, path)


def passes_through_link(directory: Path, location: str) -> bool:
    """Whether some part of the way from `directory` to the file is a symbolic link."""
    parts = PurePosixPath(location).parts
    return any((directory / PurePosixPath(*parts[: count + 1])).is_symlink() for count in range(len(parts)))


def _reason(directory: Path, location: str) -> str | None:
    """Why what is there cannot be read; None where it can, and where nothing is there."""
    if passes_through_link(directory, location):
        return "passes through a symbolic link"
    try:
        status = os.lstat(directory / location)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_nlink > 1:
        return "has several names (hard links)"
    return None


def _number(entries: dict[str, str], key: str, tensor: TensorProto, path: Path) -> int | None:
    text = entries.get(key)
    if text is None:
        return None
    if not (
        isinstance(text, str)
        and text.isascii()
        and text.isdigit()
        and int(text[:20]) <= _LARGEST
        and len(text) <= 19
    ):
        raise InputError(
            f"tensor '{tensor.name}' gives {text[:40]!r} as the {key} of its data", file=path, remedy=_REMEDY
        )
    return int(text)


def _size(directory: Path, location: str) -> int | None:
    try:
        return os.lstat(directory / location).st_size
    except OSError:
        return None


def _check_overlaps(location: str, parts: dict[tuple[int, int], str], path: Path) -> None:
    """Tensors may share a part as a whole, and not otherwise."""
    ordered = sorted(part for part in parts if part[1] > part[0])
    for before, after in itertools.pairwise(ordered):
        if after[0] < before[1]:
            raise InputError(
                f"the data of tensors '{parts[before]}' and '{parts[after]}' overlap in '{location}'",
                file=path,
                remedy=_REMEDY,
            )

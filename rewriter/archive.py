"""Refuses hostile `.keras` and `.npz` archives and HDF5 files, before anything of them is unpacked."""

from __future__ import annotations

import math
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from rewriter.errors import InputError

__all__ = ["MAX_RATIO", "MAX_TOTAL_BYTES", "check_archive", "check_hdf5", "read_npz"]

MAX_RATIO = 200
"""Largest unpacked size over packed size of one member; weights compress far less."""

MAX_TOTAL_BYTES = 16 * 2**30
"""Largest unpacked size of all members together, in bytes."""

_DEEPEST_GROUP = 64
_ALWAYS_ALLOWED_BYTES = 2**20  # a small member may compress well: a long, repetitive config.json

MAX_NPZ_BYTES = 2**30
"""Largest unpacked size of an `.npz` file that is less than `MAX_RATIO` times smaller: masks compress very well."""


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


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` file; nothing is unpickled, and no array is longer than its member.

    Raises:
        InputError: missing, no zip archive, pickled objects, or it unpacks to too much.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("no such file", file=path)
    limit = max(MAX_NPZ_BYTES, MAX_RATIO * file.stat().st_size)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > min(limit, MAX_TOTAL_BYTES):
                raise _refusal(path, f"it unpacks to {total} bytes, more than {min(limit, MAX_TOTAL_BYTES)}")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except (
        ValueError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        NotImplementedError,
        zlib.error,
        KeyError,
    ) as error:
        raise InputError(f"not a readable .npz file: {error}", file=path) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """One member; NumPy reserves what the header claims, so that is compared with the member's size first."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(f"'{member.filename}' holds pickled objects, which would run code")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"'{member.filename}' claims the shape {shape}, which is longer than the file")
    with archive.open(member) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def check_hdf5(path: str | Path) -> None:
    """Check that an HDF5 file refers to no other file, and that its datasets are no longer than they may be.

    Raises:
        InputError: not an HDF5 file, an external link or external storage, or a dataset that unpacks to too much.
    """
    import h5py

    def walk(group: Any, depth: int) -> None:
        if depth > _DEEPEST_GROUP:
            raise _refusal(path, f"its groups are nested more than {_DEEPEST_GROUP} deep")
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _refusal(path, f"'{group.name}/{name}' is a link into the file {link.filename!r}")
            if not isinstance(link, h5py.HardLink):
                continue
            entry = group[name]
            if isinstance(entry, h5py.Group):
                if entry.id.__hash__() not in seen:
                    seen.add(entry.id.__hash__())
                    walk(entry, depth + 1)
            elif isinstance(entry, h5py.Dataset):
                _check_dataset(entry)

    def _check_dataset(dataset: Any) -> None:
        if dataset.external:
            raise _refusal(path, f"'{dataset.name}' is stored in the file {dataset.external[0][0]!r}")
        if dataset.is_virtual:
            raise _refusal(path, f"'{dataset.name}' is put together from other files")
        stored = max(dataset.id.get_storage_size(), 1)
        if dataset.nbytes > max(_ALWAYS_ALLOWED_BYTES, MAX_RATIO * stored):
            raise _refusal(path, f"'{dataset.name}' unpacks to more than {MAX_RATIO} times its size")

    seen: set[int] = set()
    try:
        with h5py.File(path, "r") as file:
            walk(file, 0)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("not an HDF5 file, or truncated", file=path) from error


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

"""Writing a model: whole or not at all, with its external data at hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rewriter.atomic import temporary_beside
from rewriter.errors import InputError
from rewriter.model.external import check_location, passes_through_link
from rewriter.model.source import Source
from rewriter.model.wire import Rope
from rewriter.model.writing import write

__all__ = ["save"]


def save(
    target: Path,
    rope: Rope,
    source: Source,
    locations: Iterable[str],
    origin: Path | None,
    check: Callable[[Path], None] | None,
) -> None:
    """Write a model to `target` atomically.

    Args:
        target: where it goes.
        rope: the model.
        source: what the spans of `rope` are of.
        locations: external data files that the model refers to, relative to its directory.
        origin: directory in which these files lie now.
        check: called with the finished file before it takes the target's place; what it raises cancels the save.
    """
    with _carried_along(locations, origin, target), temporary_beside(target) as temporary:
        with temporary.open("r+b", buffering=0) as stream:
            write(rope, source, stream.fileno())
        if check is not None:
            check(temporary)


@contextmanager
def _carried_along(locations: Iterable[str], origin: Path | None, target: Path) -> Iterator[None]:
    """Put the external data beside `target`; after an error take back what was put there."""
    made: list[Path] = []
    directory = target.parent
    try:
        if origin is None or directory.resolve() != origin.resolve():
            for location in locations:
                _carry(location, origin, directory, target, made)
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _carry(location: str, origin: Path | None, directory: Path, target: Path, made: list[Path]) -> None:
    relative = PurePosixPath(location)
    reason = check_location(location)
    if reason is not None:
        raise InputError(f"the model keeps data in '{location}', which {reason}", file=target)
    if origin is None:
        raise InputError(
            f"the model's data file '{location}' cannot be carried along: the model did not come from a file",
            file=target,
        )
    source, copy = origin / relative, directory / relative
    if passes_through_link(directory, location):
        raise InputError(
            f"the model's data file '{location}' would be written through a symbolic link",
            file=copy,
            remedy="choose another output directory",
        )
    if not source.is_file():
        raise InputError(f"the model's data file '{location}' is missing", file=source)
    if copy.exists():
        if _same_file(source, copy):
            return
        raise InputError(
            f"the model's data file '{location}' would overwrite another file of that name",
            file=copy,
            remedy="choose another output directory",
        )
    copy.parent.mkdir(parents=True, exist_ok=True)
    # Not a hard link: onnx's checker takes a data file with several links for an attack.
    with temporary_beside(copy) as temporary:
        shutil.copyfile(source, temporary)
    shutil.copystat(source, copy)
    made.append(copy)


def _same_file(a: Path, b: Path) -> bool:
    first, second = a.stat(), b.stat()
    return os.path.samestat(first, second) or (
        (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)
    )

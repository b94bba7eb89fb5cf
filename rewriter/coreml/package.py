"""Core ML packages as files: written whole or not at all, and looked into."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewriter.errors import InputError, UsageError

__all__ = ["check_package_path", "count_operators", "read_metadata", "save_package"]

_SUFFIX = ".mlpackage"
_MANIFEST = "Manifest.json"


def count_operators(mlmodel: Any) -> dict[str, int]:
    """Operators of a saved program by MIL type, most frequent first; constants are not counted.

    Args:
        mlmodel: a `coremltools.models.MLModel` that holds an ML program.
    """
    counts: Counter[str] = Counter()
    for function in mlmodel.get_spec().mlProgram.functions.values():
        for block in function.block_specializations.values():
            _count(block, counts)
    return dict(counts.most_common())


def _count(block: Any, counts: Counter[str]) -> None:
    for operation in block.operations:
        if operation.type != "const":
            counts[operation.type] += 1
        for inner in operation.blocks:
            _count(inner, counts)


def read_metadata(mlmodel: Any, key: str) -> Any:
    """What `save_package` stored under `key`; None where there is nothing."""
    text = mlmodel.user_defined_metadata.get(key)
    return None if text is None else json.loads(text)


def save_package(mlmodel: Any, path: str | Path, metadata: Mapping[str, Any]) -> Path:
    """Write `mlmodel` to `path`, with `metadata` as JSON in its user-defined metadata.

    The package is written beside the target and renamed, so that a reader never sees half of it; an existing
    package is replaced.

    Raises:
        UsageError: `path` does not end in ``.mlpackage``.
        InputError: something that is not a package is in the way, or the directory cannot be written.
    """
    target = Path(path)
    check_package_path(target)
    for key, value in metadata.items():
        mlmodel.user_defined_metadata[key] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"cannot write there: {error.strerror}", file=target, remedy="choose another output path"
        ) from error
    try:
        fresh = work / target.name
        mlmodel.save(str(fresh))
        if target.exists():
            target.rename(work / "replaced")
        fresh.rename(target)
    except OSError as error:
        if not target.exists() and (work / "replaced").exists():
            (work / "replaced").rename(target)
        raise InputError(f"cannot write: {error.strerror}", file=target) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def check_package_path(target: Path) -> None:
    """Check that a package can be written to `target`.

    Raises:
        UsageError: it does not end in ``.mlpackage``.
        InputError: something that is not a package is there.
    """
    if target.suffix == ".mlmodel":
        raise UsageError(
            ".mlmodel files hold the neuralnetwork format, which is for targets iOS13 and iOS14",
            file=target,
            remedy=f"name the output {target.stem}{_SUFFIX}, or give --target iOS13",
        )
    if target.suffix != _SUFFIX:
        raise UsageError(
            "a Core ML program is a package", file=target, remedy=f"give it a name that ends in {_SUFFIX}"
        )
    if target.is_symlink() or (target.exists() and not (target / _MANIFEST).is_file()):
        raise InputError(
            "exists and is not a Core ML package", file=target, remedy="choose another output path"
        )

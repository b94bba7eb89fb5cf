"""`.mlmodel` files: written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewriter.atomic import write_bytes
from rewriter.errors import InputError, UsageError

__all__ = ["check_network_path", "save_network"]

_SUFFIX = ".mlmodel"


def check_network_path(target: Path) -> None:
    """Check that a neural network can be written to `target`.

    Raises:
        UsageError: it does not end in ``.mlmodel``.
        InputError: a directory is there.
    """
    if target.suffix != _SUFFIX:
        raise UsageError(
            "targets iOS13 and iOS14 load the neuralnetwork format, which is a single file",
            file=target,
            remedy=f"give it a name that ends in {_SUFFIX}, or use target iOS15 or newer",
        )
    if target.is_dir():
        raise InputError("is a directory", file=target, remedy="choose another output path")


def save_network(mlmodel: Any, path: str | Path, metadata: Mapping[str, Any]) -> Path:
    """Write `mlmodel` to `path`, with `metadata` as JSON in its user-defined metadata; an older file is replaced.

    Raises:
        UsageError, InputError: as `check_network_path`, and when the file cannot be written.
    """
    target = Path(path)
    check_network_path(target)
    for key, value in metadata.items():
        mlmodel.user_defined_metadata[key] = json.dumps(value, ensure_ascii=False, sort_keys=True)
    write_bytes(target, mlmodel.get_spec().SerializeToString(deterministic=True))
    return target

"""Core ML packages whose program is given as bytes."""

from __future__ import annotations

import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

__all__ = ["package_around", "programs"]

_PROGRAM = "Data/com.apple.CoreML/model.mlmodel"


@lru_cache(maxsize=1)
def _package() -> Path:
    """A small package with weights, made once for each process."""
    from rewriter.coreml.lowering import lower
    from tests.evidence.random_networks import build

    folder = Path(tempfile.mkdtemp(prefix="seed"))
    lower(build("unet", 1, 1)).save(folder / "seed.mlpackage")
    return folder / "seed.mlpackage"


def programs() -> tuple[tuple[str, bytes], ...]:
    """The program of a valid package."""
    return (("unet", (_package() / _PROGRAM).read_bytes()),)


def package_around(data: bytes, folder: Path) -> Path:
    """The package with another program."""
    copy = folder / "damaged.mlpackage"
    shutil.copytree(_package(), copy)
    (copy / _PROGRAM).write_bytes(data)
    return copy

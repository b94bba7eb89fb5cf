"""What a measurement depends on: versions and the machine, without its name."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe", "installed", "same_environment"]

_PACKAGES = (
    "click",
    "coremltools",
    "ml-dtypes",
    "numpy",
    "onnx",
    "onnx-graphsurgeon",
    "onnx-ir",
    "onnxoptimizer",
    "onnxruntime",
    "onnxscript",
    "onnxsim",
    "onnxslim",
    "polygraphy",
    "protobuf",
    "tensorflow",
    "tf2onnx",
)


def installed(distribution: str) -> str | None:
    """The version of an installed distribution, None when it is missing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def describe(filesystem: str, *, quick: bool) -> dict[str, Any]:
    """The environment of a measurement made now.

    Args:
        filesystem: the type of the one that holds the models.
        quick: whether inputs are small, so that the figures mean nothing.
    """
    versions = {name: installed(name) for name in _PACKAGES}
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "source": _source_digest(),
        "quick": quick,
        "python": platform.python_version(),
        "packages": {name: version for name, version in versions.items() if version is not None},
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "kernel": ".".join(re.findall(r"\d+", platform.release())[:2]),
        "filesystem": filesystem,
    }


def same_environment(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two descriptions differ in nothing but the date."""
    return {**one, "date": ""} == {**other, "date": ""}


def _source_digest() -> str:
    """Of the code that is measured, so that figures of another state of it are recognised."""
    import passes
    import rewriter

    digest = hashlib.sha256()
    for package in (rewriter, passes):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

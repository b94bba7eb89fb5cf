"""Which packages are installed, which extra brings which, and whether Core ML itself can run here."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib import metadata

__all__ = ["PACKAGES", "Package", "packages", "versions"]

PACKAGES: dict[str, str | None] = {
    "numpy": None,
    "onnx": None,
    "onnx-graphsurgeon": None,
    "onnxruntime": None,
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tf2onnx": "tensorflow",
    "coremltools": "coreml",
}
"""Distribution → the extra that installs it; None for what every installation has."""

_ADDS = {
    "tensorflow": "convert and verify against Keras models and SavedModels",
    "coreml": "lower to Core ML, simulate, and verify Core ML packages",
}


@dataclass(frozen=True)
class Package:
    """One distribution that the project uses.

    Attributes:
        name: of the distribution.
        version: installed version, None when it is missing.
        extra: the extra that installs it, None for a hard dependency.
    """

    name: str
    version: str | None
    extra: str | None

    @property
    def adds(self) -> str | None:
        """What its extra makes possible."""
        return _ADDS.get(self.extra) if self.extra else None


def packages() -> list[Package]:
    """State of every package, without importing any of them."""
    return [Package(name, _version(name), extra) for name, extra in PACKAGES.items()]


def versions() -> dict[str, str]:
    """Installed versions for a report: this project, Python, platform, and the packages."""
    found = {
        "rewriter": _version("rewriter") or "unknown",
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    found.update({package.name: package.version for package in packages() if package.version})
    return found


def has_core_ml_runtime() -> bool:
    """Whether Apple's runtime exists here; elsewhere Core ML models are simulated."""
    return sys.platform == "darwin"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

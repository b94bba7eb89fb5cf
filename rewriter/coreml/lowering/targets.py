"""Deployment targets: the names users write, and what they mean."""

from __future__ import annotations

from rewriter.errors import UnsupportedError, UsageError

__all__ = [
    "PRECISIONS",
    "READINGS",
    "TARGET_CHOICES",
    "resolve_precision",
    "resolve_reading",
    "resolve_target",
]

_IOS_OF_MACOS = {
    "macOS10.15": "iOS13",
    "macOS11": "iOS14",
    "macOS12": "iOS15",
    "macOS13": "iOS16",
    "macOS14": "iOS17",
    "macOS15": "iOS18",
}
_PROGRAM_TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
_NEURAL_NETWORK_TARGETS = ("iOS13", "iOS14")

TARGET_CHOICES = (*_NEURAL_NETWORK_TARGETS, *_PROGRAM_TARGETS, *_IOS_OF_MACOS)
PRECISIONS = ("float32", "float16")
READINGS = ("onnxruntime", "onnx.reference")


def resolve_target(name: str) -> str:
    """The iOS name of a deployment target, e.g. ``iOS17`` for ``macOS14``; case is ignored.

    Raises:
        UsageError: unknown name.
        UnsupportedError: a target that only knows the older neuralnetwork format.
    """
    known = {choice.lower(): choice for choice in TARGET_CHOICES}
    if name.lower() not in known:
        raise UsageError(f"unknown target '{name}'", remedy=f"use one of {', '.join(TARGET_CHOICES)}")
    choice = known[name.lower()]
    target = _IOS_OF_MACOS.get(choice, choice)
    if target in _NEURAL_NETWORK_TARGETS:
        raise UnsupportedError(
            f"{choice} only loads the neuralnetwork format, and this writes ML programs",
            remedy="use iOS15 (macOS12) or newer, or write a .mlmodel file",
        )
    return target


def resolve_precision(name: str) -> str:
    """Check the name of a compute precision.

    Raises:
        UsageError: neither ``float32`` nor ``float16``.
    """
    if name not in PRECISIONS:
        raise UsageError(f"unknown precision '{name}'", remedy=f"use one of {', '.join(PRECISIONS)}")
    return name


def resolve_reading(name: str | None) -> str | None:
    """Check whose reading of the Resize specification is to be followed; None stays.

    Raises:
        UsageError: not one of `READINGS`.
    """
    if name is not None and name not in READINGS:
        raise UsageError(f"unknown reading '{name}'", remedy=f"use one of {', '.join(READINGS)}")
    return name

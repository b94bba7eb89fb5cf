"""The kinds of error that reach a user: one sentence each, with file, node, cause and remedy."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = [
    "InputError",
    "MissingExtraError",
    "PassError",
    "RewriterError",
    "UnsupportedError",
    "UsageError",
    "require",
]


class RewriterError(Exception):
    """A problem that the user can act on; the command line turns it into one sentence and exit code 2.

    Args:
        message: the cause, one clause without a final full stop.
        file: the file concerned.
        node: name of the graph node concerned.
        remedy: what the user can do about it, one clause without a final full stop.
    """

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        file: object | None = None,
        node: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.node = node
        self.remedy = remedy

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (self.file, f"node '{self.node}'" if self.node else None) if part is not None
        )
        sentence = f"{where}: {self.message}" if where else self.message
        return f"{sentence}; {self.remedy}" if self.remedy else sentence

    def to_json(self) -> dict[str, Any]:
        """The `error` object of the JSON output."""
        return {
            "kind": self.kind,
            "message": self.message,
            "file": self.file,
            "node": self.node,
            "remedy": self.remedy,
        }


class UsageError(RewriterError):
    """The command or call itself is wrong: contradictory options, an unknown pass or mode."""

    kind = "usage"


class InputError(RewriterError):
    """A file is missing, unreadable, truncated, or not what it claims to be."""

    kind = "bad_input"


class UnsupportedError(RewriterError):
    """The input is valid, but what is asked for cannot be done exactly."""

    kind = "unsupported"


class MissingExtraError(RewriterError):
    """An optional dependency is not installed."""

    kind = "missing_extra"


class PassError(RewriterError):
    """A pass broke the model; nothing was written."""

    kind = "pass_failed"


_EXTRA_OF_MODULE = {
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tf2onnx": "tensorflow",
    "coremltools": "coreml",
}


def require(module: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or say which pip command brings it.

    Args:
        module: dotted module name, e.g. ``"coremltools"``.
        purpose: what it is needed for, e.g. ``"to write a Core ML model"``.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        extra = _EXTRA_OF_MODULE[module.split(".")[0]]
        raise MissingExtraError(
            f"{module.split('.')[0]} is needed {purpose}, and is not installed",
            remedy=f"run: pip install 'rewriter[{extra}]'",
        ) from error

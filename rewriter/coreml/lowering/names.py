"""Names that Core ML accepts: letters, digits and underscores, not starting with a digit, each used once."""

from __future__ import annotations

import re

__all__ = ["NameTable", "sanitise"]


def sanitise(name: str) -> str:
    """`name` with every character that Core ML refuses replaced by an underscore; never empty."""
    clean = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not clean:
        return "_"
    return f"_{clean}" if clean[0].isdigit() else clean


class NameTable:
    """Hands out Core ML names for ONNX names, unique within one program."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, name: str) -> str:
        """A Core ML name for `name` that nobody else has; a number is appended where it is taken."""
        base = sanitise(name)
        candidate, count = base, 1
        # Core ML compares some names without case (weights and features share a file system namespace).
        while candidate.lower() in self._taken:
            count += 1
            candidate = f"{base}_{count}"
        self._taken.add(candidate.lower())
        return candidate

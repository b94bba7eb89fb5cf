"""What a comparison found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Difference", "Differences", "Kind"]

Kind = Literal["added", "removed", "changed", "moved", "encoding"]


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        kind: ``added`` and ``removed`` as seen from the first file; ``moved``: the same at another place of the list;
            ``encoding``: other bytes that say the same.
        graph: ``main``, ``main/If_3/then_branch``, ``function:domain:name``; empty for the model itself.
        node: display name of the node; None outside nodes.
        what: the field, in the words of ONNX: ``attribute mode``, ``initializer w``, ``opset_import ai.onnx``.
        old, new: short texts; None where absent.
        same_meaning: an attribute that is written out with the value that it has by default, or no longer is.
    """

    kind: Kind
    graph: str
    node: str | None
    what: str
    old: str | None
    new: str | None
    same_meaning: bool = False

    def to_json(self) -> dict[str, Any]:
        """One entry of the JSON key ``differences``."""
        return {
            "kind": self.kind,
            "graph": self.graph,
            "node": self.node,
            "what": self.what,
            "old": self.old,
            "new": self.new,
            "same_meaning": self.same_meaning,
        }

    def __str__(self) -> str:
        place = " ".join(part for part in (self.graph, self.node and f"'{self.node}'") if part)
        where = f"{place}: " if place else ""
        if self.kind == "encoding" and self.old is None:
            return f"{where}{self.new}"
        if self.kind in ("changed", "encoding"):
            return f"{where}{self.what}: {_shown(self.old)} → {_shown(self.new)}"
        if self.kind == "moved":
            return f"{where}{self.what} moved from place {self.old} to {self.new}"
        value = self.new if self.kind == "added" else self.old
        meaning = " (its default)" if self.same_meaning else ""
        return f"{where}{self.what} {self.kind}" + (f": {value}{meaning}" if value else "")


def _shown(text: str | None) -> str:
    return "(absent)" if text is None else text


@dataclass(frozen=True)
class Differences:
    """All differences between two files.

    Attributes:
        found: in the order of the first file; empty where the files say the same.
        is_identical: whether the files are the same, byte for byte.
    """

    found: tuple[Difference, ...]
    is_identical: bool

    @property
    def same_content(self) -> bool:
        """Whether no field differs; the bytes may still."""
        return all(entry.kind == "encoding" for entry in self.found)

    def to_json(self) -> dict[str, Any]:
        """The JSON keys ``identical``, ``same_content`` and ``differences``."""
        return {
            "identical": self.is_identical,
            "same_content": self.same_content,
            "differences": [entry.to_json() for entry in self.found],
        }

"""Compare two ONNX files: first their bytes, then every field of every message; weights in pieces of 1 MiB."""

from __future__ import annotations

from pathlib import Path

from rewriter.difference.messages import Comparison
from rewriter.difference.result import Difference, Differences
from rewriter.model import Model
from rewriter.model.filebytes import FileBytes

__all__ = ["compare_files", "first_difference"]

_BLOCK = 1 << 20


def compare_files(first: str | Path, second: str | Path) -> Differences:
    """What differs between two ONNX files.

    Every field that the installed onnx knows is compared, and those that it does not know as bytes. Data that lies in
    external files is compared where both models have it at hand. Memory does not grow with the weights.

    Raises:
        InputError: a file is missing or not ONNX.
    """
    a, b = Model.load(first), Model.load(second)
    place = first_difference(FileBytes(first), FileBytes(second))
    same_data = not a.external_locations or Path(first).resolve().parent == Path(second).resolve().parent
    if place is None and same_data:
        return Differences((), is_identical=True)
    found = Comparison(a, b).differences()
    if not found and place is not None:
        text = f"the same content in other bytes, from byte {place} on"
        found = [Difference("encoding", "", None, "encoding", None, text)]
    return Differences(tuple(found), is_identical=place is None and not found)


def first_difference(a: FileBytes, b: FileBytes) -> int | None:
    """The first byte at which two files differ; None where they are the same."""
    for start in range(0, min(a.size, b.size), _BLOCK):
        left = a.read(start, min(start + _BLOCK, a.size))
        right = b.read(start, min(start + _BLOCK, b.size))
        if left != right:
            same = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), None)
            return start + (min(len(left), len(right)) if same is None else same)
    return None if a.size == b.size else min(a.size, b.size)

"""Parsing of options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence

from rewriter.errors import UsageError

__all__ = ["parse_shapes"]


def parse_shapes(values: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``NAME:1,H,W,3`` options → name → shape, all lengths positive.

    Raises:
        UsageError: an option is not of that form, or a name is repeated.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for value in values:
        # Tensor names may hold colons; lengths do not.
        name, colon, lengths = value.rpartition(":")
        try:
            shape = tuple(int(length) for length in lengths.split(","))
        except ValueError:
            shape = ()
        if not colon or not name or not shape or min(shape) < 1:
            raise UsageError(f"--shape {value} is not of the form NAME:1,224,224,3")
        if name in shapes:
            raise UsageError(f"--shape names '{name}' twice")
        shapes[name] = shape
    return shapes

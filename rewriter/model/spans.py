"""A piece of a byte string."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Span"]


class Span(NamedTuple):
    """Bytes `start` to `stop` of a message or a file."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

"""Which entry of one list is which of the other: by what names it, not by where it stands."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

__all__ = ["match", "match_nodes", "out_of_order"]

Pairs = list[tuple[int, int]]


def match(a: Sequence[Any], b: Sequence[Any], keys: Iterable[Callable[[Any], Hashable | None]]) -> Pairs:
    """Pairs of places, in the order of `a`.

    Each key is tried in turn on what is left; entries with the same key are paired in order, and a key of None
    pairs nothing. The time is linear in the number of entries.
    """
    left, right = list(range(len(a))), list(range(len(b)))
    pairs: Pairs = []
    for key in keys:
        waiting: dict[Hashable, list[int]] = {}
        for place in reversed(right):
            name = key(b[place])
            if name is not None:
                waiting.setdefault(name, []).append(place)
        rest = []
        for place in left:
            found = waiting.get(key(a[place]))
            if found:
                pairs.append((place, found.pop()))
            else:
                rest.append(place)
        taken = {place for _, place in pairs}
        left, right = rest, [place for place in right if place not in taken]
        if not left or not right:
            break
    return sorted(pairs)


def match_nodes(a: Sequence[Any], b: Sequence[Any]) -> Pairs:
    """Nodes of two graphs: the same name and outputs, else the same outputs, else the same name and operator."""
    return match(
        a,
        b,
        (
            lambda node: (node.name, node.op_type, tuple(node.output)),
            lambda node: tuple(node.output) if any(node.output) else None,
            lambda node: (node.name, node.op_type) if node.name else None,
            lambda node: node.name or None,
        ),
    )


def out_of_order(pairs: Pairs) -> list[tuple[int, int]]:
    """The fewest pairs that stand at another place among the others: all but a longest rising run."""
    ends: list[int] = []  # smallest end of a rising run of each length
    lengths = []
    for _, place in pairs:
        at = bisect_left(ends, place)
        ends[at : at + 1] = [place]
        lengths.append(at + 1)
    wanted = len(ends)
    stays = set()
    for index in range(len(pairs) - 1, -1, -1):
        if lengths[index] == wanted:
            stays.add(index)
            wanted -= 1
    return [pair for index, pair in enumerate(pairs) if index not in stays]

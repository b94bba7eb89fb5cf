"""Reshape: which axes keep their pixels, which are split or merged, which are lost."""

from __future__ import annotations

from fractions import Fraction

from rewriter.alignment.states import AxisState, Lost, State, moved
from rewriter.resampling.alignment import Grid

__all__ = ["reshaped"]

Shape = tuple[int | str | None, ...]
_REASON = "a reshape mixes its axes"


def reshaped(state: tuple[AxisState, ...], before: Shape | None, after: Shape | None) -> State:
    """The state after a reshape from `before` to `after`.

    Axes of equal length stay. A pixel axis of length n times an axis without positions of length r that becomes one
    axis of n r repeats (or interleaves) every pixel r times; the other way round, blocks of r pixels.
    """
    if before is None or after is None or len(before) != len(state):
        return Lost("a reshape between shapes that are not known")
    before, after = _with_one_name(before, after)
    result: list[AxisState] = []
    for old, new in _groups(before, after):
        result += _regrouped([state[axis] for axis in old], [before[a] for a in old], [after[a] for a in new])
    return tuple(result)


def _with_one_name(before: Shape, after: Shape) -> tuple[Shape, Shape]:
    """A reshape keeps the number of elements: one open length on each side is the same where all else is equal."""
    open_before, open_after = ([n for n in shape if not isinstance(n, int)] for shape in (before, after))
    left, right = ([n for n in shape if isinstance(n, int)] for shape in (before, after))
    if len(open_before) != 1 or len(open_after) != 1 or _product(left) != _product(right):
        return before, after
    named = [tuple(n if isinstance(n, int) else "same" for n in shape) for shape in (before, after)]
    return named[0], named[1]


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Smallest runs of axes of both shapes that hold the same number of elements."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after) and before[i] == after[j] and before[i] is not None:
            groups.append(([i], [j]))
            i, j = i + 1, j + 1
        elif j < len(after) and after[j] == 1:
            groups.append(([], [j]))
            j += 1
        elif i < len(before) and before[i] == 1:
            groups.append(([i], []))
            i += 1
        else:
            run = _run(before, after, i, j)
            if run is None:
                groups.append((list(range(i, len(before))), list(range(j, len(after)))))
                return groups
            groups.append((list(range(i, run[0])), list(range(j, run[1]))))
            i, j = run
    return groups


def _run(before: Shape, after: Shape, i: int, j: int) -> tuple[int, int] | None:
    """Ends of the shortest runs from i and j with equal products; None where lengths are open."""
    left = right = 1
    while True:
        if left <= right:
            if i == len(before):
                return None
            length = before[i]
            i += 1
            if not isinstance(length, int):
                return None
            left *= length
        else:
            if j == len(after):
                return None
            length = after[j]
            j += 1
            if not isinstance(length, int):
                return None
            right *= length
        if left == right:
            return i, j


def _regrouped(
    old: list[AxisState], before: list[int | str | None], after: list[int | str | None]
) -> list[AxisState]:
    grids = [k for k, entry in enumerate(old) if isinstance(entry, Grid)]
    if len(old) == len(after) == 1:
        return [old[0]]
    if not grids:
        lost = next((entry for entry in old if isinstance(entry, Lost)), None)
        return [lost] * len(after)
    if len(grids) > 1 or any(isinstance(entry, Lost) for entry in old) or not after:
        return [Lost(_REASON)] * len(after) if after else []
    if any(not isinstance(length, int) for length in (*before, *after)):
        return [Lost(_REASON)] * len(after)
    lengths = [length for length in before if isinstance(length, int)]
    position = grids[0]
    if _product(lengths[:position]) != 1:
        return [Lost(_REASON)] * len(after)
    minor = _product(lengths[position + 1 :])
    merged = moved(old[position], Fraction(1, minor), -Fraction(minor - 1, 2 * minor))
    return _divided(merged, [length for length in after if isinstance(length, int)])


def _divided(state: AxisState, lengths: list[int]) -> list[AxisState]:
    """One pixel axis as several: the first one that is longer than 1 counts blocks, the others count inside."""
    if len(lengths) == 1:
        return [state]
    major = next((k for k, length in enumerate(lengths) if length > 1), 0)
    block = _product(lengths[major + 1 :])
    result: list[AxisState] = [None] * len(lengths)
    result[major] = moved(state, block, Fraction(block - 1, 2))
    return result


def _product(lengths: list[int]) -> int:
    total = 1
    for length in lengths:
        total *= length
    return total

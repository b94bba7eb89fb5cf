"""Operators that move, cut or merge axes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

from rewriter.alignment.reshaping import reshaped
from rewriter.alignment.states import AxisState, Lost, Place, State, lost_axes, moved
from rewriter.resampling.alignment import Grid

__all__ = ["LAYOUT"]

Rows = list[State]


def transpose(place: Place, states: Rows) -> Rows:
    """Axes in another order."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    order = place.attribute("perm") or list(range(len(state)))[::-1]
    return [tuple(state[axis] for axis in order)]


def pad(place: Place, states: Rows) -> Rows:
    """Pixels before the first one shift the grid."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    given = place.attribute("pads") or place.attribute("paddings") or place.integers(1)
    named = place.integers(3) if place.has(3) else list(range(len(state)))
    if given is None or named is None:
        return [_all_lost(state, "padding is computed while the model runs")]
    result = list(state)
    for position, axis in enumerate(named):
        result[axis] = moved(result[axis], 1, -int(given[position]))
    return [tuple(result)]


def cut(place: Place, states: Rows) -> Rows:
    """Slice."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    if "starts" in place.node.attrs:
        starts = list(place.attribute("starts"))
        named = place.attribute("axes")
        steps: list[int] | None = [1] * len(starts)
    else:
        found = place.integers(1)
        if found is None:
            axes = place.integers(3) if place.has(3) else None
            touched = range(len(state)) if axes is None else (axis % len(state) for axis in axes)
            return [lost_axes(state, set(touched), "a slice starts where only the running model knows")]
        starts = found
        named = place.integers(3) if place.has(3) else None
        steps = place.integers(4) if place.has(4) else [1] * len(starts)
    if steps is None:
        return [_all_lost(state, "a slice's steps are computed while the model runs")]
    result = list(state)
    for position, start in enumerate(starts):
        axis = (position if named is None else int(named[position])) % len(state)
        begin = _first(int(start), place.length(axis), steps[position])
        if begin is None:
            result[axis] = lost_axes(tuple(result), {axis}, "a slice counts from an end that is not known")[
                axis
            ]
        else:
            result[axis] = moved(result[axis], steps[position], begin)
    return [tuple(result)]


def _first(start: int, length: int | None, step: int) -> int | None:
    if length is None:
        return start if start >= 0 and step > 0 else None
    if start < 0:
        start += length
    return min(max(start, 0), length if step > 0 else length - 1)


def split(place: Place, states: Rows) -> Rows:
    """Parts of one axis; all but the first are shifted."""
    state = states[0]
    count = len(place.node.outputs)
    if isinstance(state, Lost):
        return [state] * count
    axis = int(place.attribute("axis", 0)) % len(state)
    sizes = place.attribute("split") or place.integers(1)
    length = place.length(axis)
    if sizes is None and not place.has(1) and length is not None:
        part = math.ceil(length / count)
        sizes = [part] * count
    if sizes is None:
        return [lost_axes(state, {axis}, "the sizes of the parts are not known")] * count
    results = []
    start = 0
    for size in sizes:
        entries = list(state)
        entries[axis] = moved(entries[axis], 1, start)
        results.append(tuple(entries))
        start += int(size)
    return results  # type: ignore[return-value]


def squeeze(place: Place, states: Rows) -> Rows:
    """Axes of length 1 go."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    axes = place.attribute("axes") or place.integers(1)
    if axes is None:
        shape = place.input_shape()
        if place.has(1) or shape is None or any(not isinstance(length, int) for length in shape):
            return [Lost("it is not known which axes are squeezed")]
        axes = [axis for axis, length in enumerate(shape) if length == 1]
    gone = {axis % len(state) for axis in axes}
    return [tuple(entry for axis, entry in enumerate(state) if axis not in gone)]


def unsqueeze(place: Place, states: Rows) -> Rows:
    """New axes of length 1."""
    state = states[0]
    axes = place.attribute("axes") or place.integers(1)
    if isinstance(state, Lost) or axes is None:
        return [state if isinstance(state, Lost) else Lost("the new axes are not known")]
    rank = len(state) + len(axes)
    new = {axis % rank for axis in axes}
    old = iter(state)
    return [tuple(None if axis in new else next(old) for axis in range(rank))]


def reshape(place: Place, states: Rows) -> Rows:
    """Reshape and Flatten: axes that keep their pixels keep their grids."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    return [reshaped(state, place.input_shape(), place.output_shape())]


def repeat(place: Place, states: Rows) -> Rows:
    """Tile and Expand: copies of an axis without positions have none; tiled images have no single grid."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    before, after = place.input_shape(), place.output_shape()
    times = place.integers(1) if place.node.op == "Tile" else None
    if before is None or (times is None and after is None):
        return [Lost("it is not known which axes are repeated")]
    if times is None:
        assert after is not None
        new = len(after) - len(before)
        same = [n == m and n is not None for n, m in zip(before, after[new:], strict=True)]
    else:
        new, same = 0, [count == 1 for count in times]
    result: list[AxisState] = [None] * new
    for entry, n, kept in zip(state, before, same, strict=True):
        if not isinstance(entry, Grid) or kept:
            result.append(entry)
        else:
            result.append(None if n == 1 else Lost("the axis is tiled"))
    return [tuple(result)]


def gather(place: Place, states: Rows) -> Rows:
    """Gather with evenly spaced constant indices is a slice; with repeats, the mean of the pixels taken."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    axis = int(place.attribute("axis", 0)) % len(state)
    indices = place.constant(1)
    if indices is None:
        return [lost_axes(state, {axis}, "which pixels are gathered is known to the running model only")]
    if indices.ndim == 0:
        return [tuple(entry for k, entry in enumerate(state) if k != axis)]
    if indices.ndim > 1:
        return [Lost("gathered into several axes")]
    result = list(state)
    result[axis] = _gathered(state[axis], [int(i) for i in indices], place.length(axis))
    return [tuple(result)]


def _gathered(state: AxisState, indices: list[int], length: int | None) -> AxisState:
    if not isinstance(state, Grid):
        return state
    if any(index < 0 for index in indices):
        if length is None:
            return Lost("indices count from an end that is not known")
        indices = [index % length for index in indices]
    m = len(indices)
    if m == 1:
        return moved(state, 1, indices[0])
    # A line through the first and last run of equal indices; the pixels taken must stay within one of it.
    mean_i, mean_p = Fraction(m - 1, 2), Fraction(sum(indices), m)
    spread = sum(((i - mean_i) ** 2 for i in range(m)), Fraction(0))
    slope = sum(((i - mean_i) * (p - mean_p) for i, p in enumerate(indices)), Fraction(0)) / spread
    step = _simple(slope, indices)
    start = mean_p - step * mean_i
    if any(abs(p - (start + step * i)) > 1 for i, p in enumerate(indices)):
        return Lost("pixels are gathered out of order")
    return moved(state, step, start)


def _simple(slope: Fraction, indices: list[int]) -> Fraction:
    """The whole or unit-fraction step that the indices have, where they have one; else the regression's."""
    differences = {b - a for a, b in itertools.pairwise(indices)}
    if len(differences) == 1:
        return Fraction(differences.pop())
    runs = {index: indices.count(index) for index in indices}
    lengths = set(runs.values())
    if len(lengths) == 1 and differences <= {0, 1}:
        return Fraction(1, lengths.pop())
    return slope


def reduce(place: Place, states: Rows) -> Rows:
    """A mean, sum or maximum over axes: these have no positions left."""
    state = states[0]
    if isinstance(state, Lost):
        return [state]
    named: Any = place.attribute("axes")
    if named is None and place.has(1):
        named = place.integers(1)
        if named is None:
            return [Lost("it is not known which axes are reduced")]
    if named is None and place.attribute("axis") is not None:
        named = [place.attribute("axis")]
    if not named:
        if place.attribute("noop_with_empty_axes", 0):
            return [state]
        named = [0] if place.node.op.startswith("Arg") else range(len(state))
    gone = {int(axis) % len(state) for axis in named}
    if place.attribute("keepdims", 1):
        return [tuple(None if axis in gone else entry for axis, entry in enumerate(state))]
    return [tuple(entry for axis, entry in enumerate(state) if axis not in gone)]


def _lost(state: tuple[AxisState, ...], axes: set[int], reason: str) -> tuple[AxisState, ...]:
    return tuple(
        Lost(reason) if axis in axes and isinstance(entry, Grid) else entry
        for axis, entry in enumerate(state)
    )


def _all_lost(state: tuple[AxisState, ...], reason: str) -> tuple[AxisState, ...]:
    return lost_axes(state, set(range(len(state))), reason)


_REDUCTIONS = (
    "Mean",
    "Max",
    "Min",
    "Sum",
    "Prod",
    "L1",
    "L2",
    "LogSum",
    "LogSumExp",
    "SumSquare",
)
LAYOUT = {
    "Transpose": transpose,
    "Pad": pad,
    "Slice": cut,
    "Split": split,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Reshape": reshape,
    "Flatten": reshape,
    "Tile": repeat,
    "Expand": repeat,
    "Gather": gather,
    "ArgMax": reduce,
    "ArgMin": reduce,
    **{f"Reduce{name}": reduce for name in _REDUCTIONS},
}

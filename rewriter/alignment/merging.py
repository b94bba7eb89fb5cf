"""Where branches meet: are they on the same grid?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rewriter.alignment.states import AxisState, Lost, Place, State
from rewriter.resampling.alignment import Closing, Gap, Grid, closings, gap

__all__ = ["Merge", "joined"]


@dataclass(frozen=True)
class Merge:
    """Two branches of a node whose grids differ on one axis.

    Attributes:
        node: name of the merging node.
        op: its operator.
        graph: path of the graph that holds it.
        axis: axis of the node's output.
        branches: names of the two tensors.
        grids: their grids on this axis.
        length: of the output on this axis; None where it is not known.
        gap: of the second branch against the first, in pixels of the graph's input.
        closings: changes of resize modes that make the gap smaller, the best first.
    """

    node: str
    op: str
    graph: str
    axis: int
    branches: tuple[str, str]
    grids: tuple[Grid, Grid]
    length: int | None
    gap: Gap
    closings: tuple[Closing, ...]

    @property
    def same_scale(self) -> bool:
        return self.grids[0].scale == self.grids[1].scale

    def remedy(self) -> str:
        """Which resize mode at which node closes the gap, in one clause."""
        if not self.closings:
            return "no coordinate mode of a resize on the way makes it smaller"
        best = self.closings[0]
        where = ", ".join(f"'{node}'" for node in best.nodes)
        if best.left.closed:
            return f"{best.mode} at {where} closes it"
        return f"{best.mode} at {where} leaves {pixels(best.left.largest)}; nothing closes it"

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``rewriter alignment --json``."""
        return {
            "node": self.node,
            "op": self.op,
            "graph": self.graph,
            "axis": self.axis,
            "input": self.grids[0].source[0],
            "input_axis": self.grids[0].source[1],
            "length": self.length,
            "branches": [
                {"tensor": name, **grid_json(grid), "resizes": [step.node for step in grid.resizes]}
                for name, grid in zip(self.branches, self.grids, strict=True)
            ],
            "gap_px": gap_json(self.gap),
            "closes": [
                {
                    "nodes": list(closing.nodes),
                    "coordinate_transformation_mode": closing.mode,
                    "gap_px": gap_json(closing.left),
                }
                for closing in self.closings
            ],
            "remedy": self.remedy(),
        }


def grid_json(grid: Grid) -> dict[str, Any]:
    """A grid as plain data: floats for reading, exact fractions as text."""
    return {
        "scale": float(grid.scale),
        "offset": float(grid.offset),
        "exact": {"scale": str(grid.scale), "offset": str(grid.offset)},
    }


def gap_json(found: Gap) -> dict[str, float | None]:
    return {
        "left": float(found.left),
        "centre": None if found.centre is None else float(found.centre),
        "right": None if found.right is None else float(found.right),
        "max": float(found.largest),
    }


def pixels(value: Fraction) -> str:
    """A number of pixels for people."""
    return f"{float(value):.4g} px"


def joined(place: Place, states: Sequence[State]) -> tuple[State, list[Merge], int]:
    """The state after a merging node, the gaps, and the number of axes that were compared and agree.

    Where branches differ the first one's grid goes on, so that one gap is reported once.
    """
    concatenated = place.node.op == "Concat"
    known = [(index, state) for index, state in enumerate(states) if not isinstance(state, Lost)]
    if not known:
        return states[0], [], 0
    rank = max(len(state) for _, state in known)
    along = int(place.attribute("axis", 0)) % rank if concatenated else None
    result: list[AxisState] = []
    merges: list[Merge] = []
    agreeing = 0
    for axis in range(rank):
        entries = [
            (index, state[axis - rank + len(state)])
            for index, state in known
            if axis - rank + len(state) >= 0
        ]
        if axis == along:
            result.append(_concatenated(place, [entry for _, entry in entries], axis))
            continue
        chosen, found, same = _compared(place, entries, axis, rank)
        result.append(chosen)
        merges += found
        agreeing += same
    lost = next((state for state in states if isinstance(state, Lost)), None)
    if lost is not None and not any(isinstance(entry, Grid) for entry in result):
        return lost, merges, agreeing
    return tuple(result), merges, agreeing


def _concatenated(place: Place, entries: list[AxisState], axis: int) -> AxisState:
    """Along the axis itself: channels stay without positions; images side by side have no single grid."""
    grids = [entry for entry in entries if isinstance(entry, Grid)]
    if not grids:
        return next((entry for entry in entries if isinstance(entry, Lost)), None)
    if place.length(axis) == 1 or len(entries) == 1:
        return grids[0] if len(entries) == 1 else None
    return Lost("images are concatenated along the axis")


def _compared(
    place: Place, entries: list[tuple[int, AxisState]], axis: int, rank: int
) -> tuple[AxisState, list[Merge], int]:
    """A broadcast axis of length 1 meets every grid."""
    grids = [(index, entry) for index, entry in entries if isinstance(entry, Grid)]
    wide = [(index, grid) for index, grid in grids if not _is_broadcast(place, index, axis, rank)]
    grids = wide or grids
    lost = next((entry for _, entry in entries if isinstance(entry, Lost)), None)
    if not grids:
        return lost, [], 0
    first_index, first = grids[0]
    merges = []
    agreeing = 0
    for index, grid in grids[1:]:
        if grid.source != first.source:
            continue
        length = _length(place, axis, rank)
        found = gap(first, grid, length)
        if found.closed and first.scale == grid.scale:
            agreeing += 1
        elif not found.closed:
            merges.append(_merge(place, axis, (first_index, first), (index, grid), length, found))
    return first, merges, agreeing


def _merge(
    place: Place,
    axis: int,
    first: tuple[int, Grid],
    second: tuple[int, Grid],
    length: int | None,
    found: Gap,
) -> Merge:
    names = (place.node.inputs[first[0]].name, place.node.inputs[second[0]].name)
    return Merge(
        node=place.name,
        op=str(place.node.op),
        graph=place.scope.path,
        axis=axis,
        branches=names,
        grids=(first[1], second[1]),
        length=length,
        gap=found,
        closings=tuple(closings(first[1], second[1], length)[:3]),
    )


def _is_broadcast(place: Place, index: int, axis: int, rank: int) -> bool:
    shape = place.input_shape(index)
    if shape is None:
        return False
    position = axis - rank + len(shape)
    return 0 <= position < len(shape) and shape[position] == 1


def _length(place: Place, axis: int, rank: int) -> int | None:
    shape = place.output_shape()
    if shape is None or len(shape) != rank:
        return None
    value = shape[axis]
    return value if isinstance(value, int) else None

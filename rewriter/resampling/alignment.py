"""Pixel grids: where the pixels of a tensor lie on the graph's input, and what layers do to that.

Along one axis, pixel i of a tensor is centred at ``offset + scale * i`` input pixels. A layer whose output pixel i
looks at its own input around ``step * i + start`` (the centre of its window) turns the grid (scale, offset) into
(scale * step, offset + scale * start): every layer is one affine map of indices, and maps compose. See A. Araujo,
W. Norris and J. Sim, "Computing receptive fields of convolutional neural networks", Distill (2019), for windows;
a resize's map is its coordinate formula.

Everything is exact (`Fraction`). Windows are taken to weigh symmetrically, as an untrained kernel does: what a
trained kernel prefers is not a property of the graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.kernels import ROUNDINGS

__all__ = ["Closing", "Gap", "Grid", "IndexMap", "ResizeStep", "closings", "gap", "map_of"]

_HALF = Fraction(1, 2)
_MODES = ("half_pixel", "align_corners", "asymmetric")


@dataclass(frozen=True)
class IndexMap:
    """Output pixel i looks at input pixel ``step * i + start``."""

    step: Fraction
    start: Fraction

    def then(self, later: IndexMap) -> IndexMap:
        """The map of this layer followed by a later one: later's indices, through this layer, to this one's input."""
        return IndexMap(self.step * later.step, self.step * later.start + self.start)


@dataclass(frozen=True)
class ResizeStep:
    """A resize on the way from the graph's input to a tensor.

    Attributes:
        node: name of the node.
        axis_map: what it computes on the axis.
        before: grid of its input: (scale, offset).
        after: from the tensor's indices back to those of the resize's output.
    """

    node: str
    axis_map: AxisMap
    before: tuple[Fraction, Fraction]
    after: IndexMap


@dataclass(frozen=True)
class Grid:
    """Where the pixels of one axis of a tensor lie on an axis of a graph input.

    Attributes:
        source: name of the graph input, and which of its axes.
        scale: input pixels from one pixel to the next.
        offset: centre of pixel 0, in input pixels; 0 is the centre of the input's first pixel.
        resizes: resizes on the way, the first one first.
    """

    source: tuple[str, int]
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    resizes: tuple[ResizeStep, ...] = ()

    def through(self, layer: IndexMap) -> Grid:
        """The grid after a layer."""
        return Grid(
            self.source,
            self.scale * layer.step,
            self.offset + self.scale * layer.start,
            tuple(replace(step, after=step.after.then(layer)) for step in self.resizes),
        )

    def resized(self, node: str, axis_map: AxisMap) -> Grid:
        """The grid after a resize.

        Raises:
            ValueError: the resize samples at positions that are not evenly spaced.
        """
        moved = self.through(map_of(axis_map))
        step = ResizeStep(node, axis_map, (self.scale, self.offset), IndexMap(Fraction(1), Fraction(0)))
        return replace(moved, resizes=(*moved.resizes, step))

    def at(self, index: Fraction | int) -> Fraction:
        """Position of a pixel, in input pixels."""
        return self.offset + self.scale * index

    @property
    def shift(self) -> Fraction:
        """Offset against the grid of the same scale whose pixels divide the input evenly (half-pixel centres)."""
        return self.offset - (self.scale - 1) / 2

    def same_place(self, other: Grid) -> bool:
        """Whether both grids lie on the same pixels of the same input."""
        return (self.source, self.scale, self.offset) == (other.source, other.scale, other.offset)


def map_of(axis_map: AxisMap) -> IndexMap:
    """The index map of a resize: its coordinate formula; for nearest kernels the mean of the pixels it takes.

    The pixels that a nearest resize takes lie around the line of its coordinates; repeating every pixel twice, which
    samples at i / 2 and rounds down, looks at i / 2 - 1/4 on average.

    Raises:
        ValueError: the positions are not evenly spaced.
    """
    coordinates = axis_map.source_coordinates()
    if len(coordinates) == 1:
        step = Fraction(axis_map.n_in, axis_map.n_out)
    else:
        step = coordinates[1] - coordinates[0]
    if any(b - a != step for a, b in itertools.pairwise(coordinates)):
        raise ValueError("positions are not evenly spaced")
    if not isinstance(axis_map, AxisResize) or axis_map.kernel != "nearest":
        return IndexMap(step, coordinates[0])
    rounding = ROUNDINGS[axis_map.rounding]
    taken = [(i, rounding(x)) for i, x in enumerate(coordinates)]
    inside = [Fraction(pixel) - step * i for i, pixel in taken if 0 <= pixel < axis_map.n_in]
    if not inside:
        return IndexMap(step, coordinates[0])
    return IndexMap(step, sum(inside, Fraction(0)) / len(inside))


@dataclass(frozen=True)
class Gap:
    """How far two grids lie apart, in pixels of the graph's input; positive: the second lies further right.

    Attributes:
        left, centre, right: at the first pixel, in the middle, at the last one; the latter two are None where the
            length is not known and the scales differ.
        largest: the largest absolute one that is known.
    """

    left: Fraction
    centre: Fraction | None
    right: Fraction | None

    @property
    def largest(self) -> Fraction:
        return max(abs(value) for value in (self.left, self.centre, self.right) if value is not None)

    @property
    def closed(self) -> bool:
        """Whether there is none, as far as the length is known."""
        return self.largest == 0


def gap(first: Grid, second: Grid, length: int | None) -> Gap:
    """The gap between two grids of the same input over a tensor of `length` pixels.

    Raises:
        ValueError: the grids belong to different inputs or axes.
    """
    if first.source != second.source:
        raise ValueError("grids of different inputs cannot be compared")
    slope, left = second.scale - first.scale, second.offset - first.offset
    if length is None:
        known = left if slope == 0 else None
        return Gap(left, known, known)
    return Gap(left, left + slope * Fraction(length - 1, 2), left + slope * (length - 1))


@dataclass(frozen=True)
class Closing:
    """A change of one resize (or of all resizes of a branch) and the gap that is left.

    Attributes:
        nodes: the resizes that change.
        mode: coordinate mode that they would have.
        left: the gap after the change.
    """

    nodes: tuple[str, ...]
    mode: str
    left: Gap


def closings(first: Grid, second: Grid, length: int | None) -> list[Closing]:
    """Other coordinate modes for resizes of either branch that leave a smaller gap; the best first, then the fewest
    nodes.
    """
    before = gap(first, second, length)
    found = []
    for branch, other, swapped in ((second, first, False), (first, second, True)):
        for nodes, mode, changed in _changes(branch):
            after = gap(changed, other, length) if swapped else gap(other, changed, length)
            if after.largest < before.largest:
                found.append(Closing(nodes, mode, after))
    return sorted(found, key=lambda closing: (closing.left.largest, len(closing.nodes)))


def _changes(branch: Grid) -> Iterable[tuple[tuple[str, ...], str, Grid]]:
    """The branch with another mode at one resize, or the same mode at all of them."""
    for mode in _MODES:
        alternatives = [_in_mode(step.axis_map, mode) for step in branch.resizes]
        for index, alternative in enumerate(alternatives):
            if alternative is not None:
                yield (branch.resizes[index].node,), mode, _rebuilt(branch, {index: alternative})
        known = {index: other for index, other in enumerate(alternatives) if other is not None}
        if len(known) == len(branch.resizes) > 1:
            yield tuple(step.node for step in branch.resizes), mode, _rebuilt(branch, known)


def _in_mode(axis_map: AxisMap, mode: str) -> AxisMap | None:
    """The same resize in another coordinate mode, with the rounding that frameworks use there; or None."""
    if not isinstance(axis_map, AxisResize) or axis_map.coordinates == mode:
        return None
    rounding = "floor" if mode == "asymmetric" else "round_prefer_ceil"
    return replace(axis_map, coordinates=mode, rounding=rounding, scale=None)


def _rebuilt(branch: Grid, alternatives: dict[int, AxisMap]) -> Grid:
    """The branch's grid with other maps at some resizes."""
    scale, offset = branch.resizes[0].before
    for index, step in enumerate(branch.resizes):
        here = map_of(alternatives.get(index, step.axis_map))
        scale, offset = scale * here.step, offset + scale * here.start
        later = branch.resizes[index + 1 :]
        between = _between(step, later[0]) if later else step.after
        scale, offset = scale * between.step, offset + scale * between.start
    return Grid(branch.source, scale, offset)


def _between(step: ResizeStep, later: ResizeStep) -> IndexMap:
    """From the indices of `later`'s input back to those of `step`'s output."""
    own = map_of(later.axis_map)
    whole, after = step.after, later.after
    # whole = between ∘ own ∘ after, as maps of indices
    step_between = whole.step / (own.step * after.step)
    return IndexMap(step_between, whole.start - step_between * (own.step * after.start + own.start))

"""Pixel repetition: Unsqueeze or Reshape, Tile or Expand, Reshape. Followed as a layout of named axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from onnx_graphsurgeon import Node, Tensor

from passes.resize.recover.length import Length
from passes.resize.recover.lengths import LengthReader
from passes.resize.recover.operators import COPYING, REPEATING
from passes.resize.recover.propagation import is_parametric
from rewriter.model.constants import constant_value
from rewriter.model.scopes import in_default_domain

__all__ = ["Repetition", "REPEATING", "find_repetition"]

_LAYOUT = (
    "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Identity", "DepthToSpace", *COPYING, *REPEATING,
)  # fmt: skip
_BEFORE = ("Unsqueeze", "Reshape", "Transpose", "Identity")


class Axis(NamedTuple):
    """A whole axis of the root tensor."""

    number: int


class Copies(NamedTuple):
    """So many copies, one after the other."""

    times: int


Dim = tuple["Axis | Copies", ...]
"""What an axis enumerates, slowest first; an axis of length 1 enumerates nothing."""
Layout = list[Dim]


@dataclass(frozen=True)
class Repetition:
    """`result` is `root` with pixels of each axis repeated `factors` times, then transposed by `perm`."""

    root: Tensor
    result: Tensor
    nodes: tuple[Node, ...]
    factors: tuple[int, ...]
    perm: tuple[int, ...]


def find_repetition(start: Node, lengths: LengthReader) -> Repetition | None:
    """The longest chain of nodes around a Tile or Expand that repeats pixels, each axis at most by one Tile.

    An axis that is repeated again is the next layer's: one Resize per layer.
    """
    before: list[Node] = []
    root = start.inputs[0]
    while True:
        found = _follow(root, before, start, lengths)
        if found is not None:
            return found
        node = root.inputs[0] if len(root.inputs) == 1 else None
        if node is None or node.op not in _BEFORE or not in_default_domain(node) or len(before) > 8:
            return None
        before.insert(0, node)
        root = node.inputs[0]


def _follow(root: Tensor, before: list[Node], start: Node, lengths: LengthReader) -> Repetition | None:
    rank = lengths.rank(root)
    rank = _rank_from_tile(start, before) if rank is None else rank
    if rank is None:
        return None
    tracker = _Tracker(root, rank, lengths)
    try:
        return tracker.run([*before, start])
    finally:
        tracker.forget()


def _rank_from_tile(start: Node, before: list[Node]) -> int | None:
    """Rank of the root from the number of repeats, less the axes that were inserted."""
    if start.op != "Tile" or any(node.op == "Reshape" for node in before):
        return None
    repeats = constant_value(start.inputs[1])
    if repeats is None:
        return None
    inserted = [_axes(node) for node in before if node.op == "Unsqueeze"]
    if any(axes is None for axes in inserted):
        return None
    return int(repeats.size) - sum(len(axes) for axes in inserted if axes is not None)


class _Tracker:
    def __init__(self, root: Tensor, rank: int, lengths: LengthReader) -> None:
        self.root, self.lengths = root, lengths
        self.layout: Layout = [(Axis(axis),) for axis in range(rank)]
        self.root_lengths = [lengths.length(root, axis) for axis in range(rank)]
        self._followed: list[int] = []

    def run(self, nodes: list[Node]) -> Repetition | None:
        done: list[Node] = []
        best: Repetition | None = None
        queue = list(nodes)
        while queue:
            node = queue.pop(0)
            repeated = {axis for axis, factor in enumerate(best.factors) if factor > 1} if best else set()
            layout = self._after(node)
            if layout is None:
                break
            self.layout = layout
            done.append(node)
            self._remember(node.outputs[0])
            found = self._as_repetition(node.outputs[0], done)
            if found is not None:
                # DepthToSpace moves copies from channels to pixels; any other second repetition is a new layer.
                moved = node.op == "DepthToSpace"
                if best and not moved and any(found.factors[a] != best.factors[a] for a in repeated):
                    break
                grows = best is None or found.factors != best.factors
                best = found if grows and found.factors != (1,) * len(found.factors) else best
            if not queue:
                following = _next(node.outputs[0])
                queue = [] if following is None else [following]
        return best

    def forget(self) -> None:
        for key in self._followed:
            self.lengths.known.pop(key, None)

    def _remember(self, tensor: Tensor) -> None:
        self.lengths.known[id(tensor)] = [self._length(dim) for dim in self.layout]
        self._followed.append(id(tensor))

    def _length(self, dim: Dim) -> Length:
        total = Length(1)
        for part in dim:
            total = total.times(
                self.root_lengths[part.number] if isinstance(part, Axis) else Length(part.times)
            )
        return total

    def _as_repetition(self, result: Tensor, nodes: list[Node]) -> Repetition | None:
        perm, factors = [], [1] * len(self.root_lengths)
        for dim in self.layout:
            if not dim or not isinstance(dim[0], Axis):
                return None
            perm.append(dim[0].number)
            for part in dim[1:]:
                if isinstance(part, Axis):
                    return None
                factors[dim[0].number] *= part.times
        if sorted(perm) != list(range(len(factors))):
            return None
        return Repetition(self.root, result, tuple(nodes), tuple(factors), tuple(perm))

    def _after(self, node: Node) -> Layout | None:
        """The layout behind a node, None where it is more than a change of layout."""
        if not in_default_domain(node) or len(node.outputs) != 1 or is_parametric(node):
            return None
        if node.op not in _LAYOUT:
            return None
        if node.op == "Identity":
            return self.layout
        if node.op == "Transpose":
            perm = node.attrs.get("perm", list(range(len(self.layout)))[::-1])
            fits = isinstance(perm, list) and sorted(perm) == list(range(len(self.layout)))
            return [self.layout[axis] for axis in perm] if fits else None
        if node.op in ("Unsqueeze", "Squeeze"):
            axes = _axes(node)
            return (
                None
                if axes is None
                else self._inserted(axes)
                if node.op == "Unsqueeze"
                else self._removed(axes)
            )
        if node.op == "DepthToSpace":
            return self._spread(int(node.attrs.get("blocksize", 0)), node.attrs.get("mode", "DCR"))
        if node.op == "Concat":
            return self._joined(node)
        target = self.lengths.entries(node.inputs[1]) if len(node.inputs) > 1 else None
        if target is None:
            return None
        if node.op == "Reshape":
            return self._reshaped(target, bool(node.attrs.get("allowzero", 0)))
        return self._tiled(target) if node.op == "Tile" else self._expanded(target)

    def _inserted(self, axes: list[int]) -> Layout | None:
        rank = len(self.layout) + len(axes)
        places = {axis % rank for axis in axes if -rank <= axis < rank}
        if len(places) != len(axes):
            return None
        rest = iter(self.layout)
        return [() if axis in places else next(rest) for axis in range(rank)]

    def _removed(self, axes: list[int]) -> Layout | None:
        rank = len(self.layout)
        places = {axis % rank for axis in axes if -rank <= axis < rank}
        if len(places) != len(axes) or any(self.layout[axis] for axis in places):
            return None
        return [dim for axis, dim in enumerate(self.layout) if axis not in places]

    def _tiled(self, repeats: list[Length | None]) -> Layout | None:
        if len(repeats) != len(self.layout):
            return None
        layout: Layout = []
        for dim, repeat in zip(self.layout, repeats, strict=True):
            if repeat is None or not repeat.is_known or repeat.factor < 1:
                return None
            layout.append(dim if repeat.factor == 1 else (Copies(repeat.factor), *dim))
        return layout

    def _expanded(self, target: list[Length | None]) -> Layout | None:
        if len(target) != len(self.layout):
            return None
        layout: Layout = []
        for dim, wanted in zip(self.layout, target, strict=True):
            if wanted is None:
                return None
            if wanted == Length(1) or wanted == self._length(dim):
                layout.append(dim)
            elif not dim and wanted.is_known and wanted.factor > 1:
                layout.append((Copies(wanted.factor),))
            else:
                return None
        return layout

    def _joined(self, node: Node) -> Layout | None:
        """Concat of one tensor with itself."""
        if any(tensor is not node.inputs[0] for tensor in node.inputs):
            return None
        axis = int(node.attrs.get("axis", 0)) % len(self.layout)
        return [
            (Copies(len(node.inputs)), *dim) if place == axis else dim
            for place, dim in enumerate(self.layout)
        ]

    def _spread(self, block: int, mode: str) -> Layout | None:
        """DepthToSpace of channels that hold block² copies: first (DCR) or last (CRD) in each group."""
        if len(self.layout) != 4 or block < 2:
            return None
        batch, channels, *image = self.layout
        copies = channels[:1] if mode == "DCR" else channels[-1:]
        if copies != (Copies(block * block),):
            return None
        rest = channels[1:] if mode == "DCR" else channels[:-1]
        return [batch, rest, *((*dim, Copies(block)) for dim in image)]

    def _reshaped(self, target: list[Length | None], allow_zero: bool) -> Layout | None:
        wanted: list[Length | None] = []
        for axis, entry in enumerate(target):
            if entry == Length(0):
                if allow_zero or axis >= len(self.layout):
                    return None
                entry = self._length(self.layout[axis])
            wanted.append(None if entry == Length(-1) else entry)
        # An entry that is not known is what the others leave, as -1 is: the number of elements stays.
        gaps = [axis for axis, entry in enumerate(wanted) if entry is None]
        parts = [part for dim in self.layout for part in dim]
        if len(gaps) > 1:
            return None
        gap = gaps[0] if gaps else len(wanted)
        front = self._grouped(parts, wanted[:gap])
        if front is None:
            return None
        rest = parts[sum(len(dim) for dim in front) :]
        if not gaps:
            return front if not rest else None
        back = self._grouped(rest[::-1], wanted[gap + 1 :][::-1])
        if back is None:
            return None
        middle = rest[: len(rest) - sum(len(dim) for dim in back)]
        return [*front, tuple(middle), *(dim[::-1] for dim in back[::-1])]

    def _grouped(self, parts: list[Axis | Copies], wanted: list[Length | None]) -> Layout | None:
        """Consecutive parts whose products are the lengths wanted, in order; the rest stays over."""
        layout, place = [], 0
        for entry in wanted:
            first, total = place, Length(1)
            if place < len(parts) and self._length((parts[place],)) == entry == Length(1):
                place += 1
            while total != entry and place < len(parts):
                total = total.times(self._length((parts[place],)))
                place += 1
            if total != entry:
                return None
            layout.append(tuple(parts[first:place]))
        return layout


def _axes(node: Node) -> list[int] | None:
    axes = node.attrs.get("axes")
    if axes is None and len(node.inputs) > 1:
        value = constant_value(node.inputs[1])
        axes = None if value is None else value.ravel().tolist()
    return [int(axis) for axis in axes] if isinstance(axes, list) else None


def _next(tensor: Tensor) -> Node | None:
    """The one node that reads the tensor as data; others may only ask for its shape."""
    readers = [node for node in tensor.outputs if node.op != "Shape"]
    if len(readers) != 1 or readers[0].op not in _LAYOUT or readers[0].inputs[0] is not tensor:
        return None
    return readers[0]

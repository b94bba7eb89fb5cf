"""Which input and output of the candidate belongs to which of the reference: by name, then by shape and layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec

__all__ = ["Link", "pair"]

_LAYOUTS = {
    4: ((0, 3, 1, 2), (0, 2, 3, 1)),
    3: ((0, 2, 1), (2, 0, 1), (1, 2, 0)),
    5: ((0, 4, 1, 2, 3), (0, 2, 3, 4, 1)),
}

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Link:
    """One tensor of the reference and the candidate's counterpart.

    Attributes:
        reference, candidate: names.
        permutation: axes order that turns the reference's layout into the candidate's; None when they agree.
        batch: 1 where the candidate has a leading axis of length 1 more than the reference, -1 where it has one less.
    """

    reference: str
    candidate: str
    permutation: tuple[int, ...] | None = None
    batch: int = 0

    def to_candidate(self, array: np.ndarray) -> np.ndarray:
        """The reference's array in the candidate's layout."""
        array = array[None] if self.batch > 0 else array[0] if self.batch < 0 else array
        return array if self.permutation is None else array.transpose(self.permutation)

    def to_reference(self, array: np.ndarray) -> np.ndarray:
        """The candidate's array in the reference's layout."""
        array = array if self.permutation is None else array.transpose(np.argsort(self.permutation))
        return array[0] if self.batch > 0 else array[None] if self.batch < 0 else array

    def shape_for_reference(self, shape: Shape) -> Shape:
        """The candidate's declared shape in the reference's layout."""
        if self.permutation is not None:
            shape = tuple(shape[axis] for axis in np.argsort(self.permutation))
        return shape[1:] if self.batch > 0 else (1, *shape) if self.batch < 0 else shape

    def describe(self) -> str:
        """For reports, e.g. ``image → input_1, axes 0 3 1 2``."""
        words = self.reference if self.reference == self.candidate else f"{self.reference} → {self.candidate}"
        if self.permutation is not None:
            words += ", axes " + " ".join(map(str, self.permutation))
        if self.batch:
            words += ", with a batch axis" if self.batch > 0 else ", without the batch axis"
        return words


def pair(reference: Sequence[TensorSpec], candidate: Sequence[TensorSpec], what: str) -> list[Link]:
    """Pair tensors by name; those whose names have no counterpart by shape, in order.

    Args:
        reference, candidate: the tensors of both sides, concrete shapes where known.
        what: ``input`` or ``output``, for messages.

    Raises:
        UsageError: the numbers of tensors differ, or shapes that no layout reconciles.
    """
    if len(reference) != len(candidate):
        raise UsageError(
            f"the reference has {len(reference)} {what}s {_names(reference)}, the candidate {len(candidate)} "
            f"{_names(candidate)}: they cannot be paired"
        )
    chosen: dict[str, TensorSpec] = {}
    free = list(candidate)
    for same in (lambda a, b: a.name == b.name, lambda a, b: _key(a.name) == _key(b.name), _fits_somehow):
        for spec in reference:
            if spec.name in chosen:
                continue
            match = next((other for other in free if same(spec, other)), None)
            if match is not None:
                chosen[spec.name] = match
                free.remove(match)
    for spec in reference:  # what is left fits nowhere: in order, and the shapes are complained about below
        if spec.name not in chosen:
            chosen[spec.name] = free.pop(0)
    return [_link(spec, chosen[spec.name], what) for spec in reference]


def _names(specs: Sequence[TensorSpec]) -> str:
    return "(" + ", ".join(spec.name for spec in specs) + ")"


def _key(name: str) -> str:
    """Names as different formats allow them: letters and digits, without TensorFlow's ':0'."""
    return "".join(c for c in name.removesuffix(":0").lower() if c.isalnum())


def _fits_somehow(spec: TensorSpec, other: TensorSpec) -> bool:
    return not spec.shape or not other.shape or _arrangement(spec.shape, other.shape) is not None


def _link(spec: TensorSpec, other: TensorSpec, what: str) -> Link:
    if not spec.shape or not other.shape:
        return Link(spec.name, other.name)
    arrangement = _arrangement(spec.shape, other.shape)
    if arrangement is not None:
        return Link(spec.name, other.name, *arrangement)
    if what == "output":  # a wrong output shape is a finding, not a misuse
        return Link(spec.name, other.name)
    raise UsageError(
        f"{what} '{spec.name}' has shape {_words(spec.shape)} in the reference and {_words(other.shape)} in the "
        "candidate"
    )


def _words(shape: Shape) -> str:
    return "[" + ", ".join("?" if length is None else str(length) for length in shape) + "]"


def _arrangement(shape: Shape, other: Shape) -> tuple[tuple[int, ...] | None, int] | None:
    """(permutation, batch) that reconciles two shapes, the plainest first; None where none does."""
    for batch, own in (
        (0, shape),
        (1, (1, *shape)),
        (-1, shape[1:] if shape[:1] in ((1,), (None,)) else None),
    ):
        if own is None or len(own) != len(other):
            continue
        if _fits(own, other):
            return None, batch
        for permutation in _LAYOUTS.get(len(own), ()):
            if _fits(tuple(own[axis] for axis in permutation), other):
                return permutation, batch
    return None


def _fits(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))

"""Which input and output of the candidate belongs to which of the reference: by name, then by shape and layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec

__all__ = ["Link", "pair"]

_LAYOUTS = ((0, 3, 1, 2), (0, 2, 3, 1))


@dataclass(frozen=True)
class Link:
    """One tensor of the reference and the candidate's counterpart.

    Attributes:
        reference, candidate: names.
        permutation: axes order that turns the reference's layout into the candidate's; None when they agree.
    """

    reference: str
    candidate: str
    permutation: tuple[int, ...] | None = None

    def to_candidate(self, array: np.ndarray) -> np.ndarray:
        """The reference's array in the candidate's layout."""
        return array if self.permutation is None else array.transpose(self.permutation)

    def to_reference(self, array: np.ndarray) -> np.ndarray:
        """The candidate's array in the reference's layout."""
        return array if self.permutation is None else array.transpose(np.argsort(self.permutation))


def pair(reference: Sequence[TensorSpec], candidate: Sequence[TensorSpec], what: str) -> list[Link]:
    """Pair tensors by name where names agree, else by order.

    Args:
        reference, candidate: the tensors of both sides, concrete shapes where known.
        what: ``input`` or ``output``, for messages.

    Raises:
        UsageError: the numbers of tensors differ, or shapes that no layout reconciles.
    """
    if len(reference) != len(candidate):
        raise UsageError(
            f"the reference has {len(reference)} {what}s, the candidate {len(candidate)}: they cannot be paired"
        )
    by_name = {_key(spec.name): spec for spec in candidate}
    use_names = len(by_name) == len(candidate) and all(_key(spec.name) in by_name for spec in reference)
    links = []
    for position, spec in enumerate(reference):
        other = by_name[_key(spec.name)] if use_names else candidate[position]
        links.append(Link(spec.name, other.name, _permutation(spec, other, what)))
    return links


def _key(name: str) -> str:
    """Names as different formats allow them: letters and digits, without TensorFlow's ':0'."""
    return "".join(c for c in name.removesuffix(":0").lower() if c.isalnum())


def _permutation(spec: TensorSpec, other: TensorSpec, what: str) -> tuple[int, ...] | None:
    if _fits(spec.shape, other.shape) or not spec.shape or not other.shape:
        return None
    if len(spec.shape) == len(other.shape) == 4:
        for permutation in _LAYOUTS:
            if _fits(tuple(spec.shape[axis] for axis in permutation), other.shape):
                return permutation
    if what == "output":  # a wrong output shape is a finding, not a misuse
        return None
    raise UsageError(
        f"{what} '{spec.name}' has shape {list(spec.shape)} in the reference and {list(other.shape)} in the candidate"
    )


def _fits(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> bool:
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))

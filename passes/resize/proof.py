"""Proofs about one resize node: does another spelling compute the same, and if not, how far off is it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rewriter.resampling import Comparison, OnnxResize, TensorResize, compare

if TYPE_CHECKING:
    from rewriter.model import ResizeNode

__all__ = ["Proof", "by_definition", "compare_cached", "prove"]

compare_cached = lru_cache(maxsize=512)(compare)
"""`compare`, remembering the last few hundred pairs: networks resize the same sizes again and again."""


@dataclass(frozen=True)
class Proof:
    """Whether two spellings of a node compute the same.

    Attributes:
        equal: proved equal. False also where nothing is known because the shapes are not.
        certificate: the proof as plain data; None where not proved.
        max_shift_px: of the new grid against the old, in input pixels; None at unknown shapes.
        max_weight_difference: None at unknown shapes.
    """

    equal: bool
    certificate: Mapping[str, Any] | None = None
    max_shift_px: float | None = None
    max_weight_difference: float | None = None

    @classmethod
    def of(cls, comparison: Comparison) -> Proof:
        certificate = comparison.certificate() if comparison.equal else None
        return cls(comparison.equal, certificate, comparison.shift.max, comparison.max_weight_difference)


UNKNOWN = Proof(False)


def by_definition(kind: str, reason: str, **facts: Any) -> dict[str, Any]:
    """Certificate of an equality that holds at every size because the operators' definitions are the same.

    Args:
        kind: which rule it is, e.g. ``default``.
        reason: the rule as a sentence.
        facts: what it was applied to, as plain data: enough for somebody else to check it.
    """
    return {"equal": True, "arithmetic": "by definition", "kind": kind, "reason": reason, **facts}


def prove(resize: ResizeNode, attributes: Mapping[str, Any]) -> Proof:
    """Compare the node with itself after setting `attributes`, at the shapes of the model.

    Raises:
        UnsupportedError: the node is not a valid resize.
    """
    spelling = spelled_out(resize)
    if spelling is None:
        return UNKNOWN
    old = resize.semantics_of(spelling)
    new = resize.semantics_of(replace(spelling, **attributes))
    return UNKNOWN if old is None or new is None else Proof.of(compare_cached(old, new))


def spelled_out(resize: ResizeNode) -> OnnxResize | None:
    """The spelling; sizes that are computed in the graph count as the shape that they are known to give."""
    spelling = resize.spelling()
    if spelling is not None or resize.is_parametric or not resize.given_by("sizes") or resize.lengths is None:
        return spelling
    if resize.coordinate_transformation_mode == "tf_crop_and_resize":
        return None
    axes = resize.node.attrs.get("axes")
    rank = len(resize.lengths)
    lengths = [m for _, m in resize.lengths]
    named = range(rank) if axes is None else [axis % rank for axis in axes]
    return OnnxResize.from_attributes(
        resize.op, resize.opset, resize.node.attrs, sizes=[lengths[axis] for axis in named]
    )


def same(old: TensorResize, new: TensorResize) -> dict[str, Any] | None:
    """Certificate that two maps are equal, None where they are not."""
    comparison = compare_cached(old, new)
    return comparison.certificate() if comparison.equal else None

"""Resizes that are recorded as half_pixel stay so, unless the user insists on something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_graphsurgeon import Node

    from passes.base import PassResult
    from rewriter.intent import Intent, Intents
    from rewriter.model import Model

__all__ = ["Recorded"]

_GRID = "coordinate_transformation_mode"


@dataclass(frozen=True)
class Recorded:
    """The resizes whose intent is what was recorded, half_pixel, and that do not sample with align_corners yet."""

    resizes: tuple[tuple[str, Node, Intent], ...]

    @classmethod
    def of(cls, model: Model, intents: Intents) -> Recorded:
        """Decide the intent of every resize, and keep those.

        Raises:
            UsageError: a rule forces align_corners on one of them without ``--intent``.
        """
        found = []
        for resize in model.resizes():
            wish = intents.resolve(resize)
            is_recorded = wish.source == "provenance" and wish.name == "half_pixel"
            if is_recorded and resize.coordinate_transformation_mode != "align_corners":
                found.append((resize.name, resize.node, wish))
        return cls(tuple(found))

    def require_kept(self, pass_name: str, result: PassResult) -> None:
        """Refuse where a pass has set one of them to align_corners without proving that this computes the same.

        Raises:
            UsageError: with the reason, and what to do if it is meant.
        """
        from rewriter.intent import refusal

        forced = [entry for entry in self.resizes if entry[1].attrs.get(_GRID) == "align_corners"]
        if not forced:
            return
        proved = {
            change.node
            for change in result.changes
            if change.attribute == _GRID and change.certificate is not None
        }
        for name, _, wish in forced:
            if name not in proved:
                raise refusal(name, wish, f"pass {pass_name}")

"""Give every resize the semantics that its author meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from passes.base import Effect, Log, Pass, PassContext, PassResult
from passes.resize.parameters import resolved_resizes
from passes.resize.proof import UNKNOWN, Proof, prove
from passes.shapes.current import CurrentShapes
from rewriter.errors import UnsupportedError

if TYPE_CHECKING:
    from rewriter.intent import Intent
    from rewriter.model import Model, ResizeNode

__all__ = ["NormalizeResize"]

_DEFAULTS = {
    "mode": "nearest",
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
}


@dataclass(frozen=True)
class NormalizeResize(Pass):
    """Set the attributes of each Resize to what its intent says.

    Where the new attributes compute the same, at the shapes of the model, the change is a respelling with its
    certificate; otherwise a correction with its size. Nodes that still are Upsample or Resize-10 have no
    coordinate mode to set, and are left to `upgrade-resize`.
    """

    name: ClassVar[str] = "normalize-resize"
    summary: ClassVar[str] = "set each Resize to its intent: rule, then provenance, then align_corners"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        shapes: CurrentShapes | None = None
        for resize in resolved_resizes(model, log):
            intent = context.intents.resolve(resize)
            wanted = _wanted(resize, intent)
            if wanted:
                shapes = shapes or CurrentShapes(model, declared=True)
                _normalize(resize, intent, wanted, shapes, log)
        return log.result()


def _wanted(resize: ResizeNode, intent: Intent) -> dict[str, Any]:
    """The attributes that have to change."""
    return {name: value for name, value in intent.attributes.items() if value != _current(resize, name)}


def _normalize(
    resize: ResizeNode, intent: Intent, wanted: dict[str, Any], shapes: CurrentShapes, log: Log
) -> None:
    if resize.is_legacy or resize.is_parametric:
        reason = (
            "has no coordinate mode" if resize.is_legacy else "takes its mode from the function around it"
        )
        log.note(resize.graph_path, resize.name, f"{resize.op} {reason}, so {intent.name} cannot be set")
        return
    try:
        # Nothing is proved at lengths that may be others when the model runs.
        proof = UNKNOWN if shapes.is_doubtful(resize.node.inputs[0]) else prove(resize, wanted)
    except UnsupportedError as error:
        log.note(resize.graph_path, resize.name, str(error))
        return
    for name, value in wanted.items():
        old = resize.node.attrs.get(name)
        effect, details = _effect(proof)
        log.change(resize.graph_path, resize.name, name, old, value, intent.why, effect, **details)
        resize.node.attrs[name] = value


def _current(resize: ResizeNode, name: str) -> Any:
    if name == "mode":
        return resize.mode
    if resize.is_legacy and name == "coordinate_transformation_mode":
        return "asymmetric"
    if resize.is_legacy and name == "nearest_mode":
        return resize.nearest_mode
    return resize.node.attrs.get(name, _DEFAULTS[name])


def _effect(proof: Proof) -> tuple[Effect, dict[str, Any]]:
    if proof.equal:
        return "respelling", {"certificate": proof.certificate}
    return "correction", {
        "max_shift_px": proof.max_shift_px,
        "max_weight_difference": proof.max_weight_difference,
    }

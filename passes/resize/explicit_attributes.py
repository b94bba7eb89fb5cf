"""Write every attribute of a Resize out, in today's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from passes.base import Log, Pass, PassContext, PassResult
from passes.resize.parameters import resolved_resizes
from passes.resize.proof import by_definition

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["ExplicitAttributes"]

_SINCE_11: dict[str, Any] = {
    "mode": "nearest",
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "extrapolation_value": 0.0,
}
_SINCE_18: dict[str, Any] = {"antialias": 0, "keep_aspect_ratio_policy": "stretch"}


@dataclass(frozen=True)
class ExplicitAttributes(Pass):
    """Write out the default of each absent attribute, non-negative axes, and no `tf_half_pixel_for_nn`.

    Parameters of a function that all its calls give one value are written out too.
    `tf_half_pixel_for_nn` left the standard with opset 13; with `floor` it takes pixel floor((i + ½) n/m), which is
    what `half_pixel` with `round_prefer_ceil` takes, for all lengths.
    """

    name: ClassVar[str] = "explicit-attributes"
    summary: ClassVar[str] = "all attributes written out, in words that the standard still has"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        for resize in resolved_resizes(model, log):
            if resize.is_legacy:
                continue
            _modernise(resize, log)
            _axes(resize, log)
            _defaults(resize, log)
        return log.result()


def _modernise(resize: ResizeNode, log: Log) -> None:
    attributes = resize.node.attrs
    if attributes.get("mode") == "bilinear":
        proof = by_definition("alias", "the linear kernel on two axes", name="bilinear", stands_for="linear")
        _write(resize, "mode", "linear", "bilinear was a name for linear", proof, log)
    if attributes.get("coordinate_transformation_mode") != "tf_half_pixel_for_nn":
        return
    words = (attributes.get("mode", "nearest"), attributes.get("nearest_mode", "round_prefer_floor"))
    if any(not isinstance(word, str) for word in words):
        parameters = (
            "tf_half_pixel_for_nn stays: its mode or rounding is a parameter of the function around it"
        )
        log.note(resize.graph_path, resize.name, parameters)
        return
    if words != ("nearest", "floor"):
        said = " ".join(words) if words[0] == "nearest" else words[0]
        log.note(resize.graph_path, resize.name, f"tf_half_pixel_for_nn with {said} has no other spelling")
        return
    why = "tf_half_pixel_for_nn is no longer part of the standard; this is the same grid"
    proof = by_definition(
        "same matrix",
        "floor((i + 1/2) n/m) = ceil((i + 1/2) n/m - 1/2 - 1/2) for all whole i, n, m",
        first={"mode": "nearest", "coordinates": "tf_half_pixel_for_nn", "rounding": "floor"},
        second={"mode": "nearest", "coordinates": "half_pixel", "rounding": "round_prefer_ceil"},
    )
    _write(resize, "coordinate_transformation_mode", "half_pixel", why, proof, log)
    _write(resize, "nearest_mode", "round_prefer_ceil", why, proof, log)


def _write(resize: ResizeNode, name: str, value: Any, why: str, proof: dict[str, Any], log: Log) -> None:
    """Set an attribute to another word for the same."""
    old = resize.node.attrs.get(name)
    log.change(resize.graph_path, resize.name, name, old, value, why, "respelling", certificate=proof)
    resize.node.attrs[name] = value


def _axes(resize: ResizeNode, log: Log) -> None:
    axes = resize.node.attrs.get("axes")
    if not isinstance(axes, list) or all(axis >= 0 for axis in axes):
        return
    if resize.input_shape is None:
        log.note(resize.graph_path, resize.name, "keeps negative axes: the rank of its input is not known")
        return
    rank = len(resize.input_shape)
    if any(not -rank <= axis < rank for axis in axes):
        log.note(resize.graph_path, resize.name, f"axes {axes} do not fit a tensor of rank {rank}")
        return
    new = [axis % rank for axis in axes]
    why = "onnxruntime ignores keep_aspect_ratio_policy on negative axes, and onnx.reference rejects them"
    reason = f"axis -k of rank {rank} is axis {rank}-k"
    _write(resize, "axes", new, why, by_definition("axes", reason, rank=rank, before=axes, after=new), log)


def _defaults(resize: ResizeNode, log: Log) -> None:
    reason = f"the default of Resize in opset {resize.opset}"
    for name, value in (_SINCE_11 | (_SINCE_18 if resize.opset >= 18 else {})).items():
        if name not in resize.node.attrs:
            proof = by_definition("default", reason, opset=resize.opset, attribute=name, value=value)
            _write(resize, name, value, "the default, written out", proof, log)

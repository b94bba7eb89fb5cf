"""The cubic kernel of TensorFlow's old bicubic resize, which tf2onnx writes with another coefficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from passes.base import Log, Pass, PassContext, PassResult
from passes.resize.proof import prove
from rewriter.resampling.tensorflow import onnx_attributes

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["RepairBicubic"]

_AS_WRITTEN = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
_ROUNDINGS = {"asymmetric": "floor", "align_corners": "round_prefer_ceil"}
"""What tf2onnx writes as `nearest_mode`, without meaning for cubic, for ResizeBicubic's old flags. A cubic Resize
that it wrote for half_pixel_centers says `floor`, so one that another tool set to align_corners is told apart."""


@dataclass(frozen=True)
class RepairBicubic(Pass):
    """Set a = -0.75 and exclude_outside = 0 on a cubic Resize that tf2onnx wrote for an old ResizeBicubic.

    TensorFlow's ResizeBicubic has a = -0.5 and drops what lies outside only with half_pixel_centers; with its other
    flags it has a = -0.75 and repeats the edge. tf2onnx writes the former for all of them.
    """

    name: ClassVar[str] = "repair-bicubic"
    summary: ClassVar[str] = "cubic Resize of tf2onnx for TensorFlow's old flags: a = -0.75, edges repeated"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        if model.original.producer_name != "tf2onnx":
            return log.result()
        for resize in model.resizes():
            if _is_misspelled(resize) and model.provenance(resize.node) is None:
                _repair(resize, log)
        return log.result()


def _is_misspelled(resize: ResizeNode) -> bool:
    attributes = resize.node.attrs
    mode = attributes.get("coordinate_transformation_mode")
    return (
        resize.op == "Resize"
        and not resize.is_parametric
        and mode in _ROUNDINGS
        and attributes.get("nearest_mode") == _ROUNDINGS[mode]
        and all(attributes.get(name) == value for name, value in _AS_WRITTEN.items())
    )


def _repair(resize: ResizeNode, log: Log) -> None:
    attributes = resize.node.attrs
    corners = attributes["coordinate_transformation_mode"] == "align_corners"
    right = onnx_attributes("ResizeBicubic", corners, False)
    wanted: dict[str, Any] = {name: right[name] for name in ("cubic_coeff_a", "exclude_outside")}
    proof = prove(resize, wanted)
    for name, value in wanted.items():
        log.change(
            resize.graph_path,
            resize.name,
            name,
            attributes[name],
            value,
            "tf2onnx writes the kernel of half_pixel_centers for every ResizeBicubic",
            "correction",
            max_shift_px=proof.max_shift_px,
            max_weight_difference=proof.max_weight_difference,
        )
        attributes[name] = value

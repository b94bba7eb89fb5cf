"""Ties of TensorFlow's nearest CropAndResize, which tf2onnx lets fall to the wrong side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from passes.base import Log, Pass, PassContext, PassResult

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["RepairCropAndResize"]


@dataclass(frozen=True)
class RepairCropAndResize(Pass):
    """Set `nearest_mode` to round_prefer_ceil on a nearest crop that tf2onnx wrote.

    TensorFlow's CropAndResize rounds halves up; tf2onnx leaves `nearest_mode` out, whose default rounds them down.
    It writes `tf_crop_and_resize` for nothing else. Another defect cannot be repaired in the file: onnxruntime copies
    an axis whose crop is as long as the image, whatever the box says; a note says so. Convert again for that.
    """

    name: ClassVar[str] = "repair-crop-and-resize"
    summary: ClassVar[str] = "nearest CropAndResize of tf2onnx rounds halves up, as TensorFlow does"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        if model.original.producer_name != "tf2onnx":
            return log.result()
        for resize in model.resizes():
            if _is_misspelled(resize):
                _repair(resize, log)
        return log.result()


def _is_misspelled(resize: ResizeNode) -> bool:
    attributes = resize.node.attrs
    return (
        resize.op == "Resize"
        and not resize.is_parametric
        and resize.mode == "nearest"
        and attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
        and attributes.get("nearest_mode", "round_prefer_floor") == "round_prefer_floor"
    )


def _repair(resize: ResizeNode, log: Log) -> None:
    attributes = resize.node.attrs
    log.change(
        resize.graph_path,
        resize.name,
        "nearest_mode",
        attributes.get("nearest_mode"),
        "round_prefer_ceil",
        "TensorFlow's CropAndResize rounds halves up",
        "correction",
        # One pixel at most, and only where a sample lies halfway: the boxes are known when the model runs.
        max_shift_px=1.0,
        max_weight_difference=1.0,
    )
    attributes["nearest_mode"] = "round_prefer_ceil"
    log.note(
        resize.graph_path,
        resize.name,
        "onnxruntime copies an axis whose crop is as long as the image, whatever the box says; "
        "convert the network again with `rewriter convert` to be safe from that",
    )

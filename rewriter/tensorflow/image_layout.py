"""One layout for what lies between convolutions.

TensorFlow's images are NHWC, ONNX's convolutions and resizes want NCHW. tf2onnx puts a Transpose before and behind
each of them, and its own optimiser gives up at operators that it does not know: MobileNetV3Small keeps 108 of them,
and all but two undo each other.
"""

from __future__ import annotations

import onnx

__all__ = ["in_one_layout"]


def in_one_layout(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with element-wise operators, reductions, Pad, Slice and Concat in the layout of their neighbours.

    Resizes stay in NCHW. Numbers stay the same but for the order in which reductions add.
    """
    import passes
    from passes.layout.sink import SinkTransposes
    from rewriter.model import Model

    opened = Model.from_proto(model)
    result = passes.run(opened, [SinkTransposes(resizes=False, sums=True)])
    return opened.to_proto() if result.changes else model

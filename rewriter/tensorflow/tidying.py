"""What tf2onnx leaves in a graph that nobody expects: Transposes without a use, recurrent layers as loops."""

from __future__ import annotations

import onnx

__all__ = ["tidy"]


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with recurrent layers as operators, and one layout between convolutions.

    TensorFlow's images are NHWC, ONNX's convolutions and resizes want NCHW. tf2onnx puts a Transpose before and
    behind each of them, and its own optimiser gives up at operators that it does not know: MobileNetV3Small keeps
    108 of them, and all but two undo each other. Element-wise operators, reductions, Pad, Slice and Concat join the
    layout of their neighbours; resizes stay in NCHW. Numbers stay the same but for the order in which reductions add.
    """
    import passes
    from passes.layout.sink import SinkTransposes
    from passes.repair.recurrent import RecoverRecurrent
    from rewriter.model import Model

    opened = Model.from_proto(model)
    result = passes.run(opened, [RecoverRecurrent(), SinkTransposes(resizes=False, sums=True)])
    return opened.to_proto() if result.changes else model

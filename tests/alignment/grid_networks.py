"""Networks of one channel whose receptive fields can be measured, and the measurement."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH = 3
"""Width of the images: lengths are studied along the height only."""


@dataclass
class Builder:
    """Adds layers that act on the height of an NCHW image with one channel; all kernels weigh symmetrically."""

    length: int
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)

    def name(self) -> str:
        return f"t{len(self.nodes)}"

    def constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        output = self.name()
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op.lower()}_{output}", **attributes))
        return output

    def conv(self, x: str, kernel: int, stride: int, dilation: int, **padding: object) -> str:
        weights = self.constant(np.full((1, 1, kernel, 1), 1 / kernel, np.float32))
        return self.node("Conv", [x, weights], strides=[stride, 1], dilations=[dilation, 1], **padding)

    def transposed(self, x: str, stride: int, **padding: object) -> str:
        """Bilinear upsampling by a whole factor: rows sum to 1, and centroids are evenly spaced."""
        size = 2 * stride - stride % 2
        taps = 1 - np.abs(np.arange(size) - (size - 1) / 2) / stride
        weights = self.constant(taps.reshape(1, 1, size, 1).astype(np.float32))
        return self.node("ConvTranspose", [x, weights], strides=[stride, 1], **padding)

    def resize(
        self, x: str, length: int, coordinates: str, mode: str = "linear", **attributes: object
    ) -> str:
        sizes = self.constant(np.array([1, 1, length, WIDTH], np.int64))
        return self.node(
            "Resize", [x, "", "", sizes], mode=mode, coordinate_transformation_mode=coordinates, **attributes
        )

    def model(self, *outputs: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, self.length, WIDTH])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return (
        [session.run(None, {"x": image[None]})[0] for image in x]
        if x.ndim == 4
        else session.run(None, {"x": x})
    )


def jacobian(model: onnx.ModelProto, length: int) -> np.ndarray:
    """Response of every output row (first output, middle column) to an impulse in every input row: [m, n]."""
    impulses = np.zeros((length, 1, length, WIDTH), np.float32)
    for j in range(length):
        impulses[j, 0, j] = 1.0
    columns = [np.asarray(answer)[0, 0, :, 1] for answer in run(model, impulses)]
    return np.stack(columns, axis=1)


def measured_centres(model: onnx.ModelProto, length: int, margin: int = 0) -> dict[int, float]:
    """Centroid of the receptive field of each output row that stays `margin` rows away from the image's border.

    Borders of intermediate images (padding, clamped coordinates) reach further in than those of the input.
    """
    centres = {}
    for row, weights in enumerate(jacobian(model, length)):
        seen = np.flatnonzero(np.abs(weights) > 1e-7)
        if seen.size and seen[0] > margin and seen[-1] < length - 1 - margin:
            centres[row] = float(weights @ np.arange(length) / weights.sum())
    return centres

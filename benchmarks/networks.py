"""Real architectures as ONNX, with random weights: what is measured does not depend on their values."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

__all__ = ["mobilenet_v2", "unet"]

# Expansion, output channels, repetitions, stride of each stage: table 2 of Sandler et al. 2018, arXiv:1801.04381.
_MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(size: int) -> ModelProto:
    """MobileNetV2 of width 1 with 1,000 classes, batch normalisation folded; input float32 [1, 3, size, size]."""
    net = _Network()
    value, channels = net.conv_relu6("image", 3, 32, kernel=3, stride=2), 32
    for expansion, width, repetitions, stride in _MOBILENET_STAGES:
        for index in range(repetitions):
            value = net.inverted_residual(value, channels, width, expansion, stride if index == 0 else 1)
            channels = width
    value = net.conv_relu6(value, channels, 1280)
    value = net.append("GlobalAveragePool", [value])
    value = net.append("Flatten", [value], axis=1)
    weight = net.weight("classes/weight", (1280, 1000), 1280)
    value = net.append("Gemm", [value, weight, net.zeros("classes/bias", 1000)])
    value = net.append("Softmax", [value], axis=1)
    return net.model([1, 3, size, size], value, [1, 1000])


def unet(size: int) -> ModelProto:
    """A U-Net of about 150 nodes: five times down and five times up by a linear Resize with align_corners."""
    net = _Network()
    value, channels, skips = "image", 3, []
    for width in (8, 16, 24, 32, 40):
        value = net.conv_block(value, channels, width, layers=4)
        channels = width
        skips.append((value, width))
        value = net.append("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])
    value = net.conv_block(value, channels, 48, layers=12)
    channels = 48
    for skip, width in reversed(skips):
        value = net.resize(value)
        value = net.append("Concat", [value, skip], axis=1)
        value = net.conv_block(value, channels + width, width, layers=8)
        channels = width
    value = net.append("Sigmoid", [net.conv(value, channels, 3)])
    return net.model([1, 3, size, size], value, [1, 3, size, size])


class _Network:
    """A graph under construction; methods append nodes and return the name of their output."""

    def __init__(self) -> None:
        self._graph = GraphProto(name="network")
        self._rng = np.random.default_rng(11)

    def append(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = f"{op.lower()}_{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(op, inputs, [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    def weight(self, name: str, shape: tuple[int, ...], fan_in: int) -> str:
        """Normal with variance 2 / fan-in, which keeps activations of a ReLU network in range (He et al. 2015)."""
        values = self._rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        return self._initializer(name, values.astype(np.float32))

    def zeros(self, name: str, length: int) -> str:
        return self._initializer(name, np.zeros(length, np.float32))

    def conv(
        self, value: str, channels: int, width: int, kernel: int = 1, stride: int = 1, group: int = 1
    ) -> str:
        scope = f"conv_{len(self._graph.node)}"
        per_group = channels // group
        shape = (width, per_group, kernel, kernel)
        return self.append(
            "Conv",
            [
                value,
                self.weight(f"{scope}/weight", shape, per_group * kernel**2),
                self.zeros(f"{scope}/bias", width),
            ],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=group,
        )

    def conv_relu6(self, value: str, channels: int, width: int, **options: int) -> str:
        limits = [self._constant("zero", 0.0), self._constant("six", 6.0)]
        return self.append("Clip", [self.conv(value, channels, width, **options), *limits])

    def conv_block(self, value: str, channels: int, width: int, layers: int) -> str:
        for _ in range(layers):
            value = self.append("Relu", [self.conv(value, channels, width, kernel=3)])
            channels = width
        return value

    def inverted_residual(self, value: str, channels: int, width: int, expansion: int, stride: int) -> str:
        hidden = channels * expansion
        inner = value if expansion == 1 else self.conv_relu6(value, channels, hidden)
        inner = self.conv_relu6(inner, hidden, hidden, kernel=3, stride=stride, group=hidden)
        inner = self.conv(inner, hidden, width)
        return self.append("Add", [value, inner]) if stride == 1 and channels == width else inner

    def resize(self, value: str) -> str:
        scales = f"resize_{len(self._graph.node)}/scales"
        self._initializer(scales, np.array([1, 1, 2, 2], np.float32))
        return self.append(
            "Resize",
            [value, "", scales],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )

    def model(self, image: list[int], output: str, shape: list[int]) -> ModelProto:
        graph = self._graph
        graph.input.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, image))
        graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="benchmarks", ir_version=8
        )

    def _constant(self, name: str, value: float) -> str:
        if all(tensor.name != name for tensor in self._graph.initializer):
            self._initializer(name, np.array(value, np.float32))
        return name

    def _initializer(self, name: str, values: np.ndarray) -> str:
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

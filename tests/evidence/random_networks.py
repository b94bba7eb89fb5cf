"""Random networks full of resizes: chains, U-Nets, pyramids, several outputs. Made by hand, seeded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["COORDINATES", "KINDS", "Network", "build", "coordinates", "golden_image", "resizes", "scrambled"]

COORDINATES = ("align_corners", "half_pixel", "asymmetric")
KINDS = ("chain", "unet", "pyramid", "outputs", "mixed")


@dataclass
class Network:
    """A model under construction; `x` is its only input.

    Attributes:
        kernels: what resizes may be: ``linear``, ``nearest``, ``cubic``; one is drawn for each.
    """

    rng: np.random.Generator
    kernels: tuple[str, ...] = ("linear", "linear", "linear", "nearest", "cubic")
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    shapes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    count: int = 0
    resized: int = 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def constant(self, values: np.ndarray, stem: str) -> str:
        name = self.name(stem)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def op(
        self, op: str, inputs: list[str], shape: tuple[int, int, int], name: str = "", **attributes: Any
    ) -> str:
        out = self.name(op.lower())
        self.nodes.append(helper.make_node(op, inputs, [out], name=name or f"node_{out}", **attributes))
        self.shapes[out] = shape
        return out

    def conv(self, x: str, channels: int, stride: int = 1, *, kernel: int = 3, active: bool = True) -> str:
        c, h, w = self.shapes[x]
        weights = self.rng.normal(0, np.sqrt(2 / (c * kernel * kernel)), (channels, c, kernel, kernel))
        bias = self.rng.normal(0, 0.1, channels)
        pad = kernel // 2
        shape = (channels, (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1)
        inputs = [
            x,
            self.constant(weights.astype(np.float32), "w"),
            self.constant(bias.astype(np.float32), "b"),
        ]
        y = self.op("Conv", inputs, shape, pads=[pad] * 4, strides=[stride, stride])
        return self.op("Relu", [y], shape) if active else y

    def resize(self, x: str, height: int, width: int) -> str:
        c = self.shapes[x][0]
        kernel = str(self.rng.choice(self.kernels))
        words: dict[str, Any] = {
            "mode": kernel,
            "coordinate_transformation_mode": str(self.rng.choice(COORDINATES)),
        }
        if kernel == "nearest":
            words["nearest_mode"] = str(self.rng.choice(["floor", "round_prefer_floor", "round_prefer_ceil"]))
        if kernel == "cubic" and self.rng.random() < 0.5:
            words["cubic_coeff_a"], words["exclude_outside"] = -0.5, 1
        sizes = self.constant(np.array([1, c, height, width], np.int64), "sizes")
        self.resized += 1
        return self.op("Resize", [x, "", "", sizes], (c, height, width), f"resize_{self.resized}", **words)

    def add(self, a: str, b: str) -> str:
        return self.op("Add", [a, b], self.shapes[a])

    def concat(self, parts: list[str]) -> str:
        _, h, w = self.shapes[parts[0]]
        return self.op("Concat", parts, (sum(self.shapes[p][0] for p in parts), h, w), axis=1)

    def length(self, low: float, high: float, base: int) -> int:
        return max(3, round(base * self.rng.uniform(low, high)))

    def scaled(self, x: str, low: float = 1.2, high: float = 2.1) -> str:
        _, h, w = self.shapes[x]
        if self.rng.random() < 0.3:
            return self.resize(x, 2 * h, 2 * w)
        return self.resize(x, self.length(low, high, h), self.length(low, high, w))

    def model(self, outputs: list[str], height: int, width: int) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, height, width])],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, [1, *self.shapes[o]]) for o in outputs],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 10
        onnx.checker.check_model(model)
        return model


def build(kind: str, resizes: int, seed: int) -> onnx.ModelProto:
    """A network with exactly this many resizes, with the modes that it was "trained" with."""
    n = Network(np.random.default_rng([seed, KINDS.index(kind), resizes]))
    height, width = int(n.rng.integers(20, 36)), int(n.rng.integers(20, 36))
    n.shapes["x"] = (3, height, width)
    outputs = {"chain": _chain, "unet": _unet, "pyramid": _pyramid, "outputs": _outputs, "mixed": _mixed}[
        kind
    ](n, resizes)
    assert n.resized == resizes
    return n.model(outputs, height, width)


def _bounded(n: Network, x: str) -> str:
    """Up while it is small, down when it got large."""
    _, h, w = n.shapes[x]
    return n.scaled(x, 0.45, 0.8) if max(h, w) > 56 else n.scaled(x)


def _chain(n: Network, resizes: int) -> list[str]:
    x = n.conv("x", 8)
    for _ in range(resizes):
        x = n.conv(_bounded(n, x), 8)
    return [n.conv(x, 4, kernel=1, active=False)]


def _unet(n: Network, resizes: int) -> list[str]:
    x = n.conv("x", 8)
    while n.resized < resizes:
        depth = min(int(n.rng.integers(2, 4)), resizes - n.resized)
        skips = []
        for _ in range(depth):
            skips.append(x)
            x = n.conv(x, 8, stride=2)
        for skip in reversed(skips):
            _, h, w = n.shapes[skip]
            x = n.conv(n.concat([n.resize(x, h, w), skip]), 8)
    return [n.conv(x, 4, kernel=1, active=False)]


def _pyramid(n: Network, resizes: int) -> list[str]:
    x = n.conv(n.conv("x", 8), 8)
    while n.resized < resizes:
        _, h, w = n.shapes[x]
        parts = [x]
        for _ in range(min(int(n.rng.integers(2, 5)), resizes - n.resized)):
            low_h, low_w = n.length(0.1, 0.6, h), n.length(0.1, 0.6, w)
            pooled = n.op("AveragePool", [x], _pooled(n, x, low_h, low_w), **_pool(h, w, low_h, low_w))
            parts.append(n.resize(n.conv(pooled, 4, kernel=1), h, w))
        x = n.conv(n.concat(parts), 8)
        if n.resized < resizes:
            x = n.conv(_bounded(n, x), 8)
    return [n.conv(x, 4, kernel=1, active=False)]


def _pool(h: int, w: int, low_h: int, low_w: int) -> dict[str, Any]:
    strides = [max(1, h // low_h), max(1, w // low_w)]
    return {"kernel_shape": strides, "strides": strides}


def _pooled(n: Network, x: str, low_h: int, low_w: int) -> tuple[int, int, int]:
    c, h, w = n.shapes[x]
    sh, sw = max(1, h // low_h), max(1, w // low_w)
    return c, (h - sh) // sh + 1, (w - sw) // sw + 1


def _outputs(n: Network, resizes: int) -> list[str]:
    x, outputs = n.conv("x", 8), []
    for index in range(resizes):
        x = n.conv(_bounded(n, x), 8)
        if index % 3 == 2 or index == resizes - 1:
            outputs.append(n.conv(x, 2, kernel=1, active=False))
    return outputs


def _mixed(n: Network, resizes: int) -> list[str]:
    first = resizes // 3
    _unet(n, first) if first else None
    x = n.nodes[-1].output[0] if first else "x"
    x = n.conv(x, 8)
    for _ in range((resizes - first) // 2):
        x = n.conv(_bounded(n, x), 8)
    outputs = [n.op("Softmax", [n.conv(x, 5, kernel=1, active=False)], (5, *n.shapes[x][1:]), axis=1)]
    while n.resized < resizes:
        _, h, w = n.shapes[x]
        low = n.conv(x, 6, stride=2)
        x = n.add(n.conv(n.resize(low, h, w), 8), x)
    last = n.conv(x, 3, kernel=1, active=False)
    return [*outputs, n.op("Sigmoid", [last], n.shapes[last])]


def resizes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Resize"]


def coordinates(node: onnx.NodeProto) -> onnx.AttributeProto:
    return next(a for a in node.attribute if a.name == "coordinate_transformation_mode")


def scrambled(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy whose resizes have one of the three coordinate modes each, at random."""
    rng = np.random.default_rng([seed, 99])
    wrong = onnx.ModelProto()
    wrong.CopyFrom(model)
    for node in resizes(wrong):
        coordinates(node).s = str(rng.choice(COORDINATES)).encode()
    return wrong


def golden_image(model: onnx.ModelProto, seed: int) -> np.ndarray:
    """One picture for the model's input: smooth shapes, an edge, a little grain."""
    rng = np.random.default_rng([seed, 7])
    _, c, h, w = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    waves = [np.sin(rng.uniform(2, 12) * x + rng.uniform(2, 12) * y + rng.uniform(0, 6)) for _ in range(c)]
    edge = (x * rng.uniform(0.5, 1.5) + y > rng.uniform(0.6, 1.2)).astype(float)
    image = np.stack([0.5 + 0.25 * wave + 0.2 * edge for wave in waves]) + rng.normal(0, 0.03, (c, h, w))
    return np.clip(image, 0, 1)[None].astype(np.float32)

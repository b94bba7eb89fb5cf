"""Small ONNX networks with resizes, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RNG_SEED = 5


def resize(
    source: str, target: str, sizes: Sequence[int], name: str = "", **attributes: Any
) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """A Resize to constant sizes, and its initializer."""
    values = numpy_helper.from_array(np.array(sizes, np.int64), f"{target}_sizes")
    words = {"mode": "linear", "coordinate_transformation_mode": "align_corners", **attributes}
    return helper.make_node("Resize", [source, "", "", values.name], [target], name=name, **words), values


def convolution(
    source: str, target: str, channels: tuple[int, int], seed: int
) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """A 3×3 convolution of random weights that keeps the size."""
    rng = np.random.default_rng([RNG_SEED, seed])
    weights = rng.normal(0, 1 / (3 * np.sqrt(channels[0])), (channels[1], channels[0], 3, 3)).astype(
        np.float32
    )
    initializer = numpy_helper.from_array(weights, f"{target}_weights")
    node = helper.make_node("Conv", [source, initializer.name], [target], pads=[1, 1, 1, 1])
    return node, initializer


def network(
    parts: Sequence[tuple[onnx.NodeProto, onnx.TensorProto | None]],
    *,
    input_shape: Sequence[int | str] = (1, 3, 16, 16),
    output: str,
    opset: int = 18,
    **fields: Any,
) -> onnx.ModelProto:
    """A model from nodes with their initializers; input `x`, one output."""
    graph = helper.make_graph(
        [node for node, _ in parts],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "c", "height", "width"])],
        [initializer for _, initializer in parts if initializer is not None],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **fields)
    model.ir_version = 10
    return model


def three_resizes(modes: Sequence[str] = ("align_corners",) * 3, **fields: Any) -> onnx.ModelProto:
    """16×16 → 23×29 → 40×40 → 64×50, a convolution and a Relu after each of the first two."""
    return network(
        [
            convolution("x", "a", (3, 6), 0),
            resize("a", "b", (1, 6, 23, 29), "up1", coordinate_transformation_mode=modes[0]),
            convolution("b", "c", (6, 6), 1),
            (helper.make_node("Relu", ["c"], ["d"]), None),
            resize("d", "e", (1, 6, 40, 40), "up2", coordinate_transformation_mode=modes[1]),
            convolution("e", "f", (6, 4), 2),
            (helper.make_node("Relu", ["f"], ["g"]), None),
            resize("g", "y", (1, 4, 64, 50), "up3", coordinate_transformation_mode=modes[2]),
        ],
        output="y",
        **fields,
    )

"""Small networks, and how their ONNX models are run, for the conversion tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime

from rewriter.tensorflow.environment import import_tensorflow
from rewriter.tensorflow.layers import AlignCornersUpsampling2D

tf = import_tensorflow("to test")
import keras  # noqa: E402


def tiny_network() -> keras.Model:
    """6×5×3 → 12×10×4, one align-corners resize called ``up``, seeded weights."""
    keras.utils.set_random_seed(3)
    image = keras.Input((6, 5, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(image)
    return keras.Model(image, AlignCornersUpsampling2D(2, name="up")(x), name="tiny")


def signature_of(
    operation: Callable[[Any], Any], shape: tuple[int | None, ...], dtype: str = "float32"
) -> Any:
    """A module whose serving signature is `operation` of one input ``x``; returns its output as ``y``."""
    module = tf.Module()
    module.call = tf.function(
        lambda x: {"y": operation(x)}, input_signature=[tf.TensorSpec(shape, dtype, name="x")]
    )
    return module


def random_input(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Seeded noise; whole numbers from 0 to 255 for integer types."""
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 256, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def run(
    model: onnx.ModelProto, inputs: dict[str, np.ndarray], optimised: bool = False
) -> dict[str, np.ndarray]:
    """All outputs, from onnxruntime as the graph is written, or with the optimisations that it makes by default."""
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def relative_error(actual: np.ndarray, expected: Any) -> float:
    """Largest difference over the range of what is expected; the shapes must agree."""
    expected = np.asarray(expected)
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    return float(np.abs(actual.astype(np.float64) - expected).max() / np.ptp(expected.astype(np.float64)))


def resizes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The Resize nodes of the main graph."""
    return [node for node in model.graph.node if node.op_type == "Resize"]


def shape_of(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    """Lengths, symbolic ones by name."""
    return tuple(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim)

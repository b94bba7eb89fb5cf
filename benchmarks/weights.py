"""Models with gigabytes of weights, written piece by piece and never held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper

__all__ = ["LAYERS", "write_external_data_model", "write_single_file"]

LAYERS = 160
"""Convolutions; each has a weight and a bias, so there are 320 initializers, and one more for the Resize."""

_PAGE = 4096
_BLOCK_BYTES = 1 << 25
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW_DATA = 7, 5, 9


@dataclass(frozen=True)
class _Weight:
    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * int(np.prod(self.shape))


def write_single_file(path: Path, size: int) -> None:
    """A model of about `size` bytes in one file, nodes in front of the initializers, as onnx writes it.

    Only one attribute of its one Resize differs from what the default passes leave alone.
    """
    weights = _weights(size)
    head, tail = _graph_ends(weights)
    messages = [_tensor(weight) for weight in weights]
    length = len(head) + len(tail)
    for message, weight in zip(messages, weights, strict=True):
        inner = len(message) + len(_key(_TENSOR_RAW_DATA, weight.size)) + weight.size
        length += len(_key(_GRAPH_INITIALIZER, inner)) + inner
    model = _model(GraphProto())
    model.ClearField("graph")
    opsets = ModelProto(opset_import=model.opset_import)
    model.ClearField("opset_import")
    data = _Data()
    with path.open("wb") as stream:
        stream.write(model.SerializeToString() + _key(_MODEL_GRAPH, length) + head)
        for message, weight in zip(messages, weights, strict=True):
            raw = _key(_TENSOR_RAW_DATA, weight.size)
            stream.write(_key(_GRAPH_INITIALIZER, len(message) + len(raw) + weight.size) + message + raw)
            data.write(stream, weight.size)
        stream.write(tail + opsets.SerializeToString())


def write_external_data_model(path: Path, size: int) -> Path:
    """The same model with about `size` bytes of weights in a file beside it, at page boundaries.

    Returns:
        The data file.
    """
    data_file = path.with_name(path.name + ".data")
    weights = _weights(size)
    head, tail = _graph_ends(weights)
    graph = GraphProto.FromString(head + tail)
    data = _Data()
    with data_file.open("wb") as stream:
        for weight in weights:
            offset = stream.tell()
            data.write(stream, weight.size)
            data.write(stream, -weight.size % _PAGE)
            graph.initializer.append(_external(weight, data_file.name, offset))
    path.write_bytes(_model(graph).SerializeToString())
    return data_file


class _Data:
    """Numbers like trained weights: normal, 0.02 wide; each stretch starts elsewhere in one random block."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        values = rng.standard_normal(_BLOCK_BYTES // 4, dtype=np.float32) * np.float32(0.02)
        self._block = memoryview(values).cast("B")
        self._rng = rng

    def write(self, stream: BinaryIO, size: int) -> None:
        for part in self._parts(size):
            stream.write(part)

    def _parts(self, size: int) -> Iterator[memoryview]:
        start = 4 * int(self._rng.integers(_BLOCK_BYTES // 8))
        while size:
            part = self._block[start : start + size]
            yield part
            size -= len(part)
            start = 0


def _weights(size: int) -> list[_Weight]:
    channels = max(1, isqrt(size // (LAYERS * 9 * 4)))
    weights = []
    for layer in range(LAYERS):
        weights.append(_Weight(f"layer_{layer}/weight", (channels, channels if layer else 3, 3, 3)))
        weights.append(_Weight(f"layer_{layer}/bias", (channels,)))
    return weights


def _graph_ends(weights: list[_Weight]) -> tuple[bytes, bytes]:
    """What stands in front of the convolutions' initializers, and behind; the last holds the Resize's lengths."""
    graph = GraphProto(name="layers")
    value = "image"
    for layer in range(LAYERS):
        scope = f"layer_{layer}"
        inputs = [value, f"{scope}/weight", f"{scope}/bias"]
        graph.node.append(
            helper.make_node(
                "Conv",
                inputs,
                [f"{scope}/conv:0"],
                name=f"{scope}/Conv",
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
            )
        )
        graph.node.append(helper.make_node("Relu", [f"{scope}/conv:0"], [f"{scope}:0"], name=f"{scope}/Relu"))
        value = f"{scope}:0"
    graph.node.append(_resize(value))
    head = graph.SerializeToString()
    ends = GraphProto()
    ends.initializer.append(helper.make_tensor("up/sizes", TensorProto.INT64, [2], [16, 16]))
    shape = [1, weights[-1].shape[0], 16, 16]
    ends.input.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8]))
    ends.output.append(helper.make_tensor_value_info("enlarged", TensorProto.FLOAT, shape))
    return head, ends.SerializeToString()


def _resize(value: str) -> object:
    return helper.make_node(
        "Resize",
        [value, "", "", "up/sizes"],
        ["enlarged"],
        name="up/Resize",
        antialias=0,
        axes=[2, 3],
        coordinate_transformation_mode="half_pixel",
        cubic_coeff_a=-0.75,
        exclude_outside=0,
        extrapolation_value=0.0,
        keep_aspect_ratio_policy="stretch",
        mode="linear",
        nearest_mode="round_prefer_floor",
    )


def _model(graph: GraphProto) -> ModelProto:
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="benchmarks", ir_version=8
    )


def _tensor(weight: _Weight) -> bytes:
    """The message in front of its raw data, which is the last field that it has."""
    return TensorProto(dims=weight.shape, data_type=TensorProto.FLOAT, name=weight.name).SerializeToString()


def _external(weight: _Weight, location: str, offset: int) -> TensorProto:
    tensor = TensorProto(dims=weight.shape, data_type=TensorProto.FLOAT, name=weight.name)
    for key, value in (("location", location), ("offset", offset), ("length", weight.size)):
        tensor.external_data.add(key=key, value=str(value))
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def _key(field: int, length: int) -> bytes:
    """The protobuf key of a length-delimited field, and the length (Protocol Buffers encoding, varints)."""
    encoded = bytearray()
    for number in (field << 3 | 2, length):
        while number > 0x7F:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
    return bytes(encoded)

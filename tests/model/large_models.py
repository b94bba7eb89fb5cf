"""Models with much data, written in pieces so that the tests themselves need little memory."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tests.model.onnx_models import info, make_model, tensor

CHUNK = 1 << 20


def large_model(path: Path, megabytes: int, *, tensors: int = 8, filled: bool = True) -> None:
    """One Resize and `tensors` weights of together about `megabytes` MiB behind it in one file.

    Args:
        path: of the file.
        megabytes: of data.
        tensors: how many weights.
        filled: with bytes that repeat every MiB; else with holes that take no room on the disk.
    """
    resize = helper.make_node("Resize", ["x", "", "scales"], ["r"], name="up", mode="linear")
    nodes, last = [resize], "r"
    for index in range(tensors):
        nodes.append(helper.make_node("ReduceSum", [f"w{index}"], [f"s{index}"], keepdims=0))
        nodes.append(helper.make_node("Add", [last, f"s{index}"], [f"a{index}"]))
        last = f"a{index}"
    proto = make_model(
        nodes, [info("x", [1, 1, 4, 4])], [info(last, [1, 1, 8, 8])], [tensor("scales", [1, 1, 2, 2])]
    )
    size = megabytes * CHUNK // tensors // 4 * 4
    graph = proto.graph.SerializeToString()
    weights = [_header(index, size) for index in range(tensors)]
    length = len(graph) + sum(len(head) + size for head in weights)
    proto.ClearField("graph")
    with path.open("wb") as stream:
        stream.write(proto.SerializeToString() + b"\x3a" + _varint(length) + graph)
        for index, head in enumerate(weights):
            stream.write(head)
            _data(stream, index, size, filled)
        stream.truncate(stream.tell())


def _data(stream: object, index: int, size: int, filled: bool) -> None:
    if not filled:
        stream.seek(size, 1)  # type: ignore[attr-defined]
        return
    block = bytes((index + place * 7) % 120 for place in range(256)) * (CHUNK // 256)
    for start in range(0, size, CHUNK):
        stream.write(block[: min(CHUNK, size - start)])  # type: ignore[attr-defined]


def _header(index: int, size: int) -> bytes:
    """Everything of an initializer before its data."""
    named = onnx.TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, dims=[size // 4])
    inner = named.SerializeToString() + b"\x4a" + _varint(size)
    return b"\x2a" + _varint(len(inner) + size) + inner


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])

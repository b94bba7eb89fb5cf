"""Reading a file, or saying in one sentence why it is not an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import ModelProto

from rewriter.errors import InputError, UnsupportedError
from rewriter.model.filebytes import FileBytes
from rewriter.model.skeleton import outermost, skeleton
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.wire import WireError, fields

__all__ = ["check_sane", "parse", "read"]

_LARGEST_OPSET = 1000
_GRAPH_FIELD = 7
_LARGEST_MESSAGE = 2**31
_SMALL_FILE = 1 << 20
"""Bytes up to which a file is simply read."""


def read(path: Path) -> Source:
    """A file, without the large tensors of a large one.

    Raises:
        InputError: missing, a directory, empty, unreadable, or not ONNX.
    """
    file = FileBytes(path)
    if not file.size:
        raise InputError("the file is empty", file=path)
    if file.size < _SMALL_FILE:
        data = file.read(0, file.size)
        file.close()
        return Source(data)
    try:
        return skeleton(file)
    except WireError:
        raise InputError(_why_unreadable(outermost(file), file.size), file=path) from None


def parse(data: bytes, path: Path | None) -> ModelProto:
    """The model in `data`.

    Raises:
        InputError: not ONNX, truncated, or damaged.
        UnsupportedError: larger than protobuf can parse.
    """
    if len(data) >= _LARGEST_MESSAGE:
        raise UnsupportedError(
            "the model has 2 GiB and more beside its large tensors, which no ONNX tool can read",
            file=path,
            remedy="split it",
        )
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        numbers = (entry.number for entry in fields(data, Span(0, len(data))))
        raise InputError(_why_unreadable(numbers, len(data)), file=path) from None
    check_sane(proto, path)
    return proto


def check_sane(proto: ModelProto, path: Path | None) -> None:
    """Reject what the protobuf parser accepts although no producer writes it.

    Raises:
        InputError: no graph, no version, absurd opset imports.
    """
    if not proto.HasField("graph"):
        raise InputError("not an ONNX model (it holds no graph)", file=path)
    if proto.ir_version < 1:
        raise InputError("not an ONNX model (it states no IR version)", file=path)
    if proto.ir_version >= 3 and not proto.opset_import:
        raise InputError("the model imports no operator set", file=path, remedy="export it again")
    domains = [entry.domain for entry in proto.opset_import]
    for entry in proto.opset_import:
        if not 1 <= entry.version <= _LARGEST_OPSET:
            raise InputError(
                f"the model imports version {entry.version} of domain '{entry.domain}'", file=path
            )
    if len(set(domains)) != len(domains):
        raise InputError("the model imports a domain twice", file=path)
    for function in proto.functions:
        own = [entry.domain for entry in function.opset_import]
        if len(set(own)) != len(own):
            raise InputError(f"the function '{function.name}' imports a domain twice", file=path)


def _why_unreadable(numbers: Iterator[int], size: int) -> str:
    """Truncated, or something else: a file cut short still begins with sound fields.

    Args:
        numbers: gives the outermost fields' numbers until one of them is broken.
        size: of the file, in bytes.
    """
    seen = []
    try:
        for number in numbers:
            seen.append(number)
    except WireError as error:
        if seen and "ends" in str(error):
            return f"the file is truncated: it has {size} bytes, and its last part needs more"
    return "the graph in the file is damaged" if _GRAPH_FIELD in seen else "not an ONNX model"

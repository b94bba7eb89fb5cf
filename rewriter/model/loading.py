"""Reading a file, or saying in one sentence why it is not an ONNX model."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import ModelProto

from rewriter.errors import InputError, UnsupportedError
from rewriter.model.wire import Span, WireError, fields

__all__ = ["check_sane", "parse", "read"]

_LARGEST_OPSET = 1000
_GRAPH_FIELD = 7
_LARGEST_MESSAGE = 2**31


def read(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: missing, a directory, empty, or unreadable.
    """
    if path.is_dir():
        raise InputError("this is a directory, not an ONNX file", file=path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror}", file=path) from error
    if not data:
        raise InputError("the file is empty", file=path)
    return data


def parse(data: bytes, path: Path | None) -> ModelProto:
    """The model in `data`.

    Raises:
        InputError: not ONNX, truncated, or damaged.
        UnsupportedError: larger than protobuf can parse.
    """
    if len(data) >= _LARGEST_MESSAGE:
        raise UnsupportedError(
            "models of 2 GiB and more in one file are not supported",
            file=path,
            remedy="save it with its weights as external data",
        )
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        raise InputError(_why_unreadable(data), file=path) from None
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


def _why_unreadable(data: bytes) -> str:
    """Truncated, or something else: a file cut short still begins with sound fields."""
    numbers = []
    try:
        for entry in fields(data, Span(0, len(data))):
            numbers.append(entry.number)
    except WireError as error:
        if numbers and "ends" in str(error):
            return f"the file is truncated: it has {len(data)} bytes, and its last part needs more"
    return "the graph in the file is damaged" if _GRAPH_FIELD in numbers else "not an ONNX model"

"""Is the data of two tensors the same? Large data is read in pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnx import TensorProto

from rewriter.model import Model
from rewriter.model.filebytes import FileBytes
from rewriter.model.storage import is_external

__all__ = ["compare_data"]

_BLOCK = 1 << 20
_SMALL = 1 << 22
"""Bytes up to which the values themselves are compared, to say how far apart they are."""
_LARGEST = 1 << 28
"""Bytes up to which data in different fields is compared by value; beyond it counts as different."""
_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def compare_data(a: TensorProto, b: TensorProto, first: Model, second: Model) -> tuple[str, str] | None:
    """How the data of two tensors differs, as a text for each; None where it is the same.

    Args:
        a, b: messages of the two models; data may be in them, in the models' files, or in external ones.
        first, second: the models.
    """
    left, right = _blocks(a, first), _blocks(b, second)
    if left is not None and right is not None:
        if _same(left, right):
            return None
    elif _inline(a, first) == _inline(b, second) or _same_values(a, b, first, second):
        return None
    return _described(a, b, first, second)


def _blocks(tensor: TensorProto, model: Model) -> Iterator[bytes] | None:
    """The raw bytes of a tensor in pieces; None where its data is not raw bytes in a file or message."""
    hole = model.source.hole(tensor)
    if hole is not None:
        if hole.number != TensorProto.RAW_DATA_FIELD_NUMBER:
            return None
        file = model.source.file
        entries = {entry.key: int(entry.value) for entry in tensor.external_data if entry.key != "location"}
        return None if file is None else _read(file, entries["offset"], entries["length"])
    if is_external(tensor):
        return _external(tensor, model.directory)
    if tensor.HasField("raw_data"):
        data = tensor.raw_data
        return iter([data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)])
    return None


def _external(tensor: TensorProto, directory: Path | None) -> Iterator[bytes] | None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = None if directory is None else directory / entries.get("location", "")
    if path is None or not path.is_file():
        return None
    file = FileBytes(path)
    offset = int(entries.get("offset", 0))
    return _read(file, offset, int(entries.get("length", file.size - offset)))


def _read(file: FileBytes, offset: int, length: int) -> Iterator[bytes]:
    for start in range(offset, offset + length, _BLOCK):
        yield file.read(start, min(start + _BLOCK, offset + length))


def _same(a: Iterator[bytes], b: Iterator[bytes]) -> bool:
    end = b""
    while True:
        left, right = next(a, end), next(b, end)
        if left != right:
            return False
        if not left:
            return True


def _inline(tensor: TensorProto, model: Model) -> list[object]:
    """The data fields of a tensor as they are."""
    whole = model.source.complete(tensor)
    return [
        list(value) if not isinstance(value := getattr(whole, name), bytes) else value for name in _FIELDS
    ]


def _same_values(a: TensorProto, b: TensorProto, first: Model, second: Model) -> bool:
    """Whether two tensors whose data is stored in different ways hold the same."""
    values = _values(a, b, first, second, _LARGEST)
    if values is None:
        return False
    x, y = values
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    return bool(np.array_equal(x, y)) if x.dtype == object else x.tobytes() == y.tobytes()


def _values(
    a: TensorProto, b: TensorProto, first: Model, second: Model, largest: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both as arrays; None where one is damaged, or larger than `largest` bytes at 16 bytes an element."""
    if 16 * max(math.prod(a.dims), math.prod(b.dims)) > largest:
        return None
    try:
        return first.array(a), second.array(b)
    except Exception:  # whatever a damaged tensor makes onnx raise: that they differ is certain
        return None


def _described(a: TensorProto, b: TensorProto, first: Model, second: Model) -> tuple[str, str]:
    values = _values(a, b, first, second, _SMALL)
    if values is None:
        return "data", "other data"
    x, y = values
    if x.dtype != y.dtype or x.shape != y.shape:
        return _listed(x), _listed(y)
    if x.dtype.kind not in "fiub" or x.size <= 16:
        return _listed(x), _listed(y)
    apart = np.abs(x.astype(np.float64) - y.astype(np.float64))
    return "data", f"{int((x != y).sum())} of {x.size} elements differ, by up to {float(apart.max()):.3g}"


def _listed(values: np.ndarray) -> str:
    flat = values.ravel()
    return f"[{', '.join(str(each) for each in flat[:8].tolist())}{', …' if flat.size > 8 else ''}]"

"""Is a model valid? onnx's checker with shape inference, then a session in onnxruntime.

Neither looks at weights, so they are left out where they are not in the message itself: an initializer whose data
lies in a file becomes an input of the same type. Whether that data has the right length is checked here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto

from rewriter.cutout import cut_out
from rewriter.isolation import CrashError, elsewhere
from rewriter.model import Model
from rewriter.model.storage import is_external
from rewriter.model.walking import model_tensors

__all__ = ["Verdict", "examine"]

_UNSUPPORTED = (
    "is not a registered function/op",
    "Unsupported model IR version",
    "is under development",
    "Could not find an implementation",
    "NOT_IMPLEMENTED",
    "No opset import for domain",
    "Exception during initialization",
)
_LARGEST_MESSAGE = 2**31
_LARGE = 4000
"""Nodes from which on onnxruntime is only given the part of a model that was touched."""
_REJECTIONS = (
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
    ValueError,
    RuntimeError,
)


@dataclass(frozen=True)
class Verdict:
    """What the two checks said.

    Attributes:
        checker: why onnx's checker rejects the model; None when it does not.
        runtime: why onnxruntime does not load it; None when it does, or was not asked.
        unsupported: whether onnxruntime merely lacks something (a custom operator, a kernel, a newer opset).
    """

    checker: str | None = None
    runtime: str | None = None
    unsupported: bool = False

    @property
    def error(self) -> str | None:
        """Why the model is not valid, None when it is, as far as can be told."""
        if self.checker is not None:
            return f"onnx's checker rejects it: {self.checker}"
        if self.runtime is not None and not self.unsupported:
            return f"onnxruntime does not load it: {self.runtime}"
        return None

    @property
    def accepted(self) -> bool:
        """Whether both took the model."""
        return self.checker is None and self.runtime is None


def examine(model: Model, written: Path | None = None) -> Verdict:
    """Check a model as it is now.

    Args:
        model: with its edits.
        written: a file that already holds it, if there is one, with its external data beside it.
    """
    if not model.refers_to_data:
        return _in_memory(written.read_bytes() if written is not None else model.to_bytes(), None, model)
    proto = model.to_reference_proto()
    wrong = _wrong_data(proto, model)
    if wrong is not None:
        return Verdict(checker=wrong)
    verdict = _in_memory(_without_data(proto).SerializeToString(), model.reference_directory, model)
    if verdict.accepted:
        return verdict
    # An operator may want the weights themselves. This is slow, and nothing that is accepted comes here.
    whole = written if written is not None else None if model.is_edited else model.path
    if whole is not None and whole.stat().st_size < _LARGEST_MESSAGE:
        return _both(whole, None)
    return verdict


def _in_memory(data: bytes, directory: Path | None, model: Model) -> Verdict:
    """Check a model; of a large one, types and runtime look only at what a rewrite touched, where that decides."""
    if model.graph_size < _LARGE:
        return _both(data, directory)
    rejected = _checker(data, full=False)
    if rejected is not None:
        return Verdict(checker=rejected)
    part = cut_out(ModelProto.FromString(data), model)
    if part is not None:
        verdict = _both(part.SerializeToString(), directory)
        if verdict.accepted:
            return verdict
    # Not the whole story, or something is wrong with it: then with the message that the whole model gives.
    return _both(data, directory)


def _both(model: Path | bytes, directory: Path | None) -> Verdict:
    rejected = _checker(model, full=False)
    if rejected is not None:
        return Verdict(checker=rejected)
    # Shape inference and onnxruntime take most of the time: side by side.
    with (
        elsewhere(lambda: json.dumps(_runtime(model, directory)).encode()) as runtime,
        elsewhere(lambda: (_checker(model, full=True) or "").encode()) as checker,
    ):
        try:
            rejected = checker().decode()
        except CrashError as error:
            rejected = f"its shape inference crashes ({error})"
        if rejected:
            return Verdict(checker=rejected)
        try:
            return Verdict(**json.loads(runtime()))
        except CrashError as error:
            return Verdict(runtime=f"it crashes ({error})")


def _checker(model: Path | bytes, *, full: bool) -> str | None:
    """Why onnx's checker rejects a model, with `full` after shape inference; None when it does not."""
    try:
        onnx.checker.check_model(str(model) if isinstance(model, Path) else model, full_check=full)
    except _REJECTIONS as error:
        return _one_line(str(error))
    return None


def _runtime(model: Path | bytes, directory: Path | None) -> dict[str, Any]:
    """The fields of a verdict."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    if directory is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(directory.resolve())
        )
    try:
        source = str(model) if isinstance(model, Path) else model
        # Its fallback to another provider would print to stdout.
        onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        text = str(error)
        return {"runtime": _one_line(text), "unsupported": any(sign in text for sign in _UNSUPPORTED)}
    return {}


def _without_data(proto: ModelProto) -> ModelProto:
    """The model with an input in place of each initializer whose data lies in a file."""
    graph = proto.graph
    inputs = {info.name for info in graph.input}
    kept = [tensor for tensor in graph.initializer if not is_external(tensor)]
    for tensor in graph.initializer:
        if is_external(tensor) and tensor.name not in inputs:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    light = ModelProto()
    light.CopyFrom(proto)
    del light.graph.initializer[:]
    light.graph.initializer.extend(kept)
    return light


def _wrong_data(proto: ModelProto, model: Model) -> str | None:
    """The first tensor whose data in a file is not as long as its shape says; None when all are."""
    for tensor in model_tensors(proto):
        if not is_external(tensor):
            continue
        problem = _own_data(tensor, model) or _other_file(tensor, model.directory)
        if problem is not None:
            return f"tensor '{tensor.name}' {problem}"
    return None


def _own_data(tensor: TensorProto, model: Model) -> str | None:
    hole = model.source.hole(tensor)
    needed = _bytes_needed(tensor)
    if hole is None or needed is None or hole.number != TensorProto.RAW_DATA_FIELD_NUMBER:
        return None
    length = int(next(entry.value for entry in tensor.external_data if entry.key == "length"))
    return None if length == needed else f"has {length} bytes of data where its shape needs {needed}"


def _other_file(tensor: TensorProto, directory: Path | None) -> str | None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if directory is None or "location" not in entries:
        return "has its data in a file that is not named"
    file = directory / entries["location"]
    if not file.is_file():
        return f"has its data in '{entries['location']}', which is missing"
    needed = _bytes_needed(tensor)
    try:
        offset = int(entries.get("offset", 0))
        end = offset + int(entries.get("length", needed or 0))
    except ValueError:
        return "says where its data is in something that is not a number"
    if end > file.stat().st_size:
        return f"has its data in '{entries['location']}', which ends before it"
    if needed is not None and "length" in entries and end - offset != needed:
        return f"has {end - offset} bytes of data where its shape needs {needed}"
    return None


def _bytes_needed(tensor: TensorProto) -> int | None:
    """Length of a tensor's raw data; None for elements that are packed or have no fixed size."""
    bits = _BITS.get(tensor.data_type)
    return None if bits is None else math.prod(tensor.dims) * bits // 8


_BITS = {
    getattr(TensorProto, name): bits
    for bits, names in {
        8: "UINT8 INT8 BOOL FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ",
        16: "UINT16 INT16 FLOAT16 BFLOAT16",
        32: "FLOAT INT32 UINT32",
        64: "DOUBLE INT64 UINT64 COMPLEX64",
        128: "COMPLEX128",
    }.items()
    for name in names.split()
}


def _one_line(text: str) -> str:
    """The message without error codes, source positions and temporary file names, cut to a readable length."""
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"Load model from \S+ failed:", "", text)
    text = re.sub(r"/\S+?:\d+ (?=\w)", "", text)
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."

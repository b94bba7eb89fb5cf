"""ONNX models in onnxruntime, graph optimisations off: what the file says is what runs."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from rewriter.batch_statistics import find_batch_statistics
from rewriter.errors import InputError
from rewriter.model import Model
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["OnnxRunner", "first_line", "session"]

_CODES = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}

_THREADS = 2
"""Fixed, so that results do not depend on the machine's number of cores."""


def session(
    model: bytes | str, directory: Path | None = None, *, optimised: bool = False
) -> onnxruntime.InferenceSession:
    """A CPU session with graph optimisations off, for serialised bytes or a path.

    Args:
        model: what to run.
        directory: where the data lies that bytes refer to; it is mapped from there, not copied.
        optimised: with the optimisations that onnxruntime makes by default.
    """
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = _THREADS
    if directory is not None:
        folder = str(directory.resolve())
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    onnxruntime.set_default_logger_severity(4)  # some kernels do not use the session's own logger
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRunner:
    """An `.onnx` file or a `ModelProto`.

    Raises:
        InputError: onnxruntime cannot load it.
    """

    kind = "onnx"
    simulated = False

    def __init__(self, source: Path | onnx.ModelProto, *, optimised: bool = False) -> None:
        self._optimised = optimised
        self.source = source if isinstance(source, Path) else None
        self._proto = None if isinstance(source, Path) else source
        self.name = f"onnx:{source.name}" if isinstance(source, Path) else "onnx"
        self.name += " (optimised)" if optimised else ""
        # Read first: it says better than onnxruntime what is wrong with a file.
        self._model = Model.load(source) if isinstance(source, Path) else None
        try:
            self._session = self._opened(source)
        except Exception as error:  # onnxruntime raises kinds of its own, all derived from Exception
            cause = f"onnxruntime cannot load the model: {first_line(error)}"
            raise InputError(cause, file=self.source) from error
        self.inputs = [_spec(value) for value in self._session.get_inputs()]
        self.outputs = [_spec(value) for value in self._session.get_outputs()]

    def _opened(self, source: Path | onnx.ModelProto) -> onnxruntime.InferenceSession:
        if not isinstance(source, Path):
            return session(source.SerializeToString(), optimised=self._optimised)
        assert self._model is not None
        if not self._model.source.holes:
            return session(str(source), optimised=self._optimised)
        # A large file: onnxruntime maps the weights from it instead of reading them into memory.
        data = self._model.to_reference_proto().SerializeToString()
        return session(data, self._model.reference_directory, optimised=self._optimised)

    @cached_property
    def precision(self) -> str:
        """``float16`` where any tensor of the main graph is declared so."""
        half = onnx.TensorProto.FLOAT16
        proto = self._proto if self._model is None else self._model.original
        assert proto is not None
        tensors = (tensor.data_type for tensor in proto.graph.initializer)
        values = (
            value.type.tensor_type.elem_type
            for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info)
        )
        return "float16" if half in tensors or half in values else "float32"

    def batch_statistics(self) -> list[str]:
        """Layers that normalise by the statistics of their batch."""
        proto = self._proto if self._model is None else self._model.original
        assert proto is not None
        return find_batch_statistics(proto)

    @property
    def proto(self) -> onnx.ModelProto:
        """The model with its weights."""
        if self._proto is None:
            assert self.source is not None
            self._proto = onnx.load(self.source)
        return self._proto

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name; inputs are cast to the declared dtype."""
        feed = {spec.name: inputs[spec.name].astype(spec.dtype) for spec in self.inputs}
        names = [spec.name for spec in self.outputs]
        try:
            return dict(zip(names, self._session.run(names, feed), strict=True))
        except Exception as error:  # as above
            cause = f"onnxruntime cannot run the model: {first_line(error)}"
            raise InputError(cause, file=self.source) from error


def first_line(error: Exception) -> str:
    """What onnxruntime says, without its error codes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return _CODES.sub("", lines[0]).strip()


def _spec(value: Any) -> TensorSpec:
    shape = tuple(length if isinstance(length, int) and length >= 0 else None for length in value.shape)
    return TensorSpec(value.name, shape, np.dtype(_DTYPES.get(value.type, np.float32)))

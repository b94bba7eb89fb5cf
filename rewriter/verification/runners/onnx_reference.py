"""ONNX models in onnx's own reference implementation: slow, written by other people, a third opinion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from rewriter.errors import InputError
from rewriter.model import Model
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.onnx import first_line

__all__ = ["OnnxReferenceRunner"]


class OnnxReferenceRunner:
    """An `.onnx` file or a `ModelProto`.

    Raises:
        InputError: the reference implementation cannot load it.
    """

    kind = "onnx"
    simulated = False
    precision = "float32"

    def __init__(self, source: Path | onnx.ModelProto) -> None:
        self.source = source if isinstance(source, Path) else None
        self.name = "onnx.reference" + (f":{source.name}" if isinstance(source, Path) else "")
        proto = Model.load(source).to_proto() if isinstance(source, Path) else source
        try:
            self._evaluator = ReferenceEvaluator(proto)
        except Exception as error:  # it raises many kinds
            raise InputError(
                f"onnx.reference cannot load the model: {first_line(error)}", file=self.source
            ) from error
        self.inputs = [_spec(info) for info in proto.graph.input if info.name in self._evaluator.input_names]
        self.outputs = [_spec(info) for info in proto.graph.output]

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name; inputs are cast to the declared dtype."""
        feed = {spec.name: inputs[spec.name].astype(spec.dtype) for spec in self.inputs}
        try:
            results = self._evaluator.run(None, feed)
        except Exception as error:  # as above
            raise InputError(
                f"onnx.reference cannot run the model: {first_line(error)}", file=self.source
            ) from error
        return {spec.name: np.asarray(array) for spec, array in zip(self.outputs, results, strict=True)}


def _spec(info: onnx.ValueInfoProto) -> TensorSpec:
    tensor = info.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return TensorSpec(info.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))

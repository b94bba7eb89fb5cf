"""TFLite files, by TFLite's reference kernels."""

from __future__ import annotations

import numpy as np

from rewriter.tensorflow.tflite import TFLiteModel
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["TFLiteRunner"]


class TFLiteRunner:
    """A TFLite file."""

    kind = "tflite"
    simulated = False
    precision = "float32"

    def __init__(self, model: TFLiteModel) -> None:
        self.source = model.path
        self.name = f"tflite:{model.path.name}"
        self._model = model
        self.inputs = _specs(model.inputs)
        self.outputs = _specs(model.outputs)

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        return self._model.run(dict(inputs))


def _specs(tensors: dict) -> list[TensorSpec]:
    return [
        TensorSpec(name, tuple(None if length < 0 else length for length in shape), np.dtype(dtype))
        for name, (_, shape, dtype) in tensors.items()
    ]

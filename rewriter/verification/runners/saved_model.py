"""SavedModels: one signature's concrete function."""

from __future__ import annotations

import numpy as np

from rewriter.tensorflow.batch_statistics import find_batch_statistics_in_graph
from rewriter.tensorflow.load import SavedModel
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["SavedModelRunner"]


class SavedModelRunner:
    """A signature of a SavedModel."""

    kind = "saved_model"
    simulated = False
    precision = "float32"

    def __init__(self, saved: SavedModel) -> None:
        self.source = saved.path
        self.name = f"saved_model:{saved.path.name}"
        self._saved = saved
        self.inputs = _specs(saved.function.structured_input_signature[1])
        self.outputs = _specs(saved.function.structured_outputs)

    def batch_statistics(self) -> list[str]:
        """Layers that normalise by the statistics of their batch."""
        return find_batch_statistics_in_graph(self._saved.function.graph.as_graph_def())

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        import tensorflow as tf

        tensors = {spec.name: tf.constant(inputs[spec.name].astype(spec.dtype)) for spec in self.inputs}
        return {name: tensor.numpy() for name, tensor in self._saved.function(**tensors).items()}


def _specs(tensors: dict) -> list[TensorSpec]:
    return [
        TensorSpec(name, tuple(tensor.shape), np.dtype(tensor.dtype.as_numpy_dtype))
        for name, tensor in tensors.items()
    ]

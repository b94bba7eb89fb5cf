"""Frozen graphs of TensorFlow 1."""

from __future__ import annotations

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.tensorflow.batch_statistics import find_batch_statistics_in_graph
from rewriter.tensorflow.graph_def import FrozenGraph
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["FrozenGraphRunner"]


class FrozenGraphRunner:
    """A frozen graph, from its placeholders to what nothing in it reads."""

    kind = "frozen_graph"
    simulated = False
    precision = "float32"

    def __init__(self, frozen: FrozenGraph) -> None:
        self.source = frozen.path
        self.name = f"frozen_graph:{frozen.path.name}"
        self._function = frozen.function
        self.inputs = _specs(frozen.inputs, frozen.function.inputs)
        self.outputs = _specs(frozen.outputs, frozen.function.outputs)

    def batch_statistics(self) -> list[str]:
        """Layers that normalise by the statistics of their batch."""
        return find_batch_statistics_in_graph(self._function.graph.as_graph_def())

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        import tensorflow as tf

        tensors = [tf.constant(inputs[spec.name].astype(spec.dtype)) for spec in self.inputs]
        results = self._function(*tensors)
        return {spec.name: tensor.numpy() for spec, tensor in zip(self.outputs, results, strict=True)}


def _specs(names: list[str], tensors: list) -> list[TensorSpec]:
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.shape.rank is None:
            raise UnsupportedError(f"the number of axes of '{name}' is not known")
    return [
        TensorSpec(name, tuple(tensor.shape), np.dtype(tensor.dtype.as_numpy_dtype))
        for name, tensor in zip(names, tensors, strict=True)
    ]

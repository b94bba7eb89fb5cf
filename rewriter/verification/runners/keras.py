"""Keras models, eager and in inference mode: `model(x, training=False)`, never an export of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rewriter.tensorflow.structure import input_structure, layer_names_of_outputs, output_structure
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["KerasRunner"]


class KerasRunner:
    """A Keras model object."""

    kind = "keras"
    simulated = False
    precision = "float32"

    def __init__(self, model: Any, source: Path | None = None) -> None:
        self.source = source
        self.name = f"keras:{source.name if source else model.name}"
        self._model = model
        self.inputs = [_spec(tensor) for tensor in model.inputs]
        # Keras flattens dicts in the order of their sorted keys; other outputs go by their layers.
        structured = output_structure(model)
        names = sorted(structured) if isinstance(structured, dict) else layer_names_of_outputs(model)
        self.outputs = [
            TensorSpec(name, tuple(tensor.shape), np.dtype(tensor.dtype))
            for name, tensor in zip(names, model.outputs, strict=True)
        ]

    @classmethod
    def load(cls, path: Path) -> KerasRunner:
        """Open a `.keras` or `.h5` file."""
        from rewriter.tensorflow.load import load_keras

        return cls(load_keras(path), path)

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        import keras
        import tensorflow as tf

        tensors = [tf.constant(inputs[spec.name].astype(spec.dtype)) for spec in self.inputs]
        result = self._model(
            keras.tree.pack_sequence_as(input_structure(self._model), tensors), training=False
        )
        arrays = [np.asarray(tensor) for tensor in keras.tree.flatten(result)]
        return {spec.name: array for spec, array in zip(self.outputs, arrays, strict=True)}


def _spec(tensor: Any) -> TensorSpec:
    return TensorSpec(tensor.name, tuple(tensor.shape), np.dtype(tensor.dtype))

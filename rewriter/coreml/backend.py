"""An `onnx.backend` whose run is lower, save, read back and simulate: for ONNX's official backend tests.

What it computes is simulated: it says how Core ML would compute, on any machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from rewriter.coreml.lowering import LoweredModel, lower

__all__ = [
    "CoreMLBackend",
    "PreparedModel",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]


class PreparedModel(BackendRep):
    """A saved and reloaded package."""

    def __init__(self, model: ModelProto, lowered: LoweredModel, simulated: Any) -> None:
        self.lowered = lowered
        constant = {tensor.name for tensor in model.graph.initializer}
        self._inputs = [value.name for value in model.graph.input if value.name not in constant]
        self._outputs = [value.name for value in model.graph.output]
        self._simulated = simulated

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """The outputs, in order; an output of rank 0 comes back as shape (1,).

        Args:
            inputs: arrays in the order of the model's inputs, or by name.
        """
        given = inputs if isinstance(inputs, dict) else dict(zip(self._inputs, inputs, strict=True))
        specs = {spec.name: spec for spec in self._simulated.inputs}
        feeds = {}
        for name, array in given.items():
            spec = specs[self.lowered.names[name]]
            feeds[spec.name] = np.asarray(array).astype(spec.dtype).reshape(spec.shape)
        results = self._simulated.predict(feeds)
        return tuple(np.asarray(results[self.lowered.names[name]]) for name in self._outputs)


class CoreMLBackend(Backend):
    """Core ML by simulation. Options of `prepare` are those of `rewriter.coreml.lowering.lower`."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> PreparedModel:
        """Lower, save, read back.

        Raises:
            UnsupportedError: the model cannot be expressed.
        """
        from rewriter.coreml.simulator import load

        kwargs.setdefault("reading", "onnx.reference")
        lowered = lower(model, **kwargs)
        with tempfile.TemporaryDirectory() as folder:
            return PreparedModel(model, lowered, load(lowered.save(Path(folder) / "model.mlpackage")))

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Sequence[Any],
        device: str = "CPU",
        outputs_info: Any = None,
        **kwargs: Any,
    ) -> tuple[np.ndarray, ...]:
        """One operator of the newest opset on arrays."""
        arrays = [np.asarray(value) for value in inputs]
        names = [name for name in node.input if name]
        graph = helper.make_graph(
            [node],
            "node",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                for name, array in zip(names, arrays, strict=True)
            ],
            [helper.make_empty_tensor_value_info(name) for name in node.output if name],
        )
        return cls.prepare(helper.make_model(graph), device, **kwargs).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """The simulator runs on the CPU only."""
        return bool(Device(device).type == DeviceType.CPU)


is_compatible = CoreMLBackend.is_compatible
prepare = CoreMLBackend.prepare
run_model = CoreMLBackend.run_model
run_node = CoreMLBackend.run_node
supports_device = CoreMLBackend.supports_device

"""Lower to a .mlmodel file, read it back and run it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session", autouse=True)
def _cheap_garbage_collection() -> Iterator[None]:
    # coremltools collects garbage after every conversion; the modules that are loaded need not be looked at again.
    import coremltools  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def run_network(tmp_path: Path) -> Callable[..., Arrays]:
    """``run_network(model, inputs, **options) -> outputs`` by ONNX name, computed from the saved file."""
    from rewriter.coreml.neuralnetwork import lower_network
    from rewriter.coreml.simulator import load

    def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], **options: Any) -> Arrays:
        lowered = lower_network(model, **options)
        simulated = load(lowered.save(tmp_path / "model.mlmodel"))
        ports = {spec.name: spec for spec in simulated.inputs}
        feeds = {}
        for name, array in inputs.items():
            port = ports[lowered.names[name]]
            feeds[port.name] = np.asarray(array).astype(port.dtype).reshape(port.shape)
        results = simulated.predict(feeds)
        return {value.name: np.asarray(results[lowered.names[value.name]]) for value in model.graph.output}

    return run


@pytest.fixture
def run_onnxruntime() -> Callable[..., Arrays]:
    """``run_onnxruntime(model, inputs) -> outputs`` by name, graph optimisations off."""
    import onnxruntime

    def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> Arrays:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run

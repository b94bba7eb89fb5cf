"""Lower to a .mlmodel file, read it back and run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.coreml.lowering.conftest import _cheap_garbage_collection, run_onnxruntime  # noqa: F401 - fixtures

Arrays = dict[str, np.ndarray]


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

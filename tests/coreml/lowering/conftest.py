"""Lower, save, read back and run: what every test of the lowering does."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from rewriter.coreml.lowering import lower

Arrays = dict[str, np.ndarray]
Runner = Callable[..., Arrays]


@pytest.fixture(scope="session", autouse=True)
def _cheap_garbage_collection() -> Iterator[None]:
    # coremltools collects garbage after every conversion; the modules that are loaded need not be looked at again.
    import coremltools  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def run_lowered(tmp_path: Path) -> Runner:
    """``run_lowered(model, inputs, **options) -> outputs`` by ONNX name, computed from the saved package."""

    def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], **options: object) -> Arrays:
        from rewriter.coreml.simulator import load

        lowered = lower(model, **options)  # type: ignore[arg-type]
        package = lowered.save(tmp_path / "model.mlpackage")
        simulated = load(package)
        dtypes = {spec.name: spec.dtype for spec in simulated.inputs}
        shapes = {spec.name: spec.shape for spec in simulated.inputs}
        feeds = {}
        for name, array in inputs.items():
            port = lowered.names[name]
            feeds[port] = np.asarray(array).astype(dtypes[port]).reshape(shapes[port])
        results = simulated.predict(feeds)
        shutil.rmtree(package)
        return {value.name: np.asarray(results[lowered.names[value.name]]) for value in model.graph.output}

    return run


@pytest.fixture
def run_onnxruntime() -> Runner:
    """``run_onnxruntime(model, inputs) -> outputs`` by name, graph optimisations off."""

    def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> Arrays:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run

"""Core ML packages: Apple's runtime on macOS, the simulator everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rewriter.errors import UsageError, require
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import ENGINES, Arrays, Runner

__all__ = ["AppleRunner", "SimulatorRunner", "open_core_ml"]


def open_core_ml(path: Path, engine: str | None = None) -> Runner:
    """Open a package with `engine`, by default what this machine has.

    Raises:
        UsageError: an unknown engine, or Apple's runtime asked for elsewhere than on macOS.
    """
    if engine not in (None, *ENGINES):
        raise UsageError(f"unknown engine '{engine}'", remedy=f"use {' or '.join(ENGINES)}")
    on_mac = sys.platform == "darwin"
    if engine == "coreml" and not on_mac:
        raise UsageError("Apple's Core ML runtime exists only on macOS", remedy="use --engine simulator")
    if engine == "coreml" or (engine is None and on_mac):
        return AppleRunner(path)
    return SimulatorRunner(path)


class SimulatorRunner:
    """The saved package, evaluated by `rewriter.coreml.simulator`."""

    kind = "coreml"
    simulated = True

    def __init__(self, path: Path, precision: Literal["as_saved", "float32"] = "as_saved") -> None:
        from rewriter.coreml.simulator import load

        self.source = path
        self.name = f"coreml:{path.name}"
        self._model = load(path, precision=precision)
        self.precision = self._model.compute_precision
        self.inputs = list(self._model.inputs)
        self.outputs = list(self._model.outputs)
        self._output_names = {spec.name for spec in self.outputs}

    def in_float32(self) -> SimulatorRunner:
        """The same package, evaluated without rounding to float16."""
        return SimulatorRunner(self.source, "float32")

    def first_not_finite(self, inputs: Arrays) -> str | None:
        """Name of the first intermediate tensor that holds NaN or infinity; None where none does."""
        feed = {spec.name: inputs[spec.name].astype(spec.dtype) for spec in self.inputs}
        # Traced tensors come in the order in which they are computed.
        for name, value in self._model.predict(feed, trace="all").items():
            array = np.asarray(value)
            if name not in self._output_names and array.dtype.kind == "f" and not np.isfinite(array).all():
                return name
        return None

    @property
    def function(self) -> str:
        """Name of the program's function that runs."""
        return self._model.function

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        return self.trace(inputs, ())

    def trace(self, inputs: Arrays, names: Iterable[str]) -> Arrays:
        """Outputs by name, and the program's intermediate tensors of these names."""
        feed = {spec.name: inputs[spec.name].astype(spec.dtype) for spec in self.inputs}
        found = self._model.predict(feed, trace=names)
        return {name: np.asarray(value) for name, value in found.items()}


class AppleRunner:
    """The package in Apple's runtime, through coremltools. Not exercised on other systems than macOS."""

    kind = "coreml"
    simulated = False

    def __init__(self, path: Path) -> None:
        coremltools = require("coremltools", "to run Core ML models")
        self.source = path
        self.name = f"coreml:{path.name}"
        self._model: Any = coremltools.models.MLModel(str(path))
        description = self._model.get_spec().description
        self.inputs = [_spec(feature) for feature in description.input]
        self.outputs = [_spec(feature) for feature in description.output]
        # The program's own precision is not in the description: the looser bound of float16 is only taken
        # when the package says so itself.
        self.precision = self._model.user_defined_metadata.get("rewriter.precision", "float32")

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        result = self._model.predict(
            {spec.name: inputs[spec.name].astype(spec.dtype) for spec in self.inputs}
        )
        return {name: np.asarray(value) for name, value in result.items()}


def _spec(feature: Any) -> TensorSpec:
    array = feature.type.multiArrayType
    dtype = {65568: np.float32, 65552: np.float16, 131104: np.int32, 65600: np.float64}.get(
        array.dataType, np.float32
    )
    return TensorSpec(feature.name, tuple(int(n) for n in array.shape), np.dtype(dtype))

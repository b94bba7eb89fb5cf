"""Anything that turns inputs into outputs: one module per kind, one way to open them.

A runner knows its inputs and outputs, and runs; verification knows nothing else about it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rewriter.errors import InputError, UsageError
from rewriter.tensorspec import TensorSpec

__all__ = ["ENGINES", "ONNX_ENGINES", "Arrays", "Runner", "open_runner"]

Arrays = dict[str, np.ndarray]
ENGINES = ("simulator", "coreml")

ONNX_ENGINES = ("optimised", "onnx.reference")
"""Other ways to run an ONNX file, as ``optimised:model.onnx``: onnxruntime with its default optimisations; onnx's own
reference implementation."""
"""What can run a Core ML model: ours anywhere, Apple's on macOS."""


class Runner(Protocol):
    """One network under comparison.

    Attributes:
        name: for reports, e.g. ``onnx:model.onnx``.
        kind: ``keras``, ``saved_model``, ``frozen_graph``, ``tflite``,
            ``onnx``, ``coreml``, ``golden`` or ``callable``.
        simulated: whether Core ML was evaluated by the simulator.
        precision: compute precision, ``float32`` or ``float16``.
        inputs, outputs: names, shapes and dtypes; empty where they are not known in advance.
        source: the file, where there is one.
    """

    name: str
    kind: str
    simulated: bool
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]

    @property
    def precision(self) -> str: ...

    @property
    def source(self) -> Path | None: ...

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name for inputs by name."""
        ...


def open_runner(source: Any, *, engine: str | None = None) -> Runner:
    """Open a network to run.

    Args:
        source: a Keras model, an `onnx.ModelProto`, a Python callable on a dict of arrays, a runner, or a path:
            `.keras`, `.h5`, SavedModel directory, `.pb`, `.tflite`, `.onnx`, `.mlpackage`, `.npz` (golden file).
        engine: for Core ML, a member of `ENGINES`; by default Apple's runtime on macOS, the simulator elsewhere.

    Raises:
        InputError: no such file, or it cannot be read.
        UsageError: a kind of source that is not known.
    """
    if isinstance(source, (str, Path)):
        prefix, colon, rest = str(source).partition(":")
        if colon and prefix in ONNX_ENGINES:
            return _other_onnx(prefix, Path(rest))
        return _open_path(Path(source), engine)
    if hasattr(source, "run") and hasattr(source, "kind"):
        return source
    if hasattr(source, "graph") and hasattr(source, "opset_import"):
        from rewriter.verification.runners.onnx import OnnxRunner

        return OnnxRunner(source)
    if hasattr(source, "structured_outputs") or (hasattr(source, "signature") and hasattr(source, "owner")):
        from rewriter.verification.runners.saved_model import SavedModelRunner

        return SavedModelRunner(source)
    if hasattr(source, "inputs") and hasattr(source, "predict_on_batch"):
        from rewriter.verification.runners.keras import KerasRunner

        return KerasRunner(source)
    if callable(source):
        from rewriter.verification.runners.function import FunctionRunner

        return FunctionRunner(source)
    raise UsageError(f"cannot run a {type(source).__name__}")


def _open_path(path: Path, engine: str | None) -> Runner:
    if not path.exists():
        raise InputError("no such file", file=path)
    openers: dict[str, Callable[[], Runner]] = {
        ".onnx": lambda: _onnx(path),
        ".mlpackage": lambda: _coreml(path, engine),
        ".mlmodel": lambda: _coreml(path, engine),
        ".keras": lambda: _keras(path),
        ".h5": lambda: _keras(path),
        ".hdf5": lambda: _keras(path),
        ".npz": lambda: _golden(path),
        ".tflite": lambda: _tflite(path),
    }
    if path.suffix.lower() == ".pb" and path.is_file():
        return _frozen_graph(path)
    if path.suffix.lower() in openers:
        return openers[path.suffix.lower()]()
    if path.is_dir():
        return _saved_model(path)
    raise InputError(
        "not a kind of model that can be run here",
        file=path,
        remedy="give .keras, .h5, a SavedModel directory, .pb, .tflite, .onnx, .mlpackage, .mlmodel or a golden .npz",
    )


def _onnx(path: Path) -> Runner:
    from rewriter.verification.runners.onnx import OnnxRunner

    return OnnxRunner(path)


def _other_onnx(engine: str, path: Path) -> Runner:
    if not path.exists():
        raise InputError("no such file", file=path)
    if engine == "onnx.reference":
        from rewriter.verification.runners.onnx_reference import OnnxReferenceRunner

        return OnnxReferenceRunner(path)
    from rewriter.verification.runners.onnx import OnnxRunner

    return OnnxRunner(path, optimised=True)


def _coreml(path: Path, engine: str | None) -> Runner:
    from rewriter.verification.runners.coreml import open_core_ml

    return open_core_ml(path, engine)


def _keras(path: Path) -> Runner:
    from rewriter.verification.runners.keras import KerasRunner

    return KerasRunner.load(path)


def _saved_model(path: Path) -> Runner:
    from rewriter.tensorflow.load import load_saved_model
    from rewriter.verification.runners.saved_model import SavedModelRunner

    return SavedModelRunner(load_saved_model(path))


def _frozen_graph(path: Path) -> Runner:
    from rewriter.tensorflow.graph_def import load_graph_def
    from rewriter.verification.runners.frozen_graph import FrozenGraphRunner

    return FrozenGraphRunner(load_graph_def(path))


def _tflite(path: Path) -> Runner:
    from rewriter.tensorflow.tflite import load_tflite
    from rewriter.verification.runners.tflite import TFLiteRunner

    return TFLiteRunner(load_tflite(path))


def _golden(path: Path) -> Runner:
    from rewriter.verification.runners.golden import GoldenRunner

    return GoldenRunner(path)

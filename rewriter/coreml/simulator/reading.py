"""A saved `.mlpackage` as a MIL program: read back from its files, or refused with one clear sentence."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewriter.coreml.simulator.registry import covered_operators
from rewriter.errors import InputError, UnsupportedError, require

__all__ = ["SavedProgram", "read_network", "read_program"]

_MANIFEST = "Manifest.json"
_PURPOSE = "to read a Core ML model"
_LOADER = "coremltools.converters.mil.frontend.milproto.load"
# coremltools imports them for its converters as soon as it is imported itself: 500 MiB and 4 s for TensorFlow.
_FRAMEWORKS = ("tensorflow", "torch", "sklearn", "xgboost")


@dataclass(frozen=True)
class SavedProgram:
    """A program read back from disk.

    Attributes:
        path: the package.
        spec: its `Model` protobuf message.
        program: the MIL program (`coremltools.converters.mil.Program`).
    """

    path: Path
    spec: Any
    program: Any


def read_program(path: str | Path) -> SavedProgram:
    """Read a saved ML program.

    Where neither coremltools nor TensorFlow (PyTorch, …) is imported yet, coremltools is imported without them: a
    process that also converts with coremltools' own frontends imports coremltools first.

    Raises:
        MissingExtraError: coremltools is not installed.
        InputError: missing, truncated, or not a Core ML package.
        UnsupportedError: a Core ML model of another kind than an ML program.
    """
    package = Path(path)
    _check_package(package)
    with _quiet():
        spec, weights = _read_spec(package)
        kind = spec.WhichOneof("Type")
        if kind != "mlProgram":
            raise UnsupportedError(
                f"holds a {kind or 'model of no known kind'}, and only ML programs can be simulated",
                file=package,
            )
        loader = require(_LOADER, _PURPOSE)
        _require_known_operators(spec, package)
        try:
            program = loader.load(spec, spec.specificationVersion, str(weights))
        except NotImplementedError as error:
            raise UnsupportedError(f"coremltools cannot read the program: {error}", file=package) from error
        except Exception as error:
            # The loader raises whatever its parts raise: KeyError, RuntimeError of the weight reader, AssertionError.
            raise InputError(
                f"coremltools cannot read the program or its weights, which may be damaged: {error}",
                file=package,
            ) from error
    return SavedProgram(package, spec, program)


def _require_known_operators(spec: Any, package: Path) -> None:
    """Refuse operators without a kernel, also those that coremltools' loader would refuse without their place."""
    known = {*covered_operators(), "const", "write_state"}  # the loader makes coreml_update_state of the last
    for name, function in spec.mlProgram.functions.items():
        waiting = list(function.block_specializations.values())
        while waiting:
            for operation in waiting.pop().operations:
                waiting.extend(operation.blocks)
                if operation.type in known or operation.type.startswith("constexpr_"):
                    continue
                outputs = ", ".join(output.name for output in operation.outputs) or "nothing"
                raise UnsupportedError(
                    f"operator {operation.type} is not known to the simulator; it makes '{outputs}' in function "
                    f"'{name}'",
                    file=package,
                    node=operation.outputs[0].name if operation.outputs else None,
                    remedy="verify this model on a Mac",
                )


def read_network(path: str | Path) -> Any:
    """Read a ``.mlmodel`` file; its `Model` protobuf message.

    Raises:
        MissingExtraError: coremltools is not installed.
        InputError: missing, cut off, or not a Core ML model.
        UnsupportedError: a Core ML model of another kind than a neural network.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("does not exist" if not file.exists() else "is not a file", file=file)
    with _quiet():
        from coremltools.proto import Model_pb2
        from google.protobuf.message import DecodeError

        spec = Model_pb2.Model()
        try:
            spec.ParseFromString(file.read_bytes())
        except (OSError, DecodeError) as error:
            raise InputError("is not a Core ML model, or is cut off", file=file) from error
    kind = spec.WhichOneof("Type")
    if kind is None:
        raise InputError("is not a Core ML model", file=file)
    if kind != "neuralNetwork":
        raise UnsupportedError(f"holds a {kind}, and only neural networks can be simulated", file=file)
    return spec


def _check_package(package: Path) -> None:
    if not package.exists():
        raise InputError("does not exist", file=package)
    if not package.is_dir():
        raise InputError("is not a Core ML package (a directory with a Manifest.json)", file=package)
    try:
        manifest = json.loads((package / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"is not a Core ML package: it has no {_MANIFEST}", file=package) from error
    except (OSError, ValueError) as error:
        raise InputError(f"its {_MANIFEST} cannot be read", file=package) from error
    if not isinstance(manifest, dict) or "rootModelIdentifier" not in manifest:
        raise InputError(f"its {_MANIFEST} names no model", file=package)


def _read_spec(package: Path) -> tuple[Any, Path]:
    """The protobuf message, and the directory that holds the weights."""
    require("coremltools", _PURPOSE)
    from coremltools.libmodelpackage import ModelPackage
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError

    spec = Model_pb2.Model()
    try:
        model_file = Path(ModelPackage(str(package)).getRootModel().path())
        spec.ParseFromString(model_file.read_bytes())
    except (RuntimeError, OSError, DecodeError) as error:
        raise InputError("its model file is missing or cut off", file=package) from error
    return spec, model_file.parent / "weights"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence coremltools' log lines; import it without the frameworks that only its converters need."""
    logger = logging.getLogger("coremltools")
    if "coremltools" not in sys.modules:
        with _silent_stderr(), _hidden(_FRAMEWORKS):
            require("coremltools", _PURPOSE)
            require(_LOADER, _PURPOSE)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Make modules that are not imported yet look as if they were not installed."""
    absent = [name for name in names if name not in sys.modules]
    # An entry of None makes `import NAME` raise ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Point the process's stderr away for a moment; C++ libraries write there before any log level applies."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

"""Opening trained networks: files of every kind, SavedModel directories, or a builder function and weights."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.archive import check_archive, check_hdf5
from rewriter.errors import InputError, RewriterError, UnsupportedError, UsageError
from rewriter.tensorflow.environment import import_tensorflow
from rewriter.tensorflow.graph_def import FrozenGraph, load_graph_def
from rewriter.tensorflow.tflite import TFLiteModel, load_tflite
from rewriter.tensorflow.weights import load_weights, weights_exist

if TYPE_CHECKING:
    import keras

__all__ = ["SavedModel", "is_saved_model", "load", "load_keras", "load_saved_model"]

_PURPOSE = "to open TensorFlow and Keras models"
_MISSING_CLASS = re.compile(r"(?:Could not locate class|Unknown layer:?) '(?P<name>[^']+)'")


@dataclass(frozen=True)
class SavedModel:
    """One signature of a SavedModel directory.

    Attributes:
        path: the directory.
        signature: name of the signature.
        function: its concrete function; takes keyword arguments, returns a dict of tensors.
        owner: keeps the variables alive.
    """

    path: Path
    signature: str
    function: Any
    owner: Any


def is_saved_model(path: str | Path) -> bool:
    """Whether `path` is a directory that holds a SavedModel."""
    return any((Path(path) / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def load(
    source: str | Path | None,
    *,
    builder: str | None = None,
    weights: str | Path | None = None,
    signature: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    custom_objects: Sequence[str] = (),
    unsafe: bool = False,
) -> keras.Model | SavedModel | FrozenGraph | TFLiteModel:
    """Open whatever `source` is, as `load_keras`, `load_saved_model`, `load_graph_def` or `load_tflite`.

    Args:
        source, builder, weights: as of `load_keras`; or a SavedModel directory, a frozen `.pb` or a `.tflite` file.
        signature: of a SavedModel.
        inputs, outputs: names of tensors of a frozen graph.
        custom_objects, unsafe: as of `load_keras`.

    Raises:
        UsageError: a signature is given, and `source` is no directory; `inputs` or `outputs` are given, and it is no
            frozen graph; and as those functions.
    """
    kind = "" if source is None or builder is not None else Path(source).suffix.lower()
    if (inputs or outputs) and kind != ".pb":
        raise UsageError(
            "only a frozen graph (.pb) has inputs and outputs to name",
            remedy="leave out --inputs and --outputs",
        )
    if kind in (".pb", ".tflite") and source is not None and not Path(source).is_dir():
        if weights is not None or signature is not None:
            raise UsageError(f"a {kind} file has neither signatures nor weights of its own to load")
        return load_graph_def(source, inputs, outputs) if kind == ".pb" else load_tflite(source)
    if builder is None and weights is None and source is not None and Path(source).is_dir():
        return load_saved_model(source, signature or "serving_default")
    if signature is not None:
        raise UsageError("only a SavedModel directory has signatures", remedy="leave out --signature")
    return load_keras(source, builder=builder, weights=weights, custom_objects=custom_objects, unsafe=unsafe)


def load_keras(
    source: str | Path | None,
    *,
    builder: str | None = None,
    weights: str | Path | None = None,
    custom_objects: Sequence[str] = (),
    unsafe: bool = False,
) -> keras.Model:
    """Open a Keras model.

    Args:
        source: a `.keras` or `.h5` file; None when `builder` is given.
        builder: ``pkg.module:function`` that returns the bare network; the working directory is importable.
        weights: what to load into the network that `builder` returns, as `rewriter.tensorflow.weights.load_weights`.
        custom_objects: ``pkg.module:Class`` of layers that the file names.
        unsafe: let Lambda layers run code from the file.

    Raises:
        UsageError: source and builder are both given or both missing, or the builder is not found.
        InputError: the file is missing, not a Keras file, or its weights do not fit.
        UnsupportedError: the file holds Lambda layers or layers that are not installed.
    """
    if (source is None) == (builder is None):
        raise UsageError("give either a model file or --builder", remedy="see `rewriter convert --help`")
    if weights is not None and builder is None:
        raise UsageError("--weights needs --builder", remedy="name the function that builds the network")
    if builder is not None:
        return _build(builder, weights)
    assert source is not None
    return _load_file(Path(source), custom_objects, unsafe)


def load_saved_model(path: str | Path, signature: str = "serving_default") -> SavedModel:
    """Open a SavedModel directory.

    Raises:
        InputError: not a SavedModel, or it cannot be read.
        UsageError: it has no such signature.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise InputError("no such directory", file=directory)
    if not is_saved_model(directory):
        raise InputError("the directory holds no saved_model.pb", file=directory)
    tf = import_tensorflow(_PURPOSE)
    try:
        owner = tf.saved_model.load(str(directory))
    except Exception as error:  # TensorFlow raises many kinds, none of them documented
        raise InputError(
            f"TensorFlow cannot read this SavedModel: {_first_line(error)}", file=directory
        ) from error
    if signature not in owner.signatures:
        names = ", ".join(owner.signatures) or "none"
        raise UsageError(f"no signature '{signature}'", file=directory, remedy=f"it has: {names}")
    return SavedModel(directory, signature, owner.signatures[signature], owner)


def _load_file(path: Path, custom_objects: Sequence[str] = (), unsafe: bool = False) -> keras.Model:
    if not path.exists():
        raise InputError("no such file", file=path)
    if path.is_dir() or path.suffix not in (".keras", ".h5", ".hdf5"):
        raise InputError(
            "not a Keras model",
            file=path,
            remedy="give a .keras or .h5 file, a SavedModel directory, a frozen .pb or a .tflite file",
        )
    if path.suffix == ".keras":
        check_archive(path)
    else:
        check_hdf5(path)
    import_tensorflow(_PURPOSE)
    import keras

    importlib.import_module("rewriter.tensorflow.layers")  # registers the layers that files may name
    named = [_named_by_user("--custom-object", name) for name in custom_objects]
    classes = {found.__name__: found for found in named}
    try:
        return keras.saving.load_model(path, custom_objects=classes, compile=False, safe_mode=not unsafe)
    except Exception as error:  # Keras wraps causes of many kinds in ValueError, TypeError, OSError
        raise _explained(error, path) from error


def _explained(error: Exception, path: Path) -> InputError | UnsupportedError:
    text = str(error)
    if ("Lambda" in text and "unsafe" in text) or "safe_mode" in text:
        return UnsupportedError(
            "the file holds a Lambda layer, which would run code from the file",
            file=path,
            remedy="build the network from code (--builder pkg.module:function --weights FILE), or, if you trust the "
            "file, let it run (--unsafe)",
        )
    missing = _MISSING_CLASS.search(text)
    if missing:
        return UnsupportedError(
            f"the file names a layer that is not installed: {missing['name']}",
            file=path,
            remedy=f"name its class (--custom-object pkg.module:{missing['name'].rpartition('>')[2]}), or build the "
            "network from code: --builder pkg.module:function --weights FILE",
        )
    if path.name.endswith(".weights.h5") or "No model config found" in text:
        return InputError(
            "the file holds weights, but no network",
            file=path,
            remedy="build the network from code: --builder pkg.module:function --weights FILE",
        )
    return InputError(f"Keras cannot read this file: {_first_line(error)}", file=path)


def _build(builder: str, weights: str | Path | None) -> keras.Model:
    _split(builder)
    if weights is not None and not weights_exist(Path(weights)):
        raise InputError("no such weights file", file=weights)
    import_tensorflow(_PURPOSE)
    import keras

    function = _named_by_user("--builder", builder)
    try:
        model = function()
    except RewriterError:
        raise
    except Exception as error:  # the user's own code
        cause = f"{type(error).__name__}: {_first_line(error)}"
        raise UsageError(f"--builder: {builder} failed with {cause}") from error
    if not isinstance(model, keras.Model):
        raise UsageError(f"--builder: {builder} returned {type(model).__name__}, not a Keras model")
    if weights is not None:
        load_weights(model, Path(weights))
    return model


def _split(name: str) -> tuple[str, str]:
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise UsageError(f"'{name}' is not of the form pkg.module:function")
    return module_name, attribute


def _named_by_user(option: str, name: str) -> Any:
    """A function or class of the user's own code, ``pkg.module:name``; the working directory is importable."""
    module_name, attribute = _split(name)
    working_directory = str(Path.cwd())
    if working_directory not in sys.path:
        # Console scripts, unlike `python -m`, do not see the user's own modules.
        sys.path.insert(0, working_directory)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(f"{option}: no module named '{error.name}'") from error
    except AttributeError as error:
        raise UsageError(f"{option}: '{module_name}' has no function '{attribute}'") from error
    if not callable(found):
        raise UsageError(f"{option}: {name} is not callable")
    return found


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")[:300]

"""Trained weights for a network that was built from code: every one finds its place, and every place its weight."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewriter.archive import check_hdf5, read_npz
from rewriter.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    import keras

__all__ = ["load_weights", "weights_exist"]

_SHOWN = 6
_NUMBERED = re.compile(r"arr_(\d+)$")
_LAYER = re.compile(r"(?:model/)?layer_with_weights-(\d+)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE$")
_NOT_WEIGHTS = re.compile(
    r"optimizer|seed_generator|_CHECKPOINTABLE_OBJECT_GRAPH|save_counter|\.OPTIMIZER_SLOT|metrics"
)


def weights_exist(path: Path) -> bool:
    """Whether `path` is a file, or the prefix of a TensorFlow checkpoint."""
    return path.is_file() or path.with_name(path.name + ".index").is_file()


def load_weights(model: keras.Model, path: Path) -> None:
    """Load trained weights into a network, and prove that all of them arrived.

    Args:
        model: the network; its weights are replaced. Where this fails they are not usable.
        path: ``.weights.h5`` or ``.h5`` of Keras 3 or 2, ``.npz`` (by name, or in the order of `get_weights`), or a
            TensorFlow checkpoint (its prefix, or its ``.index`` file).

    Raises:
        InputError: not readable, or a weight without a place, a place without a weight, or a shape that does not
            fit; they are listed.
        UnsupportedError: a file of another kind.
    """
    if path.suffix in (".h5", ".hdf5", ".keras"):
        _from_keras(model, path)
    elif path.suffix == ".npz":
        _assign(model, path, read_npz(path))
    elif path.suffix == ".index" or path.with_name(path.name + ".index").is_file():
        _from_checkpoint(model, path)
    else:
        raise UnsupportedError(
            "weights of this kind are not read",
            file=path,
            remedy="give .weights.h5, .h5, .npz or a TensorFlow checkpoint",
        )


def _places(model: keras.Model) -> list[Any]:
    """The variables that are trained or counted; not the states of random generators."""
    return [variable for variable in model.variables if "seed_generator" not in variable.path]


def _from_keras(model: keras.Model, path: Path) -> None:
    """Keras fills what it finds a place for and only warns of the rest: so what stays unfilled is looked for."""
    if path.suffix != ".keras":
        check_hdf5(path)
    places = [variable for variable in _places(model) if np.dtype(_numpy_name(variable)).kind == "f"]
    for variable in places:
        variable.assign(np.full(variable.shape, np.nan, _numpy_name(variable)))
    said: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.load_weights(path)
        said = [
            str(entry.message).splitlines()[0] for entry in caught if "weight" in str(entry.message).lower()
        ]
    except Exception as error:  # Keras wraps causes of many kinds in ValueError, TypeError, OSError
        raise InputError(
            f"the weights do not fit the network '{model.name}': {_first_line(error)}", file=path
        ) from error
    unfilled = [
        f"{variable.path} {list(variable.shape)}"
        for variable in places
        if np.all(np.isnan(np.asarray(variable, dtype=np.float32)))
    ]
    _require(model, path, unfilled, _superfluous(model, path), said)


def _numpy_name(variable: Any) -> str:
    # Keras' variables of bfloat16 are filled by way of float32.
    return "float32" if variable.dtype == "bfloat16" else str(variable.dtype)


def _superfluous(model: keras.Model, path: Path) -> list[str]:
    """Weights in the file that the network has no place for, told by their shapes."""
    import h5py

    stored: list[tuple[str, tuple[int, ...]]] = []

    def note(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and not _NOT_WEIGHTS.search(name):
            stored.append((name, tuple(entry.shape)))

    if path.suffix == ".keras":
        return []
    with h5py.File(path, "r") as file:
        file.visititems(note)
    room = Counter(tuple(variable.shape) for variable in _places(model))
    left = []
    for name, shape in stored:
        if room[shape]:
            room[shape] -= 1
        else:
            left.append(f"{name} {list(shape)}")
    return left


def _assign(model: keras.Model, path: Path, given: Mapping[str, np.ndarray]) -> None:
    """By name; or, where all are called arr_0, arr_1, …, in the order of `get_weights`."""
    places = _places(model)
    numbers = [_NUMBERED.match(name) for name in given]
    if given and all(numbers):
        order = sorted(given, key=lambda name: int(name.rpartition("_")[2]))
        names = dict(zip((variable.path for variable in places), order, strict=False))
    else:
        names = {variable.path: _named(variable.path, given) for variable in places}
    unfilled, taken = [], set()
    for variable in places:
        name = names.get(variable.path, "")
        array = given.get(name)
        if array is None:
            unfilled.append(f"{variable.path} {list(variable.shape)}")
            continue
        taken.add(name)
        if tuple(array.shape) != tuple(variable.shape):
            unfilled.append(
                f"{variable.path} {list(variable.shape)} (the file's {name} is {list(array.shape)})"
            )
            continue
        variable.assign(array)
    _require(model, path, unfilled, [f"{n} {list(given[n].shape)}" for n in given if n not in taken], [])


def _named(place: str, given: Mapping[str, np.ndarray]) -> str:
    """The entry of this name; with or without the network's name in front, or ``:0`` behind."""
    without = place.partition("/")[2]
    wanted = (place, f"{place}:0", without, f"{without}:0")
    return next((name for name in wanted if name in given), "")


def _from_checkpoint(model: keras.Model, path: Path) -> None:
    """A checkpoint that Keras 2 wrote: layers are counted, and their variables named by attributes."""
    import tensorflow as tf

    prefix = path.with_suffix("") if path.suffix == ".index" else path
    try:
        reader = tf.train.load_checkpoint(str(prefix))
    except Exception as error:  # TensorFlow raises many kinds, none of them documented
        raise InputError(
            f"TensorFlow cannot read this checkpoint: {_first_line(error)}", file=path
        ) from error
    layers = [layer for layer in model.layers if layer.weights]
    by_place = {id(variable): variable.path for variable in _places(model)}
    given: dict[str, np.ndarray] = {}
    for key in reader.get_variable_to_shape_map():
        if _NOT_WEIGHTS.search(key):
            continue
        found = _LAYER.match(key)
        variable = None if found is None else _attribute(layers, int(found[1]), found[2].split("/"))
        given[by_place.get(id(variable), key)] = reader.get_tensor(key)
    _assign(model, path, given)


def _attribute(layers: list[Any], number: int, names: Iterable[str]) -> Any:
    value: Any = layers[number] if number < len(layers) else None
    for name in names:
        value = getattr(value, name, getattr(value, f"_{name}", None))
    return value


def _require(
    model: keras.Model, path: Path, unfilled: list[str], superfluous: list[str], said: list[str]
) -> None:
    """Refuse a network of which a part is as it was made, or a file of which a part was not used."""
    if not unfilled and not superfluous:
        return
    parts = []
    if unfilled:
        parts.append(
            f"{len(unfilled)} of its {len(_places(model))} weights got no value ({_listing(unfilled)})"
        )
    if superfluous:
        parts.append(f"{len(superfluous)} in the file have no place ({_listing(superfluous)})")
    if said:
        parts.append(f"Keras says: {said[0]}")
    raise InputError(
        f"the weights do not fit the network '{model.name}': {'; '.join(parts)}",
        file=path,
        remedy="build the network that was trained, with the same layers in the same order",
    )


def _listing(entries: list[str]) -> str:
    more = f", and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return ", ".join(entries[:_SHOWN]) + more


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")[:300]

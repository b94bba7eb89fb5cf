"""Weights for a network built from code: all of them arrive, or the command says which did not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewriter.errors import InputError, UnsupportedError
from rewriter.tensorflow.load import load_keras

HERE = "tests.tensorflow.test_trained_weights"


def build(extra: bool = False, filters: int = 4) -> Any:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(filters, 3, padding="same", name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    if extra:
        x = layers.Conv2D(5, 1, name="extra")(x)
    x = layers.Dropout(0.2, seed=1)(x)
    return keras.Model(image, layers.Conv2D(2, 1, name="last")(x), name="net")


def build_extra() -> Any:
    return build(extra=True)


def build_wide() -> Any:
    return build(filters=6)


def trained() -> Any:
    network = build()
    random = np.random.default_rng(0)
    for variable in network.variables:
        if "seed" not in variable.path:
            variable.assign(random.uniform(0.5, 1, variable.shape))
    return network


def values(network: Any) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in network.variables if "seed" not in variable.path]


def _write(kind: str, folder: Path) -> Path:
    network = trained()
    if kind in ("net.weights.h5", "legacy.h5"):
        target = folder / kind
        if kind == "net.weights.h5":
            network.save_weights(target)
        else:
            network.save(target)
        return target
    if kind == "names.npz":
        named = {v.path: np.asarray(v) for v in network.variables if "seed" not in v.path}
        np.savez(folder / kind, **named)
        return folder / kind
    if kind == "order.npz":
        np.savez(folder / kind, *values(network))
        return folder / kind
    import tensorflow as tf

    weighted = [layer for layer in network.layers if layer.weights]
    holders = {
        f"layer_with_weights-{index}": tf.train.Checkpoint(
            **{name: tf.Variable(np.asarray(getattr(layer, name))) for name in _attributes(layer)}
        )
        for index, layer in enumerate(weighted)
    }
    return Path(tf.train.Checkpoint(**holders).save(str(folder / "ckpt")))


def _attributes(layer: Any) -> list[str]:
    names = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]
    return [name for name in names if getattr(layer, name, None) is not None]


@pytest.mark.parametrize("kind", ["net.weights.h5", "legacy.h5", "names.npz", "order.npz", "checkpoint"])
def test_every_weight_arrives(kind: str, tmp_path: Path) -> None:
    loaded = load_keras(None, builder=f"{HERE}:build", weights=_write(kind, tmp_path))
    for found, expected in zip(values(loaded), values(trained()), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["net.weights.h5", "legacy.h5", "names.npz", "order.npz", "checkpoint"])
@pytest.mark.parametrize("builder", ["build_extra", "build_wide"])
def test_another_network_is_refused(kind: str, builder: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not fit the network 'net'"):
        load_keras(None, builder=f"{HERE}:{builder}", weights=_write(kind, tmp_path))


def test_what_got_no_value_is_listed(tmp_path: Path) -> None:
    path = _write("names.npz", tmp_path)
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files if "gamma" not in name}
    np.savez(path, stray=np.zeros(3), **kept)
    with pytest.raises(InputError) as caught:
        load_keras(None, builder=f"{HERE}:build", weights=path)
    assert "1 of its 8 weights got no value (norm/gamma [4])" in str(caught.value)
    assert "1 in the file have no place (stray [3])" in str(caught.value)


def test_a_file_with_more_than_the_network_takes_is_refused(tmp_path: Path) -> None:
    import h5py

    path = _write("net.weights.h5", tmp_path)
    with h5py.File(path, "a") as file:
        file["layers/another/vars/0"] = np.zeros((7, 7), np.float32)
    with pytest.raises(InputError, match=r"layers/another/vars/0 \[7, 7\]"):
        load_keras(None, builder=f"{HERE}:build", weights=path)


def test_pickled_and_unknown_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"not a readable \.npz"):
        load_keras(None, builder=f"{HERE}:build", weights=tmp_path / "w.npz")
    (tmp_path / "w.bin").write_bytes(b"x")
    with pytest.raises(UnsupportedError, match="of this kind"):
        load_keras(None, builder=f"{HERE}:build", weights=tmp_path / "w.bin")

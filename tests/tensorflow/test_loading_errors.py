"""Files that cannot be opened: the right kind of error, and a sentence that names the file and the cause."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.errors import InputError, UnsupportedError, UsageError
from rewriter.tensorflow.load import load, load_keras, load_saved_model
from tests.tensorflow.tensorflow_networks import keras, signature_of, tf, tiny_network

HERE = "tests.tensorflow.test_loading_errors"


def build_tiny():
    return tiny_network()


def build_failing():
    raise RuntimeError("no such backbone")


def build_number():
    return 3


@pytest.mark.parametrize("name", ["missing.keras", "missing.h5", "missing", "missing/net.keras"])
def test_missing(tmp_path, name):
    with pytest.raises(InputError, match="no such file") as caught:
        load(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_truncated(tmp_path, suffix, kept):
    path = tmp_path / f"net{suffix}"
    tiny_network().save(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx", ".txt"])
def test_not_keras(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_text("hello")
    with pytest.raises(InputError, match="not a"):
        load(path)


def test_a_zip_that_is_no_keras_file(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    (tmp_path / "arrays.npz").rename(tmp_path / "net.keras")
    with pytest.raises(InputError, match="Keras cannot read"):
        load(tmp_path / "net.keras")


def test_weights_are_no_network(tmp_path):
    tiny_network().save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(InputError) as caught:
        load(tmp_path / "net.weights.h5")
    assert "--builder" in caught.value.remedy


def _save_with(layer, path):
    image = keras.Input((4, 4, 1))
    keras.Model(image, layer(image)).save(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    _save_with(keras.layers.Lambda(lambda x: x * 2, output_shape=(4, 4, 1)), path)
    with pytest.raises(UnsupportedError, match="Lambda") as caught:
        load(path)
    assert "--builder" in caught.value.remedy


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_layer_that_is_not_installed(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    _save_with(Unregistered(), path)
    if suffix == ".keras":
        _forget_module(path)
    with pytest.raises(UnsupportedError, match="Unregistered") as caught:
        load(path)
    assert "--builder" in caught.value.remedy


def _forget_module(path):
    """As if the file came from a machine with another package."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["config.json"] = entries["config.json"].replace(HERE.encode(), b"their_package.layers")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def test_directories(tmp_path):
    with pytest.raises(InputError, match="saved_model"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        load_saved_model(tmp_path / "missing")
    (tmp_path / "saved_model.pb").write_bytes(b"hello")
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path)


def test_truncated_saved_model(tmp_path):
    tf.saved_model.save(signature_of(lambda x: x + 1, (1, 4)), str(tmp_path))
    file = tmp_path / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path)


def test_unknown_signature(tmp_path):
    tf.saved_model.save(signature_of(lambda x: x + 1, (1, 4)), str(tmp_path))
    with pytest.raises(UsageError, match="serving_default"):
        load_saved_model(tmp_path, "train")


@pytest.mark.parametrize(
    ("builder", "cause"),
    [
        ("models.segmenter", "pkg.module:function"),
        (":build", "pkg.module:function"),
        ("models.segmenter:", "pkg.module:function"),
        ("no_such_package.nets:build", "no_such_package"),
        ("models.no_such_module:build", "models.no_such_module"),
        ("models.segmenter:no_such_function", "no_such_function"),
        ("models.segmenter:__all__", "not callable|cannot be called"),
        (f"{HERE}:build_number", "int, not a Keras model"),
        (f"{HERE}:build_failing", "no such backbone"),
    ],
)
def test_bad_builders(builder, cause):
    with pytest.raises(UsageError, match=cause):
        load_keras(None, builder=builder)


def test_weights_that_do_not_fit(tmp_path):
    image = keras.Input((4, 4, 1))
    other = keras.Model(image, keras.layers.Conv2D(2, 1, name="conv")(image))
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "empty.weights.h5").write_bytes(b"")
    for name in ("other.weights.h5", "empty.weights.h5"):
        with pytest.raises(InputError, match=r"do not fit|not an HDF5 file") as caught:
            load_keras(None, builder=f"{HERE}:build_tiny", weights=tmp_path / name)
        assert caught.value.file == str(tmp_path / name)
    with pytest.raises(InputError, match="no such weights"):
        load_keras(None, builder=f"{HERE}:build_tiny", weights=tmp_path / "missing.weights.h5")


def test_contradictory_arguments(tmp_path):
    for arguments in (
        {"source": None},
        {"source": tmp_path / "a.keras", "builder": f"{HERE}:build_tiny"},
        {"source": tmp_path, "builder": f"{HERE}:build_tiny"},
        {"source": tmp_path / "a.keras", "weights": tmp_path / "b.weights.h5"},
        {"source": tmp_path, "weights": tmp_path / "b.weights.h5"},
    ):
        with pytest.raises(UsageError):
            load(**arguments)

"""Archives that would write elsewhere, link away or unpack to too much are refused unopened."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from rewriter import archive
from rewriter.errors import InputError
from rewriter.tensorflow.load import load_keras
from rewriter.tensorflow.weights import load_weights


def write(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..\\x", "/etc/x", "C:\\x", "\\\\host\\x"])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path, name):
    hostile = write(tmp_path / "m.keras", ("config.json", b"{}"), (name, b"x"))
    with pytest.raises(InputError, match=r"absolute name|leads out"):
        load_keras(hostile)


def test_a_symbolic_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("model.weights.h5")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="symbolic link"):
        load_keras(write(tmp_path / "m.keras", (link, b"/etc/passwd")))


def test_a_zip_bomb_is_refused(tmp_path):
    with pytest.raises(InputError, match="200 times its size"):
        load_keras(write(tmp_path / "m.keras", ("model.weights.h5", bytes(8 * 2**20))))


def test_too_much_in_total_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 9)
    with pytest.raises(InputError, match="10 bytes, more than 9"):
        load_keras(write(tmp_path / "m.keras", ("a", b"12345"), ("b", b"12345")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="occurs twice"):
        load_keras(write(tmp_path / "m.keras", ("config.json", b"{}"), ("config.json", b"[]")))


def test_an_ordinary_archive_passes(tmp_path):
    ordinary = write(tmp_path / "m.keras", ("config.json", b"{}" * 99), ("assets/..name", b"x"))
    archive.check_archive(ordinary)


def hdf5(path: Path, fill: Callable[[Any], Any]) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("layers").create_dataset("kernel", data=np.zeros((3, 3), np.float32))
        fill(file)
    return path


HDF5 = {
    "is a link into": lambda f: f.__setitem__("secret", h5py.ExternalLink("other.h5", "/layers/kernel")),
    "is stored in": lambda f: f.create_dataset("x", (2, 2), np.float32, external=[("raw.bin", 0, 16)]),
    "put together": lambda f: f.create_virtual_dataset("v", _virtual()),
    "200 times": lambda f: f.create_dataset(
        "z", (9000, 9000), np.float32, chunks=(900, 900), compression="gzip"
    ),
    "nested more": lambda f: f.create_group("/".join("g" * 99)),
}


def _virtual() -> Any:
    layout = h5py.VirtualLayout((3, 3), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "layers/kernel", (3, 3))
    return layout


@pytest.mark.parametrize("reason", HDF5)
def test_hostile_hdf5_files_are_refused(reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hdf5(tmp_path / "other.h5", lambda f: None)
    (tmp_path / "raw.bin").write_bytes(bytes(16))
    hostile = hdf5(tmp_path / "net.h5", HDF5[reason])
    if reason in ("is a link into", "is stored in", "put together"):  # h5py would follow them
        with h5py.File(hostile) as file:
            name = next(name for name in file if name != "layers")
            assert file[name][()].shape in ((3, 3), (2, 2))
    with pytest.raises(InputError, match=reason):
        load_keras(hostile)
    hostile.rename(tmp_path / "net.weights.h5")
    with pytest.raises(InputError, match=reason):
        load_weights(
            keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]), tmp_path / "net.weights.h5"
        )


def test_pickles_and_claims_in_npz_files_are_refused(tmp_path):
    np.savez(tmp_path / "pickle.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(InputError, match="pickled"):
        archive.read_npz(tmp_path / "pickle.npz")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    write(tmp_path / "claim.npz", ("a.npy", header.getvalue() + bytes(8)))
    with pytest.raises(InputError, match="longer than the file"):
        archive.read_npz(tmp_path / "claim.npz")
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a.npy", "w") as a,
    ):
        for _ in range(65):
            a.write(bytes(2**24))
    with pytest.raises(InputError, match="unpacks to"):
        archive.read_npz(tmp_path / "bomb.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "pickle.npz").read_bytes()[:-30])
    with pytest.raises(InputError, match="not a readable"):
        archive.read_npz(tmp_path / "cut.npz")
    np.savez_compressed(tmp_path / "good.npz", a=np.zeros((1000, 1000)), b=np.float16(2))
    found = archive.read_npz(tmp_path / "good.npz")
    assert found["a"].shape == (1000, 1000) and found["b"] == 2

"""Archives that would write elsewhere, link away or unpack to too much are refused unopened."""

import stat
import zipfile
from pathlib import Path

import pytest

from rewriter.errors import InputError
from rewriter.tensorflow import archive
from rewriter.tensorflow.load import load_keras


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

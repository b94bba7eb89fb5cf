"""External data that leads elsewhere is refused; each test shows first that the file would have been reached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from rewriter.cli.main import main as rewriter_command
from rewriter.cli.rewrite import main as rewrite_command
from rewriter.errors import InputError
from rewriter.model import Model
from rewriter.model.external import check_location
from tests.model.onnx_models import info, make_model

VALUES = np.arange(4, dtype=np.float32)


def external(name: str, **entries: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def model_with(*tensors: TensorProto) -> onnx.ModelProto:
    nodes, last = [], "x"
    for index, tensor in enumerate(tensors):
        nodes.append(helper.make_node("Add", [last, tensor.name], [f"y{index}"]))
        last = f"y{index}"
    nodes.append(helper.make_node("Resize", [last, "", "s"], ["y"], name="up", mode="linear"))
    sizes = onnx.numpy_helper.from_array(np.array([2], np.float32), "s")
    return make_model(nodes, [info("x", [4])], [info("y", [8])], [*tensors, sizes])


def refused(path: Path, reason: str) -> None:
    """By the library, by `rewrite` and by `rewriter inspect`; nothing is written."""
    before = sorted(each for each in path.parent.rglob("*") if not each.is_dir())
    with pytest.raises(InputError, match=reason):
        Model.load(path)
    for command, arguments in (
        (rewrite_command, [str(path), "-o", str(path.parent / "out.onnx")]),
        (rewriter_command, ["inspect", str(path)]),
        (rewriter_command, ["coreml", str(path), "-o", str(path.parent / "out.mlpackage")]),
        (rewriter_command, ["verify", str(path), str(path)]),
    ):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
    assert sorted(each for each in path.parent.rglob("*") if not each.is_dir()) == before


def absolute(folder: Path, secret: Path) -> str:
    return str(secret)


def climbing(folder: Path, secret: Path) -> str:
    return f"../{secret.name}"


def climbing_inside(folder: Path, secret: Path) -> str:
    (folder / "data").mkdir()
    return f"data/../../{secret.name}"


def symbolic_link(folder: Path, secret: Path) -> str:
    (folder / "w.bin").symlink_to(secret)
    return "w.bin"


def linked_folder(folder: Path, secret: Path) -> str:
    (folder / "data").symlink_to(secret.parent)
    return f"data/{secret.name}"


def hard_link(folder: Path, secret: Path) -> str:
    os.link(secret, folder / "w.bin")
    return "w.bin"


ATTACKS: list[tuple[Callable[[Path, Path], str], str]] = [
    (absolute, "absolute path"),
    (climbing, "leads out"),
    (climbing_inside, "leads out"),
    (symbolic_link, "symbolic link"),
    (linked_folder, "symbolic link"),
    (hard_link, "several names"),
]


@pytest.mark.parametrize(("attack", "reason"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_a_secret_beside_the_model_is_not_read(
    attack: Callable[[Path, Path], str], reason: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(VALUES.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    location = attack(folder, secret)
    # What a reader without checks does: it joins the two names and opens what is there.
    reached = np.fromfile(f"{folder}/{location}" if not location.startswith("/") else location, np.float32)
    np.testing.assert_array_equal(reached, VALUES)
    onnx.save(model_with(external("w", location=location)), folder / "m.onnx")
    refused(folder / "m.onnx", reason)


def test_a_pipe_would_stop_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.bin")
    # A plain read waits for somebody to write.
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", "open('w.bin', 'rb').read()"], cwd=tmp_path, timeout=1, check=False
        )
    onnx.save(model_with(external("w", location="w.bin")), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", "no regular file")


def test_a_folder_is_no_data_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    onnx.save(model_with(external("w", location="data")), tmp_path / "m.onnx")
    assert (tmp_path / "data").exists()
    refused(tmp_path / "m.onnx", "no regular file")


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("C:\\secret.bin", "absolute"),
        ("C:secret.bin", "absolute"),
        ("\\\\host\\share\\w.bin", "absolute"),
        ("\\w.bin", "absolute"),
        ("..\\secret.bin", "backslash"),
        ("data\\w.bin", "backslash"),
        ("w.bin:stream", "absolute"),
        ("nul", "Windows"),
        ("data/COM1.bin", "Windows"),
        ("data. /w.bin", "Windows"),
        ("", "names no file"),
        (".", "names no file"),
        ("a\nb", "control"),
        ("a\0b", "control"),
    ],
)
def test_names_that_are_something_else_on_windows(location: str, reason: str, tmp_path: Path) -> None:
    assert reason in (check_location(location) or "")
    onnx.save(model_with(external("w", location=location)), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", reason)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": "-4"}, "'-4' as the offset"),
        ({"offset": "0x10"}, "as the offset"),
        ({"length": "1e3"}, "as the length"),
        ({"length": "99999999999999999999999"}, "as the length"),
        ({"offset": "9223372036854775807", "length": "9223372036854775807"}, "which has 32"),
        ({"offset": "20", "length": "16"}, "which has 32"),
        ({"length": "64"}, "which has 32"),
    ],
)
def test_parts_that_are_not_in_the_file(entries: dict[str, str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(32))
    onnx.save(model_with(external("w", location="w.bin", **entries)), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", reason)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    data = model_with(external("w", location="weights")).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data.replace(b"weights", b"we\xffghts"))
    refused(tmp_path / "m.onnx", "not UTF-8")


def test_two_locations_for_two_readers(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(VALUES.tobytes())
    tensor = external("w", location="w.bin")
    second = tensor.external_data.add()
    second.key, second.value = "location", "../secret.bin"
    read = {entry.key: entry.value for entry in tensor.external_data}
    assert read["location"] == "../secret.bin"  # what a reader that takes the last one opens
    onnx.save(model_with(tensor), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", "says twice")


def test_parts_that_overlap(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    a = external("a", location="w.bin", offset="0", length="16")
    b = external("b", location="w.bin", offset="8", length="16")
    for tensor, wanted in ((a, [0, 1, 2, 3]), (b, [2, 3, 4, 5])):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        with (tmp_path / entries["location"]).open("rb") as stream:
            stream.seek(int(entries["offset"]))
            np.testing.assert_array_equal(np.frombuffer(stream.read(16), np.float32), wanted)
    onnx.save(model_with(a, b), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", "overlap")


def test_honest_data_is_read_and_carried_along(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    same = {"location": "data/w.bin", "offset": "16", "length": "16"}
    tensors = (
        external("a", location="data/w.bin", offset="0", length="16"),
        external("b", **same),
        external("c", **same),
    )
    onnx.save(model_with(*tensors), tmp_path / "m.onnx")
    out = tmp_path / "elsewhere" / "out.onnx"
    out.parent.mkdir()
    result = CliRunner().invoke(rewrite_command, [str(tmp_path / "m.onnx"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert (out.parent / "data" / "w.bin").read_bytes() == (tmp_path / "data" / "w.bin").read_bytes()


def test_nothing_is_written_through_a_link_in_the_output_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data").mkdir()
    (tmp_path / "in" / "data" / "w.bin").write_bytes(VALUES.tobytes())
    onnx.save(model_with(external("w", location="data/w.bin")), tmp_path / "in" / "m.onnx")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").symlink_to(outside)
    result = CliRunner().invoke(
        rewrite_command, [str(tmp_path / "in" / "m.onnx"), "-o", str(tmp_path / "out" / "m.onnx")]
    )
    assert result.exit_code == 2, result.output
    assert list(outside.iterdir()) == []
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["data"]

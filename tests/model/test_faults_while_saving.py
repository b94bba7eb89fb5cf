"""A save that is killed, or runs out of room, leaves the old file or the new one, and nothing else."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rewriter.model import Model
from tests.model.large_models import large_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
COMMAND = [sys.executable, "-m", "rewriter.cli.rewrite"]


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _kill_at(moment: float, file: Path) -> int:
    """Start a rewrite in place and kill it `moment` seconds after its temporary file appeared; its exit code."""
    process = subprocess.Popen([*COMMAND, file, "--in-place", "--no-check"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and len(_names(file.parent)) < 2 and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def test_killed_at_random_moments(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    large_model(file, 100)
    old = file.read_bytes()
    model = Model.load(file)
    import passes

    passes.run(model)
    new = model.to_bytes()
    assert len(new) > len(old)
    clock = random.Random(7)
    codes, abandoned = [], 0
    for _ in range(12):
        file.write_bytes(old)
        codes.append(_kill_at(clock.uniform(0, 0.06), file))
        abandoned += len(_names(tmp_path)) - 1
        assert file.read_bytes() in (old, new)
    assert codes.count(-signal.SIGKILL) >= 6, "most of these processes must have been killed"
    assert abandoned, "none of these moments was during the save"
    file.write_bytes(old)
    subprocess.run([*COMMAND, file, "--in-place", "--no-check"], check=True, stdout=subprocess.DEVNULL)
    assert file.read_bytes() == new
    assert _names(tmp_path) == ["m.onnx"]


def test_the_temporary_file_of_a_living_process_stays(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from rewriter.atomic import temporary_beside\n"
        f"with temporary_beside({str(tmp_path / 'a')!r}) as path:\n"
        "    print(path.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    file = tmp_path / "m.onnx"
    large_model(file, 2)
    subprocess.run([*COMMAND, file, "--in-place", "--no-check"], check=True, stdout=subprocess.DEVNULL)
    assert _names(tmp_path) == [name, "m.onnx"]
    process.communicate("")
    assert process.returncode == 0
    assert _names(tmp_path) == ["a", "m.onnx"]


@pytest.mark.parametrize("in_place", [False, True])
def test_no_room_is_one_sentence_and_leaves_nothing(in_place: bool, tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    large_model(file, 8)
    old = file.read_bytes()

    def limit() -> None:
        # As a full disk: the write fails half way, here with EFBIG.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))

    where = ["--in-place"] if in_place else ["-o", tmp_path / "out.onnx"]
    done = subprocess.run(
        [*COMMAND, file, *where, "--no-check"], preexec_fn=limit, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "cannot write" in done.stderr
    assert "free some space" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert _names(tmp_path) == ["m.onnx"]
    assert file.read_bytes() == old


def test_a_full_disk(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        file = tmp_path / "m.onnx"
        large_model(file, 8)
        done = subprocess.run(
            [*COMMAND, file, "-o", small / "out.onnx", "--no-check"], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert "No space left on device" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert _names(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_directory(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the administrator may write everywhere")
    file = tmp_path / "m.onnx"
    large_model(file, 2)
    tmp_path.chmod(0o500)
    try:
        done = subprocess.run([*COMMAND, file, "--in-place"], capture_output=True, text=True)
    finally:
        tmp_path.chmod(0o700)
    assert done.returncode == 2
    assert "cannot write there" in done.stderr

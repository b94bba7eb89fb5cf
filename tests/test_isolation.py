"""Work in another process: results come back, and a crash is an error of ours."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rewriter import isolation
from rewriter.cli.rewrite import main
from rewriter.isolation import CrashError, elsewhere
from tests.hostile.fuzzing.running import input_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks here")


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests leave TensorFlow and threads behind."""
    monkeypatch.setattr(isolation, "_can_fork", lambda: True)


@linux
def test_results_and_the_process(forks: None) -> None:
    with elsewhere(lambda: {"pid": os.getpid(), "text": "x" * 300_000}) as result:
        here = os.getpid()
        found = result()
    assert found["pid"] != here and len(found["text"]) == 300_000


@linux
@pytest.mark.parametrize(
    ("crash", "words"),
    [(os.abort, "Aborted"), (lambda: ctypes.string_at(0), "Segmentation"), (lambda: 1 / 0, "exit code 1")],
)
def test_a_crash(crash: Any, words: str, forks: None, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CrashError, match=words), elsewhere(crash) as result:
        result()
    assert capfd.readouterr() == ("", "")


@linux
def test_no_process_is_left_when_the_block_fails(forks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    fork = os.fork

    def remembered() -> int:
        child = fork()
        children.append(child)
        return child

    monkeypatch.setattr(os, "fork", remembered)
    with pytest.raises(KeyboardInterrupt), elsewhere(lambda: signal.pause() or {}):
        raise KeyboardInterrupt
    (child,) = children
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def test_a_thread_where_there_are_others() -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        assert not isolation._can_fork()
        with elsewhere(lambda: {"pid": os.getpid()}) as result:
            assert result() == {"pid": os.getpid()}
    finally:
        stop.set()
        other.join()


@linux
def test_a_model_that_brings_onnxruntime_down_is_refused(forks: None, tmp_path: Path) -> None:
    # Found by fuzzing: a Loop whose body onnxruntime 1.32 indexes out of bounds.
    (tmp_path / "in.onnx").write_bytes(input_of("rewrite", 7, 2064)[1])
    result = CliRunner().invoke(main, [str(tmp_path / "in.onnx"), "-o", str(tmp_path / "out.onnx")])
    assert result.exit_code == 2
    assert "onnxruntime does not load it" in " ".join(result.output.split())
    assert not (tmp_path / "out.onnx").exists()

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
from onnx import helper

from rewriter import isolation
from rewriter.cli.rewrite import main
from rewriter.isolation import CrashError, elsewhere
from rewriter.model import Model
from tests.hostile.fuzzing.running import input_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks here")


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests leave TensorFlow and threads behind."""
    monkeypatch.setattr(isolation, "_can_fork", lambda: True)


@linux
def test_results_and_the_process(forks: None) -> None:
    with elsewhere(lambda: f"{os.getpid()} {'x' * 300_000}".encode()) as result:
        here = os.getpid()
        pid, text = result().split()
    assert int(pid) != here and text == b"x" * 300_000


@linux
def test_two_at_once(forks: None) -> None:
    with elsewhere(lambda: b"x" * 300_000) as first, elsewhere(lambda: b"") as second:
        assert second() == b""
        assert first() == b"x" * 300_000


@linux
@pytest.mark.parametrize(
    ("crash", "words"),
    [
        (os.abort, "Aborted"),
        (lambda: ctypes.string_at(0), "Segmentation"),
        (lambda: os._exit(3), "exit code 3"),
    ],
)
def test_a_crash(crash: Any, words: str, forks: None, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CrashError, match=words), elsewhere(crash) as result:
        result()
    assert capfd.readouterr() == ("", "")


@linux
def test_an_exception_is_that_of_the_parent(forks: None) -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"), elsewhere(lambda: bytes(1 // 0)) as result:
        result()


@linux
def test_no_process_is_left_when_the_block_fails(forks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    fork = os.fork

    def remembered() -> int:
        child = fork()
        children.append(child)
        return child

    monkeypatch.setattr(os, "fork", remembered)
    with pytest.raises(KeyboardInterrupt), elsewhere(lambda: signal.pause() or b""):
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
        with elsewhere(lambda: str(os.getpid()).encode()) as result:
            assert int(result()) == os.getpid()
        with pytest.raises(ZeroDivisionError), elsewhere(lambda: bytes(1 // 0)) as result:
            result()
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


@linux
def test_a_model_that_brings_shape_inference_down_is_refused(forks: None, tmp_path: Path) -> None:
    # Found by fuzzing: onnx 1.23 infers RegexFullMatch of an input without a type.
    (tmp_path / "in.onnx").write_bytes(input_of("reader", 3, 2380)[1])
    result = CliRunner().invoke(main, [str(tmp_path / "in.onnx"), "-o", str(tmp_path / "out.onnx")])
    assert result.exit_code == 2
    assert not (tmp_path / "out.onnx").exists()


@linux
def test_shape_inference_that_crashes_leaves_a_valid_model_readable(forks: None) -> None:
    """A node of an unknown domain has no output type, and onnx 1.23 follows the missing pointer."""
    nodes = [
        helper.make_node("Mystery", ["x"], ["text"], domain="elsewhere"),
        helper.make_node("RegexFullMatch", ["text"], ["y"], pattern="a+"),
    ]
    values = [helper.make_tensor_value_info(name, kind, [1]) for name, kind in (("x", 1), ("y", 9))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("elsewhere", 1)]
    model = Model.from_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    (scope,) = model.scopes()
    assert [node.op for node in scope.graph.nodes] == ["Mystery", "RegexFullMatch"]
    assert model.shape(scope.graph.nodes[0].outputs[0], scope) is None

"""Error sentences and the exit code that goes with them."""

from __future__ import annotations

import json

import pytest

from rewriter.cli.common import reporting_errors
from rewriter.errors import InputError, MissingExtraError, UnsupportedError, require


def test_the_sentence_names_file_node_cause_and_remedy() -> None:
    error = UnsupportedError(
        "rank 6 does not fit Core ML", file="m.onnx", node="up3", remedy="merge two axes"
    )
    assert str(error) == "m.onnx, node 'up3': rank 6 does not fit Core ML; merge two axes"
    assert error.to_json() == {
        "kind": "unsupported",
        "message": "rank 6 does not fit Core ML",
        "file": "m.onnx",
        "node": "up3",
        "remedy": "merge two axes",
    }


def test_exit_code_2_and_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop, reporting_errors():
        raise InputError("no such file", file="m.onnx")
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.err == "error: m.onnx: no such file\n"
    assert captured.out == ""


def test_json_error_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), reporting_errors("-"):
        raise InputError("no such file", file="m.onnx")
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "bad_input"


def test_interrupt_is_130() -> None:
    with pytest.raises(SystemExit) as stop, reporting_errors():
        raise KeyboardInterrupt
    assert stop.value.code == 130


def test_a_missing_extra_gives_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "coremltools", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rewriter\[coreml\]'"):
        require("coremltools", "to write a Core ML model")

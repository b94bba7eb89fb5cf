"""Directories and `--jobs`: every file on its own, failures listed, nothing corrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner

from rewriter.cli.rewrite import main
from rewriter.cli.workers import Crash, run_in_processes
from tests.model.onnx_models import resize_model

RUN = "from rewriter.cli.rewrite import main; main()"


def folder(root: Path, count: int, broken: tuple[int, ...] = ()) -> Path:
    for index in range(count):
        path = root / ("deep" if index % 2 else ".") / f"m{index}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        model = resize_model([1, 1, 3 + index % 5, 4], [None] * 4, scales=[1.0, 1.0, 2.0, 2.0], mode="linear")
        data = model.SerializeToString()
        path.write_bytes(data[: len(data) // 2] if index in broken else data)
    return root


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [str(argument) for argument in arguments]
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
    )


def _same_as_one_by_one(source: Path, target: Path, names: list[Path], scratch: Path) -> None:
    for name in names:
        single = CliRunner().invoke(main, [str(source / name), "-o", str(scratch / "one.onnx")])
        assert single.exit_code == 0
        assert (target / name).read_bytes() == (scratch / "one.onnx").read_bytes()


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_directory_keeps_its_places_and_lists_what_is_broken(jobs: int, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", 12, broken=(3, 8))
    target, report = tmp_path / "out", tmp_path / "r.json"
    result = command(source, "-O", target, "--jobs", jobs, "--json", report)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    written = sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())
    expected = sorted(path.relative_to(source) for path in source.rglob("*.onnx"))
    assert [str(name) for name in expected if name not in written] == ["deep/m3.onnx", "m8.onnx"]
    models = json.loads(report.read_text())["models"]
    assert [Path(entry["input"]).relative_to(source) for entry in models] == expected
    assert [entry["input"] for entry in models if "error" in entry] == [
        str(source / "deep/m3.onnx"),
        str(source / "m8.onnx"),
    ]
    assert result.stderr.count("error: ") == 2 and "10 of 12 models done, 2 failed" in result.stdout
    _same_as_one_by_one(source, target, written[:3], tmp_path)
    again = command(source, "-O", source / "results", "--jobs", jobs)
    assert again.returncode == 2 and len(list((source / "results").rglob("*.onnx"))) == 10
    twice = command(source, "-O", source / "results", "--jobs", jobs)
    assert twice.returncode == 2 and len(list((source / "results").rglob("*.onnx"))) == 10


@pytest.mark.slow
def test_a_thousand_models_with_five_broken_ones(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", 1000, broken=(0, 100, 333, 777, 999))
    result = command(source, "-O", tmp_path / "out", "--jobs", 2)
    assert result.returncode == 2
    assert "995 of 1000 models done, 5 failed" in result.stdout
    assert result.stderr.count("error: ") == 5
    written = list((tmp_path / "out").rglob("*"))
    assert sum(path.is_file() for path in written) == 995
    for path in written:
        if path.is_file():
            onnx.checker.check_model(onnx.load(path))


def test_an_empty_directory_and_one_target_for_many(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = CliRunner().invoke(main, [str(tmp_path / "empty"), "-O", str(tmp_path / "out")])
    assert empty.exit_code == 2 and "holds no .onnx files" in empty.output
    source = folder(tmp_path / "in", 2)
    single = CliRunner().invoke(main, [str(source), "-o", str(tmp_path / "o.onnx")])
    assert single.exit_code == 2 and "use -O DIR" in single.output


def _square_or_crash(number: int) -> int:
    if number == 3:
        os.abort()
    return number * number


def test_a_process_that_crashes_costs_its_own_job_only() -> None:
    results: dict[int, Any] = dict(run_in_processes(_square_or_crash, range(8), 2))
    assert isinstance(results[3], Crash) and "SIGABRT" in str(results[3])
    assert [results[place] for place in (0, 1, 2, 4, 5, 6, 7)] == [0, 1, 4, 16, 25, 36, 49]

"""One process measured: its cost, its limits, its failures; and nothing left when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.cases import growth
from benchmarks.contenders import Contender
from benchmarks.measure import Limits, Run, measure
from benchmarks.results import Outcome
from benchmarks.session import Runs, Session
from benchmarks.workspace import filesystem_of, require_free, workspace
from rewriter.errors import InputError, UnsupportedError

LIMITS = Limits(address_space=4 << 30, timeout=30)


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _session(folder: Path, said: list[str] | None = None) -> Session:
    say = (lambda line: None) if said is None else said.append
    return Session(folder, 4 << 30, Runs(), quick=True, say=say)


def test_peak_memory_is_that_of_the_command_and_not_of_this_process(tmp_path: Path) -> None:
    ballast = bytearray(b"x") * (200 << 20)
    small = measure(_python("pass"), tmp_path, LIMITS)
    large = measure(_python("x = bytearray(b'x') * (100 << 20)"), tmp_path, LIMITS)
    assert len(ballast) == 200 << 20
    assert small.failure is None and large.failure is None
    assert small.peak_mib < 60
    assert 95 < large.peak_mib - small.peak_mib < 110


def test_memory_of_children_is_counted(tmp_path: Path) -> None:
    hold = "import time; x = bytearray(b'x') * (60 << 20); time.sleep(0.5)"
    code = (
        "import subprocess, sys, time; x = bytearray(b'x') * (60 << 20); "
        f"subprocess.run([sys.executable, '-c', {hold!r}])"
    )
    run = measure(_python(code), tmp_path, LIMITS)
    assert run.failure is None
    assert 60 < run.peak_mib < 110
    assert run.tree_mib > 125
    assert run.memory_mib == run.tree_mib


def test_processor_time_is_not_waiting_time(tmp_path: Path) -> None:
    run = measure(_python("import time; time.sleep(0.4)"), tmp_path, LIMITS)
    assert run.wall >= 0.4
    assert run.cpu < run.wall


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("x = bytearray(3 << 30)", Limits(1 << 30), "out of memory at the cap of 1 GiB"),
        ("import time; time.sleep(60)", Limits(1 << 30, 0.3), "not finished after 0.3 s"),
        ("import sys; sys.exit(3)", Limits(1 << 30), "exit code 3"),
        (
            "raise OSError('/home/somebody/model.onnx: gone')",
            Limits(1 << 30),
            "exit code 1: OSError: model.onnx: gone",
        ),
        ("import os; os.abort()", Limits(1 << 30), "SIGABRT under the cap of 1 GiB"),
    ],
)
def test_a_failure_says_why_and_names_no_path(tmp_path: Path, code: str, limits: Limits, reason: str) -> None:
    assert measure(_python(code), tmp_path, limits).failure == reason


def test_a_command_that_does_not_exist_is_a_failure(tmp_path: Path) -> None:
    failure = measure(["no-such-command"], tmp_path, LIMITS).failure
    assert failure is not None and failure.startswith("exit code 127: cannot start no-such-command")


def test_a_timeout_ends_the_children_too(tmp_path: Path) -> None:
    note = tmp_path / "child"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    run = measure(_python(code), tmp_path, Limits(4 << 30, 5.0))
    assert run.failure == "not finished after 5 s"
    assert _has_ended(int(note.read_text()))


def test_an_interrupted_run_ends_its_command_and_removes_its_models(tmp_path: Path) -> None:
    code = (
        # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys\nfrom pathlib import Path\n"
        "from benchmarks.measure import Limits, measure\nfrom benchmarks.workspace import workspace\n"
        f"with workspace(Path({str(tmp_path)!r})) as folder:\n"
        "    note = folder.parent / 'pid'\n"
        "    job = f'import os, time; open({str(note)!r}, chr(119)).write(str(os.getpid())); time.sleep(60)'\n"
        "    measure([sys.executable, '-c', job], folder, Limits(4 << 30))\n"
    )
    harness = subprocess.Popen(_python(code), cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    note = tmp_path / "pid"
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    harness.send_signal(signal.SIGINT)
    assert harness.wait(20) != 0
    assert _has_ended(int(note.read_text()))
    assert list(tmp_path.iterdir()) == [note]


def _has_ended(pid: int) -> bool:
    for _ in range(100):
        # An orphan whose new parent never waits stays as a zombie, which os.kill(pid, 0) takes for a live process.
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        ).stdout.strip()
        if not state or state.startswith("Z"):
            return True
        time.sleep(0.05)
    return False


def test_a_workspace_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), workspace(tmp_path) as folder:
        (folder / "model.onnx").write_bytes(b"0" * 1000)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_needs_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot make a directory"), workspace(tmp_path / "absent"):
        pass


def test_too_little_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="--workdir"):
        require_free(tmp_path, 1 << 60)
    require_free(tmp_path, 0)


def test_the_file_system_has_a_type(tmp_path: Path) -> None:
    types = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    assert filesystem_of(tmp_path) in types


def test_runs_are_interleaved_and_outputs_removed(tmp_path: Path) -> None:
    log, output = tmp_path / "log", tmp_path / "out"

    def contender(name: str, runs: int) -> Contender:
        code = (
            f"import os; assert not os.path.exists({str(output)!r}); open({str(output)!r}, 'w').close(); "
            f"open({str(log)!r}, 'a').write({name!r})"
        )
        return Contender(name, name, "peer", tuple(_python(code)), runs, (output,))

    outcomes = _session(tmp_path).compare([contender("A", 3), contender("B", 1), contender("C", 2)])
    assert log.read_text() == "ABCACA"
    assert [len(outcome.runs) for outcome in outcomes] == [3, 1, 2]
    assert all(outcome.failure is None for outcome in outcomes)
    assert not output.exists()


def test_a_contender_that_fails_keeps_its_reason_and_runs_no_more(tmp_path: Path) -> None:
    said: list[str] = []
    absent = Contender("absent", "absent", "peer", ("true",), 2, missing="onnx-nothing")
    broken = Contender("broken", "broken", "peer", tuple(_python("raise SystemExit(5)")), 2)
    fine = Contender("fine", "fine", "ours", tuple(_python("pass")), 2)
    outcomes = _session(tmp_path, said).compare([absent, broken, fine])
    assert [outcome.failure for outcome in outcomes] == ["onnx-nothing is not installed", "exit code 5", None]
    assert [len(outcome.runs) for outcome in outcomes] == [0, 0, 2]
    assert sum("broken" in line for line in said) == 1


def test_a_job_that_was_not_done_is_a_failure(tmp_path: Path) -> None:
    output = tmp_path / "out"
    code = f"open({str(output)!r}, 'w').write('align_corners')"
    cheat = Contender("x", "x", "peer", tuple(_python(code)), 1, (output,), edits=2)
    (outcome,) = _session(tmp_path).compare([cheat])
    assert outcome.failure == "only 1 of 2 resizes were edited"
    assert outcome.runs == ()


def test_temporary_files_of_a_command_are_removed(tmp_path: Path) -> None:
    code = "import tempfile; tempfile.mkstemp(); raise SystemExit(tempfile.gettempdir())"
    failure = measure(_python(code), tmp_path, LIMITS).failure
    assert failure == "exit code 1: scratch"
    assert list(tmp_path.iterdir()) == []


def test_a_command_of_ours_may_leave_nothing_behind(tmp_path: Path) -> None:
    output, stray = tmp_path / "out", tmp_path / "stray"
    code = f"open({str(output)!r}, 'w'); open({str(stray)!r}, 'w')"
    ours = Contender("x", "x", "ours", tuple(_python(code)), 1, (output,))
    (outcome,) = _session(tmp_path).compare([ours])
    assert outcome.failure == "left stray behind"


def test_a_command_that_measures_itself_is_believed_about_time_alone(tmp_path: Path) -> None:
    times = tmp_path / "times.json"
    code = f"""open({str(times)!r}, "w").write('{{"wall": 0.001, "cpu": 0.002}}')"""
    itself = Contender("x", "x", "ours", tuple(_python(code)), 1, (times,), timing=times)
    (outcome,) = _session(tmp_path).compare([itself])
    assert (outcome.middle("wall"), outcome.middle("cpu")) == (0.001, 0.002)
    assert 5 < outcome.runs[0].peak_mib < 60
    assert not times.exists()


def test_the_exit_code_that_is_expected_is_success(tmp_path: Path) -> None:
    refuses = Contender("x", "x", "ours", tuple(_python("raise SystemExit(1)")), 1, exit_code=1)
    accepts = Contender("y", "y", "ours", tuple(_python("pass")), 1, exit_code=1)
    outcomes = _session(tmp_path).compare([refuses, accepts])
    assert [outcome.failure for outcome in outcomes] == [None, "exit code 0"]


class _Told(Session):
    """A session in which nothing runs: each command is the time that it takes, or why it fails."""

    def compare(self, contenders: Sequence[Contender]) -> tuple[Outcome, ...]:
        outcomes = []
        for contender in contenders:
            (what,) = contender.argv
            runs = () if what == "fails" else (Run(float(what), 0.0, 1.0, 1.0),)
            failure = "it failed" if what == "fails" else None
            outcomes.append(Outcome(contender.key, contender.label, contender.role, runs, failure))
        return tuple(outcomes)


def test_a_contender_that_took_too_long_is_not_tried_at_the_next_size(tmp_path: Path) -> None:
    def contenders(size: int) -> list[Contender]:
        commands = {"slow": f"{8 * size}", "broken": "fails", "fine": "0.5"}
        return [Contender(key, key, "peer", (command,)) for key, command in commands.items()]

    session = _Told(tmp_path, 4 << 30, Runs(), quick=True, say=lambda line: None)
    points = growth.grow(session, [1, 2, 3], contenders)
    found = [[(len(outcome.runs), outcome.failure) for outcome in point.outcomes] for point in points]
    assert [slow for slow, _, _ in found] == [(1, None), (1, None), (0, "not tried: 16 s at 2")]
    assert [broken for _, broken, _ in found] == [(0, "it failed")] * 3
    assert [fine for _, _, fine in found] == [(1, None)] * 3

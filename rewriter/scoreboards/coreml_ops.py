"""Apple's operator tests, which ship in the coremltools wheel, divided over processes and judged one by one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewriter.errors import RewriterError, require
from rewriter.scoreboards.coreml_op_exceptions import find_exception

__all__ = ["Outcome", "Verdict", "judge", "measure"]

Verdict = Literal["matched", "excepted", "unjudged", "wrong"]
"""Equal to Apple's values; on the list of named exceptions; the test expects no value; none of these."""

_TRIPLES = "rewriter.scoreboards.coreml_op_triples"
_PURPOSE = "to run the operator tests of coremltools"


@dataclass(frozen=True)
class Outcome:
    """One triple of builder, inputs and expected outputs, as it fared.

    Attributes:
        test: pytest id of the test that it is from.
        operators: MIL operator types in the saved program.
        verdict: see `Verdict`.
        reason: why it is excepted, or what is wrong; empty where it matches.
    """

    test: str
    operators: tuple[str, ...]
    verdict: Verdict
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "test": self.test,
            "operators": list(self.operators),
            "verdict": self.verdict,
            "reason": self.reason,
        }


def measure(per_function: int | None = None, seed: int = 0, processes: int | None = None) -> list[Outcome]:
    """Build, convert, save, read back and simulate every triple, and compare with its expected outputs.

    Args:
        per_function: at most so many cases of each test function, drawn at random; None for all.
        seed: of the draw.
        processes: how many processes share the work; None for one per core.

    Raises:
        MissingExtraError: coremltools or pytest is not installed.
        RewriterError: a process ended without a result.
    """
    for needed in ("pytest", "coremltools"):
        # Looked for, and imported only to raise: importing coremltools here would cost what each process pays again.
        if importlib.util.find_spec(needed) is None:
            require(needed, _PURPOSE)
    count = processes or os.cpu_count() or 1
    chosen = [] if per_function is None else ["--per-function", str(per_function)]
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory) / f"{index}.json" for index in range(count)]
        commands = [
            [
                sys.executable,
                "-m",
                _TRIPLES,
                "-o",
                str(file),
                "--seed",
                str(seed),
                "--share",
                f"{index}/{count}",
            ]
            for index, file in enumerate(files)
        ]
        _run_together([[*command, *chosen] for command in commands], Path(directory))
        records = [record for file in files for record in json.loads(file.read_text(encoding="utf-8"))]
    return sorted(map(judge, records), key=lambda outcome: outcome.test)


def judge(record: dict[str, Any]) -> Outcome:
    """The verdict on one record of `rewriter.scoreboards.coreml_op_triples`."""
    test, operators = record["test"], tuple(record["operators"])
    if record["status"] == "matched":
        return Outcome(test, operators, "matched", "")
    if record["status"] == "no_expectation":
        return Outcome(test, operators, "unjudged", "the test expects no particular value")
    exception = find_exception(record)
    if exception is not None:
        return Outcome(test, operators, "excepted", exception.reason)
    return Outcome(test, operators, "wrong", f"{record['status']}: {record['detail'].strip()[-400:]}")


def _run_together(commands: Sequence[Sequence[str]], directory: Path) -> None:
    """Run the commands side by side until all have ended; none outlives an error or an interruption."""
    # One thread each: the processes already use every core.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *_search_path()])
    running = []
    logs = [directory / f"{index}.log" for index in range(len(commands))]
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("wb") as stream:
                running.append(
                    subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
                )
        for process, log in zip(running, logs, strict=True):
            if process.wait() != 0:
                tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
                raise RewriterError(f"a process with operator tests ended with {process.returncode}: {tail}")
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _search_path() -> list[str]:
    return [entry for entry in [os.environ.get("PYTHONPATH", "")] if entry]

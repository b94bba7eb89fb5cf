"""One call of the benchmarks: where files go, how often things run, and the interleaved runs themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.measure import Limits, Run, measure
from benchmarks.results import Outcome
from rewriter.errors import UnsupportedError

__all__ = ["MISSING", "Runs", "Session"]

MISSING = " is not installed"
"""Ends the failure of a contender whose distribution is not there."""

_EDIT = b"align_corners"
_SEARCHED = 1 << 26


@dataclass(frozen=True)
class Runs:
    """How often a contender runs, by how long a run takes: under a second or so, some seconds, longer."""

    many: int = 7
    few: int = 3
    once: int = 1

    def at_most(self, count: int) -> Runs:
        """No more than `count`, and `many` exactly that often."""
        return Runs(count, min(self.few, count), min(self.once, count))


@dataclass(frozen=True)
class Session:
    """What every case needs.

    Attributes:
        folder: for models and outputs; removed by whoever made it.
        address_space: what a process may map, in bytes.
        runs: how often.
        quick: small inputs, to try the harness.
        say: prints a line of progress.
    """

    folder: Path
    address_space: int
    runs: Runs
    quick: bool
    say: Callable[[str], None]

    def size(self, full: int, quick: int) -> int:
        """The one that this session wants."""
        return quick if self.quick else full

    def compare(self, contenders: Sequence[Contender]) -> tuple[Outcome, ...]:
        """Run them in turn, A B C A B C …, each as often as it says; one that fails runs no more."""
        runs: dict[str, list[Run]] = {contender.key: [] for contender in contenders}
        failures = {
            contender.key: contender.missing + MISSING
            for contender in contenders
            if contender.missing is not None
        }
        rounds = max((contender.runs for contender in contenders), default=0)
        for index in range(rounds):
            for contender in contenders:
                if index >= contender.runs or contender.key in failures:
                    continue
                run = self._run(contender)
                counted = f"{contender.label}, run {index + 1} of {contender.runs}"
                if run.failure is not None:
                    failures[contender.key] = run.failure
                    self.say(f"  {counted}: {run.failure}")
                    continue
                runs[contender.key].append(run)
                self.say(f"  {counted}: {run.wall:.2f} s, {run.memory_mib:.0f} MiB")
        return tuple(
            Outcome(
                contender.key,
                contender.label,
                contender.role,
                tuple(runs[contender.key]),
                failures.get(contender.key),
            )
            for contender in contenders
        )

    def prepare(self, argv: Sequence[str], timeout: float = 300.0) -> None:
        """Run a command that makes an input.

        Raises:
            UnsupportedError: it failed.
        """
        failure = measure(argv, self.folder, Limits(self.address_space, timeout)).failure
        if failure is not None:
            raise UnsupportedError(f"the input cannot be made: {failure}")

    def warm_up(self, contenders: Sequence[Contender]) -> None:
        """Run each once and count nothing: byte code gets compiled, libraries get into the page cache."""
        for contender in contenders:
            if contender.missing is None:
                self._run(contender)

    def _run(self, contender: Contender) -> Run:
        limits = Limits(self.address_space, contender.timeout)
        try:
            _remove(contender.outputs)
            before = set(self.folder.iterdir())
            run = measure(contender.argv, self.folder, limits, contender.exit_code)
            if run.failure is not None:
                return run
            if contender.timing is not None:
                run = replace(run, **json.loads(contender.timing.read_text()))
            left = sorted(set(self.folder.iterdir()) - before - set(contender.outputs))
            if left and contender.role == "ours":
                return replace(run, failure=f"left {left[0].name} behind")
            return replace(run, failure=_wrong(contender))
        finally:
            _remove(contender.outputs)


def _wrong(contender: Contender) -> str | None:
    """What a run that claims success did not do, None when all is well."""
    if contender.edits is not None:
        edited = _edited(contender.outputs[0])
        if edited < contender.edits:
            return f"only {edited} of {contender.edits} resizes were edited"
    return None if contender.complaint is None else contender.complaint()


def _edited(output: Path) -> int:
    """Resizes that say align_corners; nodes stand at the front of a file, so only its first 64 MiB are read."""
    if output.is_dir():
        return sum(map(_edited, output.iterdir()))
    if not output.is_file():
        return 0
    with output.open("rb") as stream:
        return stream.read(_SEARCHED).count(_EDIT)


def _remove(outputs: Sequence[Path]) -> None:
    for output in outputs:
        if output.is_dir():
            shutil.rmtree(output)
        else:
            output.unlink(missing_ok=True)

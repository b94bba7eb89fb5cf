"""Worker processes with a watchdog and bounds on time and memory; a crash costs one input."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile.fuzzing.fields import with_damaged_fields
from tests.hostile.fuzzing.mutations import mutated
from tests.hostile.fuzzing.targets import TARGETS

__all__ = ["Report", "fuzz", "input_of"]

SECONDS = 10
"""Longest time for one input."""
MEMORY = 2**30
"""Largest resident set of a worker, in bytes."""
_ADDRESS_SPACE = 8 * 2**30
_BATCH = 10_000
_DAMAGE = {"reader": with_damaged_fields, "rewrite": with_damaged_fields}


@dataclass
class Report:
    """What came out of a run."""

    target: str
    seed: int
    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    peak_bytes: int = 0
    slowest_seconds: float = 0.0

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.target}, seed {self.seed}: {sum(self.verdicts.values())} inputs, "
            + ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.verdicts.items())),
            f"slowest {self.slowest_seconds:.2f} s, largest process {self.peak_bytes / 2**20:.0f} MiB",
        ]
        for finding in self.findings[:20]:
            lines.append(
                f"FINDING {finding['index']} ({finding['name']}): {finding['kind']}: {finding['text'][-600:]}"
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "target": self.target,
            "seed": self.seed,
            "verdicts": dict(self.verdicts),
            "findings": self.findings,
            "peak_bytes": self.peak_bytes,
            "slowest_seconds": round(self.slowest_seconds, 3),
        }


def seeds_of(target: str) -> tuple[tuple[str, bytes], ...]:
    """The files that a target's inputs are made from."""
    if target == "mlpackage":
        from tests.hostile.fuzzing.packages import programs

        return programs()
    from tests.hostile.fuzzing.seeds import SEEDS

    return SEEDS[target]()


def input_of(target: str, seed: int, index: int) -> tuple[str, bytes]:
    """Input number `index`, the same in every run."""
    return mutated(seeds_of(target), Random((seed << 40) + index), _DAMAGE.get(target))


def fuzz(target: str, indices: range, *, seed: int = 0, jobs: int = 1, keep: Path | None = None) -> Report:
    """Try the inputs of these numbers."""
    report = Report(target, seed)
    context = multiprocessing.get_context("spawn")
    waiting = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)][::-1]
    running: list[_Worker] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_Worker(context, target, seed, waiting.pop()))
        for worker in list(running):
            worker.collect(report)
            if worker.is_done:
                running.remove(worker)
                rest = worker.rest(report)
                if rest:
                    waiting.append(rest)
        time.sleep(0.02)
    for finding in report.findings:
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{target}-{seed}-{finding['index']}").write_bytes(
                input_of(target, seed, finding["index"])[1]
            )
    return report


class _Worker:
    def __init__(self, context: Any, target: str, seed: int, indices: range) -> None:
        self.target, self.seed, self.indices = target, seed, indices
        self.current = context.Value("q", indices.start)
        self.since = context.Value("d", time.time() + 60)  # the import of the packages counts for nothing
        self.receiving, sending = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_work, args=(target, seed, indices, self.current, self.since, sending), daemon=True
        )
        self.process.start()
        sending.close()
        self.ended = False
        self.hung = False

    def collect(self, report: Report) -> None:
        """Take what the worker has to say; kill it if it hangs."""
        try:
            while self.receiving.poll():
                kind, value = self.receiving.recv()
                if kind == "finding":
                    report.findings.append(value)
                elif kind == "done":
                    self.ended = True
                    self._count(report, value)
                else:
                    self._count(report, value)
        except EOFError:
            pass
        if self.process.is_alive() and time.time() - self.since.value > SECONDS * 3:
            self.hung = True
            self.process.kill()
            self.process.join()

    def _count(self, report: Report, value: dict[str, Any]) -> None:
        report.verdicts.update(value["verdicts"])
        report.peak_bytes = max(report.peak_bytes, value["peak"])
        report.slowest_seconds = max(report.slowest_seconds, value["slowest"])

    @property
    def is_done(self) -> bool:
        return not self.process.is_alive()

    def rest(self, report: Report) -> range | None:
        """After a crash: the inputs behind the one that it died of, which is a finding."""
        self.process.join()
        if self.ended:
            return None
        index = self.current.value
        name, _ = input_of(self.target, self.seed, index)
        kind = "hang in native code" if self.hung else f"died of signal or exit code {self.process.exitcode}"
        report.findings.append({"index": index, "name": name, "kind": kind, "text": ""})
        report.verdicts["finding"] += 1
        return self.indices[index - self.indices.start + 1 :] or None


def _peak_bytes() -> int:
    """The largest resident set of this process; `getrusage` includes that of the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _TooLongError(BaseException):
    """Not an `Exception`: no handler in the tool may swallow it."""


def _interrupt(*_: Any) -> None:
    raise _TooLongError


def _work(target: str, seed: int, indices: range, current: Any, since: Any, sending: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _interrupt)
    run, seeds = TARGETS[target], seeds_of(target)
    verdicts: Counter[str] = Counter()
    slowest = 0.0
    for count, index in enumerate(indices):
        name, data = mutated(seeds, Random((seed << 40) + index), _DAMAGE.get(target))
        current.value, since.value = index, time.time()
        start = time.perf_counter()
        finding = None
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            signal.alarm(SECONDS)
            try:
                verdicts[run(data, Path(folder))] += 1
            except _TooLongError:
                finding = ("hang", traceback.format_exc())
            except Exception as error:  # whatever it is, it should not have come through
                finding = (type(error).__name__, traceback.format_exc())
            finally:
                signal.alarm(0)
        if count > 20:  # the first ones import what is imported late
            slowest = max(slowest, time.perf_counter() - start)
        peak = _peak_bytes()
        if finding is None and peak > MEMORY:
            finding = ("memory", f"{peak / 2**20:.0f} MiB")
        if finding is not None:
            verdicts["finding"] += 1
            sending.send(("finding", {"index": index, "name": name, "kind": finding[0], "text": finding[1]}))
        if (finding is not None and finding[0] == "memory") or count % 500 == 499:
            sending.send(("part", {"verdicts": verdicts, "peak": peak, "slowest": slowest}))
            verdicts, slowest = Counter(), 0.0
    peak = _peak_bytes()
    sending.send(("done", {"verdicts": verdicts, "peak": peak, "slowest": slowest}))

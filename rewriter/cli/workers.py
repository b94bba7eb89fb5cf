"""Jobs in processes of their own: one that crashes is reported, and the others go on."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

__all__ = ["Crash", "run_in_processes"]

_PATIENCE = 5.0
"""Seconds that a process gets to end by itself."""


@dataclass(frozen=True)
class Crash:
    """What ended a process in the middle of a job."""

    code: int | None

    def __str__(self) -> str:
        if self.code is not None and self.code < 0:
            with contextlib.suppress(ValueError):
                return f"the process that worked on it was ended by {signal.Signals(-self.code).name}"
        return f"the process that worked on it ended with code {self.code}"


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    place: int | None = None


def run_in_processes(
    function: Callable[[Any], Any], jobs: Sequence[Any], count: int
) -> Iterator[tuple[int, Any]]:
    """(place, result) of each job, in the order in which they end.

    Args:
        function: what is done; it and the jobs must be picklable, and it must not raise.
        jobs: what it is done to.
        count: number of processes.

    A process that ends in the middle of a job gives a `Crash` for it, and is replaced.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(enumerate(jobs))
    workers = [_start(context, function) for _ in range(min(count, len(jobs)))]
    try:
        for worker in workers:
            _feed(worker, waiting)
        while any(worker.place is not None for worker in workers):
            busy = {worker.connection: worker for worker in workers if worker.place is not None}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                place = worker.place
                assert place is not None
                try:
                    result = worker.connection.recv()
                except EOFError:
                    worker.process.join(_PATIENCE)
                    result = Crash(worker.process.exitcode)
                    workers[workers.index(worker)] = worker = _start(context, function)
                _feed(worker, waiting)
                yield place, result
    finally:
        _stop(workers)


def _start(context: Any, function: Callable[[Any], Any]) -> _Worker:
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, function), daemon=True)
    process.start()
    there.close()  # so that the end of the process is the end of the connection
    return _Worker(process, here)


def _feed(worker: _Worker, waiting: deque[tuple[int, Any]]) -> None:
    worker.place = None
    if not waiting:
        return
    worker.place, job = waiting.popleft()
    with contextlib.suppress(BrokenPipeError):  # it ended: the empty connection says so
        worker.connection.send(job)


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """The life of a process: jobs until there are no more."""
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            connection.send(function(connection.recv()))


def _stop(workers: list[_Worker]) -> None:
    """Ctrl-C reaches the processes as well: they undo what is half done and end. Who does not is ended."""
    for worker in workers:
        worker.connection.close()
    for worker in workers:
        worker.process.join(_PATIENCE)
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()

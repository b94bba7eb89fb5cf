"""Native code that a hostile file could bring down, in a process of its own where that is possible."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

__all__ = ["CrashError", "elsewhere"]

_CHUNK = 1 << 16
_RETURNED, _RAISED = b"+", b"!"


class CrashError(Exception):
    """The process died; the message says of what."""


@contextlib.contextmanager
def elsewhere(work: Callable[[], bytes]) -> Iterator[Callable[[], bytes]]:
    """Run `work` beside the block; what is given waits for its result.

    In a fork of this process where there are forks and no other thread could hold a lock in it; else in a thread,
    where a crash is that of the whole process.

    Args:
        work: returns its result as bytes.

    Yields:
        A function that returns what `work` returned, raises what it raised, or raises `CrashError`.
    """
    if _can_fork():
        with _in_a_fork(work) as result:
            yield result
    else:
        with _in_a_thread(work) as result:
            yield result


def _can_fork() -> bool:
    # TensorFlow's threads are not Python's, and hold locks of their own.
    alone = threading.active_count() == 1 and "tensorflow" not in sys.modules
    return hasattr(os, "fork") and sys.platform == "linux" and alone


@contextlib.contextmanager
def _in_a_thread(work: Callable[[], bytes]) -> Iterator[Callable[[], bytes]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work).result


@contextlib.contextmanager
def _in_a_fork(work: Callable[[], bytes]) -> Iterator[Callable[[], bytes]]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of native threads, numpy's among them, which stand still in the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_child(work, writing)
    os.close(writing)
    status: int | None = None

    def wait() -> bytes:
        nonlocal status
        chunks = []
        while chunk := os.read(reading, _CHUNK):
            chunks.append(chunk)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            outcome = b"".join(chunks)
            if outcome[:1] == _RAISED:
                raise pickle.loads(outcome[1:])
            return outcome[1:]
        code = os.waitstatus_to_exitcode(status)
        raise CrashError(signal.strsignal(-code) if code < 0 else f"exit code {code}")

    try:
        yield wait
    finally:
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(reading)


def _be_the_child(work: Callable[[], bytes], writing: int) -> None:
    """Never returns: what is above on the stack belongs to the parent."""
    code = 1
    try:
        faulthandler.disable()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):  # what native code prints before it dies
            os.dup2(nowhere, stream)
        data = memoryview(_outcome(work))
        while data:
            data = data[os.write(writing, data) :]
        code = 0
    finally:
        os._exit(code)


def _outcome(work: Callable[[], bytes]) -> bytes:
    try:
        return _RETURNED + work()
    except Exception as error:  # goes on in the parent
        return _RAISED + pickle.dumps(error)

"""Start one command and measure it: wall time, CPU time, peak memory of it and of the processes that it starts.

Run as ``python -I -S launcher.py``, with the job as JSON on standard input; the figures come back as JSON on standard
output. It is a process of its own, and imports next to nothing, because Linux counts the memory of the process that
forks into the peak memory of the child: what it reports is exact above its own 10 MiB.
"""

import json
import os
import resource
import select
import signal
import sys
import time

_POLL_MS = 20


def main() -> None:
    """Run the job that standard input describes.

    Keys of the job: ``argv``, ``cwd``, ``env``, ``stderr`` (a file), ``timeout`` in seconds, ``address_space`` in
    bytes.
    """
    job = json.load(sys.stdin)
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        _become(job)
    try:
        tree_kib, children, timed_out = _watch(pid, started + job["timeout"])
    except BaseException:
        _kill_group(pid)
        os.waitpid(pid, 0)
        raise
    wall = time.perf_counter() - started
    _kill_group(pid)  # children that outlived it; the process itself still holds the number
    _, status, usage = os.wait4(pid, 0)
    figures = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss,
        "tree_kib": tree_kib if children else usage.ru_maxrss,
        "exit": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
    }
    json.dump(figures, sys.stdout)


def _become(job: dict) -> None:
    """In the child: the limits and files of the job, then its program."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        errors = os.open(job["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for source, descriptor in ((nothing, 0), (nothing, 1), (errors, 2)):
            os.dup2(source, descriptor)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (job["address_space"], job["address_space"]))
        os.chdir(job["cwd"])
        os.execvpe(job["argv"][0], job["argv"], job["env"])
    except (OSError, ValueError) as error:
        os.write(2, f"cannot start {job['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _watch(pid: int, deadline: float) -> tuple[int, bool, bool]:
    """Wait until the process has ended, or end it at the deadline; it is left to be reaped.

    Returns:
        The largest sum of resident memory over the tree that was seen, in KiB; whether the process ever had children;
        whether the deadline passed.
    """
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    largest, children = 0, False
    while not poll.poll(_POLL_MS):
        tree = _tree(pid)
        children = children or len(tree) > 1
        largest = max(largest, sum(map(_resident_kib, tree)))
        if time.perf_counter() > deadline:
            _kill_group(pid)
            poll.poll()
            return largest, children, True
    return largest, children, False


def _tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    for member in found:
        try:
            threads = os.listdir(f"/proc/{member}/task")  # noqa: PTH208 - as below
        except OSError:
            continue  # it has ended meanwhile
        for thread in threads:
            found.extend(map(int, _text(f"/proc/{member}/task/{thread}/children").split()))
    return found


def _resident_kib(pid: int) -> int:
    pages = _text(f"/proc/{pid}/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if pages else 0


def _text(path: str) -> str:
    """The content of a file of /proc, empty when the process has ended meanwhile."""
    try:
        with open(path) as stream:  # noqa: PTH123 - pathlib would add its memory to what is measured
            return stream.read()
    except OSError:
        return ""


def _kill_group(pid: int) -> None:
    """End whatever is left of the session that the child leads."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()

"""Run a command in a process of its own, within limits, and say what it cost or why it failed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rewriter.errors import UnsupportedError

__all__ = ["Limits", "Run", "default_address_space", "measure"]

_LAUNCHER = Path(__file__).with_name("launcher.py")
_GIB = 1 << 30
_OUT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory", "std::length_error")


@dataclass(frozen=True)
class Limits:
    """What a process may take.

    Attributes:
        address_space: bytes that it may map (RLIMIT_AS).
        timeout: seconds after which it is killed.
    """

    address_space: int
    timeout: float = 120.0


@dataclass(frozen=True)
class Run:
    """What one run cost.

    Attributes:
        wall: seconds from fork to end.
        cpu: seconds of user and system time, of the process and the ones that it waited for.
        peak_mib: largest peak of resident memory over these processes, MiB, as the kernel counted it.
        tree_mib: largest sum of resident memory over all living processes, MiB, sampled every 20 ms; equal to
            `peak_mib` where the process started no other.
        failure: why it failed, None when it did not.
    """

    wall: float
    cpu: float
    peak_mib: float
    tree_mib: float
    failure: str | None = None

    @property
    def memory_mib(self) -> float:
        """The peak that is held against a limit: the larger of the two."""
        return max(self.peak_mib, self.tree_mib)


def default_address_space() -> int:
    """Three quarters of the memory that is available now, at most 15 GiB: a peer must not take the machine down."""
    return min(15 * _GIB, int(0.75 * _available_memory()))


def measure(argv: Sequence[str], folder: Path, limits: Limits, expected: int = 0) -> Run:
    """Run a command once with `folder` as its working directory; its output is thrown away.

    A command that ends otherwise than with the `expected` exit code is a `Run` with a failure. When this process is
    interrupted, the command is ended.

    Raises:
        UnsupportedError: this is not Linux.
    """
    if sys.platform != "linux":
        raise UnsupportedError("the benchmarks read /proc and run on Linux only")
    errors = folder / "stderr.txt"
    scratch = folder / "scratch"
    scratch.mkdir()
    job = {
        "argv": list(argv),
        "cwd": str(folder),
        "env": _environment(scratch),
        "stderr": str(errors),
        "timeout": limits.timeout,
        "address_space": limits.address_space,
    }
    os.sync()  # what earlier runs wrote must not be written out during this one
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LAUNCHER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = launcher.communicate(json.dumps(job))
    except BaseException:
        launcher.send_signal(signal.SIGTERM)
        launcher.wait()
        raise
    finally:
        shutil.rmtree(scratch)
    figures = json.loads(text)
    said = errors.read_text(errors="replace")
    errors.unlink()
    return Run(
        wall=figures["wall"],
        cpu=figures["cpu"],
        peak_mib=figures["peak_kib"] / 1024,
        tree_mib=figures["tree_kib"] / 1024,
        failure=_failure(figures, said, limits, expected),
    )


def _failure(figures: dict[str, int], said: str, limits: Limits, expected: int) -> str | None:
    if figures["timed_out"]:
        return f"not finished after {limits.timeout:g} s"
    code = figures["exit"]
    if code == expected:
        return None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    cap = f"{limits.address_space / _GIB:.0f} GiB"
    if any(sign in said for sign in _OUT_OF_MEMORY):
        return f"out of memory at the cap of {cap}"
    how = f"exit code {code}"
    if code < 0:
        how = f"{signal.Signals(-code).name} under the cap of {cap}"
    # Paths of the machine that measured stay out of what is published.
    last = re.sub(r"(?<!\w)/[^\s'\":,]*/", "", lines[-1])[:160] if lines else ""
    return f"{how}: {last}" if last else how


def _environment(scratch: Path) -> dict[str, str]:
    """Ours, except that byte code is kept, as for an installed program, and temporary files can be found again."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TMPDIR": str(scratch)}


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise UnsupportedError("/proc/meminfo does not say how much memory is available")

"""Who is measured: the commands of this project, their bases, and the peers that are installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import installed
from rewriter.errors import UsageError

__all__ = [
    "PEERS",
    "Contender",
    "console_script",
    "copy",
    "copy_durably",
    "graphsurgeon_base",
    "job",
    "missing",
    "peer",
    "require_own_commands",
    "rewrite",
]

_JOBS = Path(__file__).with_name("jobs")
_ROOT = str(Path(__file__).resolve().parents[1])
_MODULES = {"rewrite": "rewriter.cli.rewrite", "rewriter": "rewriter.cli.main"}


@dataclass(frozen=True)
class Contender:
    """One command that does the job of a case.

    Attributes:
        key, label, role: as `benchmarks.results.Outcome`.
        argv: the command.
        runs: how many of the interleaved runs it takes part in.
        outputs: what a run writes, removed before and after it.
        edits: how many resizes of the first output must have been edited; None for jobs that edit nothing.
        timeout: seconds.
        missing: the distribution that it needs and that is not installed, if any.
        timing: a file in which the command leaves its own ``wall`` and ``cpu`` in seconds, which count instead.
        exit_code: the one that means that the command did its job.
        complaint: called after each run; says what the run did wrong, None when nothing.
    """

    key: str
    label: str
    role: str
    argv: tuple[str, ...]
    runs: int = 1
    outputs: tuple[Path, ...] = ()
    edits: int | None = None
    timeout: float = 120.0
    missing: str | None = None
    timing: Path | None = None
    exit_code: int = 0
    complaint: Callable[[], str | None] | None = None


@dataclass(frozen=True)
class _Peer:
    label: str
    distribution: str
    edits: bool = True


PEERS = {
    "onnx": _Peer("onnx load, edit, save", "onnx"),
    "onnx-lazy": _Peer("onnx, external data not loaded", "onnx"),
    "graphsurgeon": _Peer("onnx-graphsurgeon import, edit, export", "onnx-graphsurgeon"),
    "onnx-ir": _Peer("onnx-ir load, edit, save", "onnx-ir"),
    "onnxscript": _Peer("onnxscript rewrite rule", "onnxscript"),
    "onnxslim": _Peer("onnxslim, optimisations off", "onnxslim"),
    "onnxsim": _Peer("onnxsim, optimisations off", "onnxsim"),
    "onnxoptimizer": _Peer("onnxoptimizer, pass nop", "onnxoptimizer"),
    "onnxruntime": _Peer("onnxruntime load, save (no edit)", "onnxruntime", edits=False),
}


def console_script(name: str) -> tuple[str, ...]:
    """How `rewrite` or `rewriter` is started: the script of this environment, else its module."""
    script = Path(sys.executable).with_name(name)
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    code = f"import sys; sys.path.insert(0, {_ROOT!r}); from {_MODULES[name]} import main; main()"
    return (sys.executable, "-c", code)


def require_own_commands() -> None:
    """Demand that the installed commands run the code that lies here, which is what the results name.

    Raises:
        UsageError: they belong to another copy of the project.
    """
    find = "import importlib.util as u; spec = u.find_spec('rewriter'); print(spec.origin if spec else '')"
    with tempfile.TemporaryDirectory() as folder:  # so that the current directory does not decide
        found = subprocess.run(
            [sys.executable, "-c", find], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()
    if found and Path(found).resolve() != Path(_ROOT, "rewriter", "__init__.py"):
        raise UsageError(
            "the installed commands belong to another copy of the project", remedy="run: pip install -e ."
        )


def job(script: str, *arguments: object) -> tuple[str, ...]:
    """One of the scripts in ``jobs``, in a process of this environment."""
    return (sys.executable, str(_JOBS / script), *map(str, arguments))


def rewrite(source: Path, target: Path, edits: int, runs: int, *, check: bool = True) -> Contender:
    """`rewrite` of one file, or of every file of a directory."""
    many = source.is_dir()
    inputs = sorted(map(str, source.glob("*.onnx"))) if many else [str(source)]
    options = () if check else ("--no-check",)
    return Contender(
        key="rewrite" if check else "rewrite-no-check",
        label="rewrite" if check else "rewrite --no-check",
        role="ours",
        argv=(*console_script("rewrite"), *inputs, "-O" if many else "-o", str(target), *options),
        runs=runs,
        outputs=(target,),
        edits=edits,
        timeout=300.0,
    )


def copy(source: Path, target: Path, runs: int) -> Contender:
    """`cp` of one file, which nothing that writes a file can beat without sharing blocks."""
    return Contender("cp", "cp", "base", ("cp", str(source), str(target)), runs, (target,))


def copy_durably(source: Path, target: Path, runs: int) -> Contender:
    """`cp` and the fsync that an atomic save needs, which `rewrite` does too."""
    script = 'cp "$1" "$2" && sync "$2"'
    argv = ("sh", "-c", script, "sh", str(source), str(target))
    return Contender("cp-fsync", "cp, then sync of the copy", "peer", argv, runs, (target,))


def graphsurgeon_base(source: Path, runs: int, *, cleanup: bool = False) -> Contender:
    """Import and export by onnx-graphsurgeon, nothing written; with `cleanup` between the two."""
    name = "graphsurgeon-cleanup" if cleanup else "graphsurgeon-unchanged"
    label = "onnx-graphsurgeon import, cleanup, export" if cleanup else "onnx-graphsurgeon import, export"
    return Contender(
        key=name,
        label=f"{label} (no edit, no file)",
        role="peer" if cleanup else "base",
        argv=job("edit.py", name, source, "-"),
        runs=runs,
        missing=missing("onnx-graphsurgeon"),
    )


def peer(tool: str, source: Path, target: Path, edits: int, runs: int, timeout: float = 120.0) -> Contender:
    """One of `PEERS` on one file, or on every file of a directory."""
    about = PEERS[tool]
    return Contender(
        key=tool,
        label=about.label,
        role="peer",
        argv=job("edit.py", tool, source, target),
        runs=runs,
        outputs=(target, target.with_name(target.name + ".data")),
        edits=edits if about.edits else None,
        timeout=timeout,
        missing=missing(about.distribution),
    )


def missing(*distributions: str) -> str | None:
    """The first one that is not installed, None when all are."""
    return next((name for name in distributions if installed(name) is None), None)

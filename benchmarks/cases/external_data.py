"""Case c: a small model whose weights are in another file, which must not be touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.contenders import Contender, peer, rewrite
from benchmarks.results import Point
from benchmarks.session import Session
from benchmarks.weights import write_external_data_model
from benchmarks.workspace import read_through, require_free

__all__ = ["measure"]

_LIGHT = ("onnx-lazy", "graphsurgeon", "onnx-ir")
_HEAVY = ("onnxruntime", "onnx", "onnxslim", "onnxsim", "onnxoptimizer")


def measure(session: Session) -> tuple[Point, ...]:
    """All of it."""
    size = session.size(5_970_000_000, 3_000_000)
    require_free(session.folder, 3 * size)  # some peers write the data again
    session.say(f"  writing a model with {size / 1e6:,.0f} MB of external data")
    source = session.folder / "external.onnx"
    target = session.folder / "out.onnx"
    data = write_external_data_model(source, size)
    read_through(data)
    untouched = _watch(data)
    light = [
        rewrite(source, target, 1, session.runs.many),
        rewrite(source, target, 1, session.runs.many, check=False),
        *(peer(tool, source, target, 1, session.runs.many) for tool in _LIGHT),
    ]
    heavy = [peer(tool, source, target, 1, session.runs.once, timeout=45) for tool in _HEAVY]
    runners: list[Contender] = [replace(runner, complaint=untouched) for runner in (*light, *heavy)]
    outcomes = session.compare(runners)
    facts = {"bytes": source.stat().st_size, "data_bytes": size, "data_file_untouched": untouched() is None}
    return (Point(size, outcomes, facts),)


def _watch(data: Path) -> Callable[[], str | None]:
    """A function that says whether size, modification time or inode of the file have changed since now."""
    before = _identity(data)
    return lambda: None if _identity(data) == before else "the data file was touched"


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino

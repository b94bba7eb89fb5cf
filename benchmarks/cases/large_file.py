"""Case b: one attribute of a model whose weights are in the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.contenders import Contender, copy, copy_durably, peer, rewrite
from benchmarks.results import Point
from benchmarks.session import Session
from benchmarks.weights import LAYERS, write_single_file
from benchmarks.workspace import read_through, require_free

__all__ = ["PEERS", "contenders", "measure", "write"]

PEERS = (
    "onnxruntime",
    "onnxslim",
    "onnx",
    "graphsurgeon",
    "onnx-ir",
    "onnxscript",
    "onnxsim",
    "onnxoptimizer",
)


def measure(session: Session) -> tuple[Point, ...]:
    """All of it."""
    source = write(session, session.size(1_490_000_000, 3_000_000))
    runners = contenders(session, source, PEERS)
    point = Point(
        source.stat().st_size,
        session.compare(runners),
        {"bytes": source.stat().st_size, "initializers": 2 * LAYERS + 1},
    )
    return (point,)


def write(session: Session, size: int) -> Path:
    """A model of about `size` bytes, in the page cache."""
    require_free(session.folder, 3 * size)  # input, output, and a temporary file beside the output
    session.say(f"  writing a model of {size / 1e6:,.0f} MB")
    source = session.folder / "weights.onnx"
    write_single_file(source, size)
    read_through(source)
    return source


def contenders(session: Session, source: Path, peers: Iterable[str]) -> list[Contender]:
    """The copy, ours, and the peers, once each."""
    target = session.folder / "out.onnx"
    return [
        copy(source, target, session.runs.many),
        copy_durably(source, target, session.runs.many),
        rewrite(source, target, 1, session.runs.many, check=False),
        rewrite(source, target, 1, session.runs.many),
        *(peer(tool, source, target, 1, session.runs.once) for tool in peers),
    ]

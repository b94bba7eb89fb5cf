"""Cases a and d: many small nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import Contender, graphsurgeon_base, peer, rewrite
from benchmarks.graphs import BLOCK, chain_of_blocks, write_model
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["contenders", "twenty_thousand", "two_hundred_thousand"]


def twenty_thousand(session: Session) -> tuple[Point, ...]:
    """Case a."""
    return (_measure(session, session.size(20_000, 400), session.runs.many, session.runs.few, timeout=60),)


def two_hundred_thousand(session: Session) -> tuple[Point, ...]:
    """Case d."""
    return (_measure(session, session.size(200_000, 4_000), session.runs.few, session.runs.once, timeout=60),)


def contenders(source: Path, target: Path, nodes: int, runs: int) -> list[Contender]:
    """Everybody who is quick."""
    resizes = -(-nodes // BLOCK)
    return [
        rewrite(source, target, resizes, runs),
        rewrite(source, target, resizes, runs, check=False),
        *(peer(tool, source, target, resizes, runs) for tool in ("onnx", "graphsurgeon", "onnx-ir")),
    ]


def slow_contenders(source: Path, target: Path, nodes: int, runs: int, timeout: float) -> list[Contender]:
    """Everybody else."""
    tools: Sequence[str] = ("onnxscript", "onnxruntime", "onnxslim", "onnxsim", "onnxoptimizer")
    return [peer(tool, source, target, -(-nodes // BLOCK), runs, timeout) for tool in tools]


def _measure(session: Session, nodes: int, quick_runs: int, slow_runs: int, timeout: float) -> Point:
    source, target = session.folder / "nodes.onnx", session.folder / "out.onnx"
    session.say(f"  writing a model of {nodes:,} nodes")
    model = chain_of_blocks(nodes)
    write_model(model, source)
    runners = [
        *contenders(source, target, nodes, quick_runs),
        graphsurgeon_base(source, quick_runs),
        graphsurgeon_base(source, quick_runs, cleanup=True),
        *slow_contenders(source, target, nodes, slow_runs, timeout),
    ]
    return Point(
        nodes,
        session.compare(runners),
        {"nodes": len(model.graph.node), "resizes": -(-nodes // BLOCK), "bytes": source.stat().st_size},
    )

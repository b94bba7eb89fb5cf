"""Cases a and d: many small nodes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contenders import Contender, graphsurgeon_base, peer, rewrite
from benchmarks.graphs import BLOCK, chain_of_blocks, write_model
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["contenders", "twenty_thousand", "two_hundred_thousand"]


def twenty_thousand(session: Session) -> tuple[Point, ...]:
    """Case a."""
    runs = session.runs
    return (_measure(session, session.size(20_000, 400), (runs.many, runs.many, runs.few), timeout=60),)


def two_hundred_thousand(session: Session) -> tuple[Point, ...]:
    """Case d."""
    runs = session.runs
    return (_measure(session, session.size(200_000, 4_000), (runs.few, runs.once, runs.once), timeout=30),)


def contenders(source: Path, target: Path, nodes: int, runs: int, peer_runs: int) -> list[Contender]:
    """Everybody who is quick."""
    resizes = -(-nodes // BLOCK)
    return [
        rewrite(source, target, resizes, runs),
        rewrite(source, target, resizes, runs, check=False),
        *(peer(tool, source, target, resizes, peer_runs) for tool in ("onnx", "graphsurgeon", "onnx-ir")),
    ]


def slow_contenders(source: Path, target: Path, nodes: int, runs: int, timeout: float) -> list[Contender]:
    """Everybody else."""
    tools = ("onnxscript", "onnxruntime", "onnxslim", "onnxsim", "onnxoptimizer")
    return [peer(tool, source, target, -(-nodes // BLOCK), runs, timeout) for tool in tools]


def _measure(session: Session, nodes: int, runs: tuple[int, int, int], timeout: float) -> Point:
    """One input; `runs` are those of ours and of the bases, of quick peers, of slow ones."""
    source, target = session.folder / "nodes.onnx", session.folder / "out.onnx"
    session.say(f"  writing a model of {nodes:,} nodes")
    model = chain_of_blocks(nodes)
    write_model(model, source)
    ours, quick, slow = runs
    runners = [
        graphsurgeon_base(source, ours),
        *contenders(source, target, nodes, ours, quick),
        graphsurgeon_base(source, ours, cleanup=True),
        *slow_contenders(source, target, nodes, slow, timeout),
    ]
    return Point(
        nodes,
        session.compare(runners),
        {"nodes": len(model.graph.node), "resizes": -(-nodes // BLOCK), "bytes": source.stat().st_size},
    )

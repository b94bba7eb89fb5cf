"""Case f: many small models in one call."""

from __future__ import annotations

from benchmarks.contenders import peer, rewrite
from benchmarks.graphs import BLOCK, chain_of_blocks, write_model
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["measure"]

_PEERS = (
    "onnx",
    "graphsurgeon",
    "onnx-ir",
    "onnxscript",
    "onnxruntime",
    "onnxslim",
    "onnxsim",
    "onnxoptimizer",
)


def measure(session: Session) -> tuple[Point, ...]:
    """All of it; the models have one, two or three blocks."""
    count = session.size(1_000, 6)
    source, target = session.folder / "models", session.folder / "rewritten"
    source.mkdir()
    resizes = 0
    for index in range(count):
        blocks = 1 + index % 3
        resizes += blocks
        write_model(chain_of_blocks(blocks * BLOCK), source / f"model_{index:04}.onnx")
    runners = [
        rewrite(source, target, resizes, session.runs.few),
        rewrite(source, target, resizes, session.runs.few, check=False),
        *(peer(tool, source, target, resizes, session.runs.once) for tool in _PEERS),
    ]
    return (Point(count, session.compare(runners), {"models": count, "resizes": resizes}),)

"""Growth curves: time and memory over the number of nodes, and over the size of the file.

The largest points are those of the cases a, d and b; the plots join them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cases import large_file, small_nodes
from benchmarks.contenders import Contender
from benchmarks.graphs import chain_of_blocks, write_model
from benchmarks.results import Outcome, Point
from benchmarks.session import Session

__all__ = ["file_sizes", "grow", "nodes"]

_PATIENCE = 12.0
"""Seconds; a contender that takes longer at one size is not tried at the larger ones."""


def nodes(session: Session) -> tuple[Point, ...]:
    """Time and memory over the number of nodes."""
    target = session.folder / "out.onnx"

    def contenders(count: int) -> list[Contender]:
        source = write_model(chain_of_blocks(count), session.folder / "nodes.onnx")
        return [
            *small_nodes.contenders(source, target, count, session.runs.few, session.runs.once),
            *small_nodes.slow_contenders(source, target, count, session.runs.once, timeout=30),
        ]

    sizes = [120, 240] if session.quick else [1_000, 2_000, 5_000, 10_000, 50_000]
    return grow(session, sizes, contenders)


def file_sizes(session: Session) -> tuple[Point, ...]:
    """Time and memory over the size of a single file."""

    def contenders(size: int) -> list[Contender]:
        source: Path = large_file.write(session, size)
        return large_file.contenders(session, source, large_file.PEERS)

    sizes = [1_000_000, 2_000_000] if session.quick else [50_000_000, 150_000_000, 500_000_000]
    return grow(session, sizes, contenders)


def grow(
    session: Session, sizes: Sequence[int], contenders: Callable[[int], list[Contender]]
) -> tuple[Point, ...]:
    """Compare what `contenders` makes for each size; who fails or takes too long is not tried at larger ones."""
    points: list[Point] = []
    given_up: dict[str, str] = {}
    for size in sizes:
        session.say(f"  at {size:,}")
        runners = contenders(size)
        outcomes = {
            outcome.key: outcome
            for outcome in session.compare([runner for runner in runners if runner.key not in given_up])
        }
        for key, outcome in outcomes.items():
            wall = outcome.middle("wall")
            if outcome.failure is not None:
                given_up[key] = outcome.failure
            elif wall is not None and wall > _PATIENCE:
                given_up[key] = f"not tried: {wall:.2g} s at {size:,}"
        points.append(
            Point(size, tuple(outcomes.get(runner.key) or _not_tried(runner, given_up) for runner in runners))
        )
    return tuple(points)


def _not_tried(runner: Contender, given_up: dict[str, str]) -> Outcome:
    return Outcome(runner.key, runner.label, runner.role, (), given_up[runner.key])

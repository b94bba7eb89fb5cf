"""Modes scrambled at random are recovered from one golden picture, in at most 40 + 6·N model runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evidence.random_networks import KINDS
from tests.evidence.recovery import Outcome, attempt


def _check(outcome: Outcome) -> None:
    assert outcome.evidence["passed"], outcome.evidence["error_after"]
    assert outcome.missed == []
    assert outcome.runs == outcome.reported <= outcome.limit
    assert outcome.evidence["run_limit"] <= outcome.limit
    for node in outcome.evidence["nodes"]:
        assert not node["changed"] or node["chosen"] != node["before"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_small_networks(kind: str, count: int, seed: int, tmp_path: Path) -> None:
    _check(attempt(kind, count, seed, tmp_path))


@pytest.mark.parametrize("kind", ["unet", "pyramid"])
def test_twelve_resizes(kind: str, tmp_path: Path) -> None:
    _check(attempt(kind, 12, 3, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("count", [6, 9, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_many_large_networks(kind: str, count: int, tmp_path: Path) -> None:
    outcomes = [attempt(kind, count, seed, tmp_path) for seed in range(100, 120)]
    for outcome in outcomes:
        assert outcome.runs == outcome.reported <= outcome.limit
    lost = [number for number, outcome in enumerate(outcomes) if not outcome.succeeded]
    assert not lost, f"seeds {[100 + number for number in lost]} of {kind} with {count} resizes"

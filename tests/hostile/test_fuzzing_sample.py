"""A fixed sample of the damaged files; `python -m tests.hostile.fuzzing` tries more of them."""

from __future__ import annotations

import pytest

from tests.hostile.fuzzing.running import fuzz, seeds_of

SAMPLES = {"reader": 6_000, "rewrite": 2_200, "rules": 3_000, "mlpackage": 250}


@pytest.mark.parametrize("target", SAMPLES)
def test_a_sample(target: str) -> None:
    report = fuzz(target, range(SAMPLES[target]), seed=7, jobs=2)
    assert not report.findings, report.summary()
    assert sum(report.verdicts.values()) == SAMPLES[target]
    # Damage that is always refused, or never, would test nothing.
    assert report.verdicts["accepted"] and report.verdicts["refused"]


def test_there_are_enough_seeds() -> None:
    assert len(seeds_of("reader")) >= 50

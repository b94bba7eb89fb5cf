"""The mutation score: a Resize with a wrong mode is refused and named first, an equivalent one passes."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import onnx
import pytest

import models
from tests.verification.mutants import Mutant, Remembered, mutants, tensor_shapes, without_provenance

pytest.importorskip("tensorflow")

from rewriter.tensorflow.convert import convert
from rewriter.verification import verify
from rewriter.verification.runners import open_runner

SAMPLE = 19
"""Every n-th mutant in the default run: each node once or twice, over all kinds of mistake."""


@lru_cache(maxsize=1)
def _network(name: str) -> tuple[Remembered, onnx.ModelProto]:
    network = models.build(name)
    return Remembered(open_runner(network)), convert(network)


def _outcome(reference: Remembered, mutant: Mutant) -> str:
    report = verify(reference, [mutant.model])
    if mutant.equivalent:
        return "equivalent, passed" if report.passed else "equivalent, failed"
    if report.passed:
        return "survived"
    first = report.diagnosis[0]
    if first.node != mutant.node or first.level != "error":
        return "wrong node"
    if first.reference_semantics != mutant.original or not first.candidate_semantics:
        return "wrong semantics"
    others = [finding for finding in report.diagnosis[1:] if finding.level == "error"]
    return "named with others" if others else "named"


def _score(name: str, every: int, *, bare: bool) -> Counter[str]:
    reference, model = _network(name)
    model = without_provenance(model) if bare else model
    outcomes: Counter[str] = Counter()
    for mutant in mutants(model, tensor_shapes(model), every):
        outcome = _outcome(reference, mutant)
        outcomes[outcome] += 1
        if outcome not in ("named", "equivalent, passed"):
            print(f"{outcome}: {mutant}")
    print(f"{name}{' without provenance' if bare else ''}: {dict(outcomes)}")
    return outcomes


def _is_perfect(outcomes: Counter[str]) -> bool:
    return outcomes["named"] > 0 and set(outcomes) <= {"named", "equivalent, passed"}


@pytest.mark.parametrize("name", list(models.REGISTRY))
def test_a_sample_of_mutants_is_named_without_provenance(name: str) -> None:
    assert _is_perfect(_score(name, SAMPLE, bare=True))


def test_a_sample_of_mutants_is_named_with_provenance() -> None:
    assert _is_perfect(_score("segmenter", SAMPLE, bare=False))


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("name", list(models.REGISTRY))
def test_every_mutant_is_named(name: str, bare: bool) -> None:
    assert _is_perfect(_score(name, 1, bare=bare))

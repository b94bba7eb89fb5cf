"""The mutation score: a Resize with a wrong mode is refused and named first, an equivalent one passes."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

import models
from rewriter.scoreboards.mutant_report import is_perfect, markdown
from rewriter.scoreboards.mutants import (
    Outcome,
    Remembered,
    judge,
    mutants,
    tensor_shapes,
    without_provenance,
)

pytest.importorskip("tensorflow")

from rewriter.cli.main import main
from rewriter.tensorflow.convert import convert
from rewriter.verification.runners import open_runner

SAMPLE = 19
"""Every n-th mutant in the default run: each node once or twice, over all kinds of mistake."""


@lru_cache(maxsize=1)
def _network(name: str) -> tuple[Remembered, onnx.ModelProto]:
    network = models.build(name)
    return Remembered(open_runner(network)), convert(network)


def _score(name: str, every: int, *, bare: bool) -> Counter[str]:
    reference, model = _network(name)
    model = without_provenance(model) if bare else model
    outcomes: Counter[str] = Counter()
    for mutant in mutants(model, tensor_shapes(model), every):
        outcome = judge(name, reference, mutant).verdict
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


def test_report() -> None:
    good = [Outcome("a", "x", "named", ("PSNR >= 30 dB",))] * 19 + [Outcome("a", "y", "equivalent, passed")]
    assert is_perfect([*good, Outcome("b", "z", "wrong node")])
    assert not is_perfect([*good, Outcome("b", "z", "wrong node"), Outcome("b", "z", "wrong semantics")])
    assert not is_perfect([*good, Outcome("b", "z", "survived")])
    assert not is_perfect([*good, Outcome("b", "z", "equivalent, failed")])
    page = markdown(good, 1)
    assert "| a | 19 | 19 | 19 | 1 | 1 |" in page
    assert "| PSNR >= 30 dB | 19 (100 %) |" in page


def test_the_command(tmp_path: Path) -> None:
    arguments = ["scoreboard", "mutants", "odd_sizes", "--every", "40", "-o", str(tmp_path / "page.md")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "odd_sizes:" in result.output and "lets" in result.output
    assert "**together**" in (tmp_path / "page.md").read_text()
    refused = CliRunner().invoke(main, ["scoreboard", "mutants", "nothing"])
    assert refused.exit_code == 2 and "no sample network" in refused.output

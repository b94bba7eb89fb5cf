"""The reference as cases: inputs in the model's own terms, and the outputs that are expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import InputError, RewriterError
from rewriter.evidence.pairs import pair_inputs
from rewriter.tensorspec import TensorSpec
from rewriter.verification.cases import choose_cases
from rewriter.verification.refit import Assignment, Suspect, open_refittable
from rewriter.verification.runners import Arrays, Runner, open_runner
from rewriter.verification.runners.onnx import OnnxRunner

__all__ = ["Reference", "open_reference"]

_CASES = 4
"""Cases that are compared: each costs runs, and one picture tells nearly everything."""


@dataclass(frozen=True)
class Reference:
    """What the model should compute.

    Attributes:
        runner: of the reference.
        inputs: case → the model's inputs.
        expected: case → outputs by the reference's names, in its layout.
        own_inputs: case → the same inputs as the reference takes them.
        pairs: how inputs are paired, in words.
        left_out: how many cases of a golden file are not compared.
    """

    runner: Runner
    inputs: dict[str, Arrays]
    expected: dict[str, Arrays]
    own_inputs: dict[str, Arrays]
    pairs: tuple[str, ...]
    left_out: int = 0

    def resizes(self, progress: Callable[[str], None]) -> list[Suspect]:
        """The reference's own resizes in order; empty where it cannot be taken apart."""
        case = next(iter(self.own_inputs))
        try:
            parts = open_refittable(self.runner, {case: self.own_inputs[case]})
        except RewriterError as error:
            progress(f"the reference's own resizes are not known: {error.message}")
            return []
        return [] if parts is None else parts.suspects

    def suggestion(self, suspects: list[Suspect], progress: Callable[[str], None]) -> Assignment:
        """The reference's own resizes, where it has as many as the model, and of the same lengths."""
        theirs = self.resizes(progress)
        case = next(iter(self.inputs))
        if len(theirs) != len(suspects):
            return {}
        spelled = {index: suspect.spelling(case) for index, suspect in enumerate(theirs)}
        return {index: spelling for index, spelling in spelled.items() if spelling is not None}


def open_reference(source: str | Path, model: OnnxRunner) -> Reference:
    """Open anything that `open_runner` opens as a reference for a model.

    A golden file brings its inputs; any other reference is run on probe pictures.

    Raises:
        InputError: it cannot be read or run.
        UsageError: its inputs do not fit the model's.
        MissingExtraError: TensorFlow or coremltools is needed and not installed.
    """
    runner = open_runner(source)
    cases, expected = choose_cases(runner, [model], None, 0)
    if not cases:
        raise InputError("the reference has no cases", file=source)
    kept = dict(islice(cases.items(), _CASES))
    first = next(iter(kept.values()))
    links = pair_inputs([TensorSpec(n, a.shape, a.dtype) for n, a in first.items()], model.inputs)
    inputs = {
        case: {
            link.candidate: link.to_candidate(arrays[link.reference]).astype(_dtype(model, link.candidate))
            for link in links
        }
        for case, arrays in kept.items()
    }
    return Reference(
        runner,
        inputs,
        {case: expected[case] for case in kept},
        kept,
        tuple(link.describe() for link in links),
        len(cases) - len(kept),
    )


def _dtype(model: OnnxRunner, name: str) -> np.dtype[Any]:
    return next(spec.dtype for spec in model.inputs if spec.name == name)

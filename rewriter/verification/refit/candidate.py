"""A candidate whose resizes can be exchanged, whatever format it is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rewriter.verification.refit.suspects import Spelling, Suspect
from rewriter.verification.runners import Arrays, Runner

__all__ = ["Assignment", "Refittable", "open_refittable"]

Assignment = Mapping[int, Spelling]
"""Index of a suspect → the spelling that it should have; what is not listed stays as it is."""


class Refittable(Protocol):
    """A candidate whose resizes can be exchanged.

    Attributes:
        suspects: its resizes, in the order they are computed.
        unexamined: name and reason of resizes that cannot be exchanged.
    """

    suspects: list[Suspect]
    unexamined: list[tuple[str, str]]

    def prepare(self, case: str) -> None:
        """Learn what the resizes compute at the lengths of a case: the first one is known from the start."""
        ...

    def outputs(self, case: str, assignment: Assignment) -> Arrays:
        """Outputs by name for the inputs of one case."""
        ...


def open_refittable(runner: Runner, cases: Mapping[str, Arrays]) -> Refittable | None:
    """The runner's network with exchangeable resizes; None for kinds of network that cannot be taken apart.

    Args:
        runner: of an ONNX model, or of the simulator.
        cases: the network's own inputs by case.
    """
    from rewriter.verification.runners.coreml import SimulatorRunner
    from rewriter.verification.runners.onnx import OnnxRunner

    if isinstance(runner, OnnxRunner):
        from rewriter.verification.refit.onnx_candidate import OnnxCandidate

        return OnnxCandidate(runner.proto, _typed(runner, cases))
    if isinstance(runner, SimulatorRunner) and runner.source.suffix.lower() == ".mlmodel":
        from rewriter.verification.refit.network_candidate import NetworkCandidate

        return NetworkCandidate(runner.source, _typed(runner, cases))
    if isinstance(runner, SimulatorRunner):
        from rewriter.verification.refit.coreml_candidate import CoreMLCandidate

        return CoreMLCandidate(runner, _typed(runner, cases))
    return None


def _typed(runner: Runner, cases: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """The inputs in the element types that the network declares."""
    return {
        case: {spec.name: arrays[spec.name].astype(spec.dtype) for spec in runner.inputs}
        for case, arrays in cases.items()
    }

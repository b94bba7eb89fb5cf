"""A Core ML program whose resizes can be exchanged while the simulator runs it.

Resize operators are found by type. Resizes that the lowering wrote as products with constant matrices, or as gathers,
are found by the certificates in the package's metadata, which name the ONNX node of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rewriter.coreml.simulator.interpreter import Interpreter
from rewriter.coreml.simulator.interpreter import _Run as Run  # one evaluation; operators are exchanged in it
from rewriter.coreml.simulator.reading import read_program
from rewriter.resampling import TensorResize
from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.coreml_places import find_places
from rewriter.verification.refit.suspects import axis_matrix
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.coreml import SimulatorRunner

__all__ = ["CoreMLCandidate"]


class CoreMLCandidate:
    """See `Refittable`.

    Args:
        runner: of the package.
        cases: the program's own inputs by case.
    """

    def __init__(self, runner: SimulatorRunner, cases: Mapping[str, Arrays]) -> None:
        saved = read_program(runner.source)
        function = saved.program.functions[runner.function]
        self._function = function
        self._interpreter = Interpreter(function, widen=False, file=str(runner.source))
        self._places, self.unexamined = find_places(saved, function, list(cases))
        self.suspects = [place.suspect for place in self._places]
        roots = {part.operation for place in self._places for part in place.parts}
        self._skipped, self._frontier = _cut(function, roots)
        self._runner, self._cases = runner, cases
        self._values: dict[str, Arrays] = {}

    def prepare(self, case: str) -> None:
        """Run what comes before the first resize."""
        if case not in self._values:
            given = self._function.inputs
            inner = [var.name for var in self._frontier if var.name not in given]
            self._values[case] = {**self._cases[case], **self._runner.trace(self._cases[case], inner)}

    def outputs(self, case: str, assignment: Assignment) -> Arrays:
        """Outputs by name for the inputs of one case."""
        self.prepare(case)
        values = {var: self._values[case][var.name] for var in self._frontier}
        exchanged = {}
        for index, place in enumerate(self._places):
            if index in assignment:
                meaning = place.suspect.meaning(assignment[index], case)
                exchanged.update({part.operation: (part, meaning) for part in place.parts})
        run = _Exchanged(self._interpreter, values, exchanged, self._skipped)
        with np.errstate(all="ignore"):
            run.block(self._function)
        return {var.name: np.asarray(run.get(var)) for var in self._function.outputs}


class _Exchanged(Run):
    """An evaluation that starts from known tensors, skips what they make needless, and resizes as it is told."""

    def __init__(
        self,
        interpreter: Interpreter,
        values: Mapping[Any, np.ndarray],
        exchanged: Mapping[Any, tuple[Any, TensorResize]],
        skipped: set[Any],
    ) -> None:
        super().__init__(interpreter, frozenset())
        self._exchanged, self._skipped = exchanged, skipped
        for var, value in values.items():
            self.set(var, value)

    def _evaluate(self, operation: Any) -> None:
        if operation in self._skipped:
            return
        if operation not in self._exchanged:
            super()._evaluate(operation)
            return
        part, meaning = self._exchanged[operation]
        x = np.asarray(self.get(part.data)).astype(np.float32)
        for index, axis in part.axes:
            product = np.tensordot(axis_matrix(meaning.axes[index]), x, axes=(1, axis))
            x = np.moveaxis(product, 0, axis)
        self.set(operation.outputs[0], x)


def _cut(function: Any, roots: set[Any]) -> tuple[set[Any], list[Any]]:
    """Operators that depend on no resize, and the variables of theirs that others read."""
    changing: set[Any] = set()
    skipped: set[Any] = set()
    read: dict[Any, None] = {}
    for operation in function.operations:
        if operation.op_type == "const":
            continue
        reads = _read(operation)
        if operation in roots or any(var in changing for var in reads):
            changing.update(operation.outputs)
            read.update(dict.fromkeys(reads))
        else:
            skipped.add(operation)
    read.update(dict.fromkeys(function.outputs))
    frontier = [var for var in read if var not in changing and not _is_constant(var)]
    return skipped, frontier


def _read(operation: Any) -> list[Any]:
    found: list[Any] = []
    for var in operation.inputs.values():
        if var is not None:
            found.extend(var if isinstance(var, tuple | list) else [var])
    for block in operation.blocks:
        for nested in block.operations:
            found.extend(_read(nested))
        found.extend(block.outputs)
    return found


def _is_constant(var: Any) -> bool:
    return var.op is not None and var.op.op_type == "const"

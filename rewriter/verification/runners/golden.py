"""Golden files: inputs and expected outputs recorded earlier, `CASE/in/NAME` and `CASE/out/NAME`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewriter.archive import read_npz
from rewriter.errors import InputError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["GoldenRunner"]


class GoldenRunner:
    """Plays back recorded outputs for the recorded inputs."""

    kind = "golden"
    simulated = False
    precision = "float32"

    def __init__(self, path: Path) -> None:
        self.source = path
        self.name = f"golden:{path.name}"
        self.cases: dict[str, Arrays] = {}
        self._expected: dict[str, Arrays] = {}
        for key, array in read_npz(path).items():
            case = key.rpartition("/in/" if "/in/" in key else "/out/")[0]
            if not case:
                continue
            name = key[len(case) :].split("/", 2)[2]
            (self.cases if "/in/" in key else self._expected).setdefault(case, {})[name] = array
        missing = sorted(set(self.cases) ^ set(self._expected))
        if missing or not self.cases:
            cause = (
                f"case '{missing[0]}' lacks inputs or outputs"
                if missing
                else "it holds no CASE/in/NAME arrays"
            )
            raise InputError(f"not a golden file: {cause}", file=path)
        self.inputs = _specs(self.cases)
        self.outputs = _specs(self._expected)

    def run(self, inputs: Arrays) -> Arrays:
        """The outputs recorded for exactly these inputs.

        Raises:
            InputError: the inputs are none of the recorded ones.
        """
        for case, recorded in self.cases.items():
            if recorded.keys() == inputs.keys() and all(
                np.array_equal(recorded[name], inputs[name]) for name in recorded
            ):
                return self._expected[case]
        raise InputError("the golden file has no such inputs", file=self.source)


def _specs(cases: dict[str, Arrays]) -> list[TensorSpec]:
    first = next(iter(cases.values()))
    return [TensorSpec(name, array.shape, array.dtype) for name, array in first.items()]

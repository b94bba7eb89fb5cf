"""A Python callable that maps a dict of arrays to a dict of arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["FunctionRunner"]


class FunctionRunner:
    """Wraps `function`; `inputs` may be given where the callable's inputs are known."""

    kind = "callable"
    simulated = False
    precision = "float32"
    source = None

    def __init__(
        self,
        function: Callable[[Arrays], Arrays],
        name: str | None = None,
        inputs: list[TensorSpec] | None = None,
    ) -> None:
        self.name = f"callable:{name or getattr(function, '__name__', 'function')}"
        self.inputs = inputs or []
        self.outputs: list[TensorSpec] = []
        self._function = function

    def run(self, inputs: Arrays) -> Arrays:
        """What the callable returns, as arrays."""
        return {name: np.asarray(value) for name, value in self._function(inputs).items()}

"""Walks the operations of a MIL block, keeping each tensor no longer than its last use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Call
from rewriter.coreml.simulator.element_types import numpy_dtype
from rewriter.coreml.simulator.registry import find_kernel
from rewriter.errors import InputError, RewriterError, UnsupportedError

__all__ = ["Interpreter", "all_operations"]


class Interpreter:
    """Evaluates one function of a MIL program.

    Each operator is evaluated in float32 and its outputs are rounded to the element types that the program
    declares, so a float16 program loses what it would lose on a device that accumulates in float32.

    Args:
        function: the MIL function (`coremltools.converters.mil.mil.Function`).
        widen: treat float16 as float32, that is, do not round.
        file: named in error messages.
    """

    def __init__(self, function: Any, *, widen: bool, file: str) -> None:
        self._function = function
        self._widen = widen
        self.file = file
        self._dtypes: dict[Any, np.dtype[Any] | None] = {}
        self._expiring: dict[int, list[list[Any]]] = {}
        self._plan(function)

    def run(self, inputs: Mapping[str, Any], traced: frozenset[str] | None) -> dict[str, Any]:
        """Values of the function's outputs and of the traced variables, by name.

        Args:
            inputs: value of every function input by name.
            traced: names of intermediates to keep; None for all.
        """
        run = _Run(self, traced)
        for name, placeholder in self._function.inputs.items():
            run.set(placeholder, inputs[name])
        with np.errstate(all="ignore"):
            run.block(self._function)
        return {**run.kept, **{var.name: run.get(var) for var in self._function.outputs}}

    def dtype(self, var: Any) -> np.dtype[Any] | None:
        """Element type that values of `var` are kept in; None where it is not a tensor."""
        if var not in self._dtypes:
            dtype = numpy_dtype(var)
            self._dtypes[var] = np.dtype(np.float32) if self._widen and dtype == np.float16 else dtype
        return self._dtypes[var]

    def expiring(self, block: Any) -> list[list[Any]]:
        """For each operation of `block`, the variables that nothing needs after it."""
        return self._expiring[id(block)]

    def _plan(self, block: Any) -> None:
        operations = list(block.operations)
        last_use: dict[Any, int] = {}
        for index, operation in enumerate(operations):
            for nested in operation.blocks:
                self._plan(nested)
            for var in operation.outputs:
                last_use[var] = index
            for var in _read(operation):
                if var in last_use:
                    last_use[var] = index
        for var in block.outputs:
            last_use.pop(var, None)
        expiring: list[list[Any]] = [[] for _ in operations]
        for var, index in last_use.items():
            if var.op is not None and var.op.op_type != "const":
                expiring[index].append(var)
        self._expiring[id(block)] = expiring


class _Run:
    """The variables of one evaluation."""

    def __init__(self, interpreter: Interpreter, traced: frozenset[str] | None) -> None:
        self._interpreter = interpreter
        self._traced = traced
        self._values: dict[Any, Any] = {}
        self.kept: dict[str, Any] = {}

    def block(self, block: Any) -> None:
        for operation, expired in zip(block.operations, self._interpreter.expiring(block), strict=True):
            if operation.op_type != "const":
                self._evaluate(operation)
            for var in expired:
                self._values.pop(var, None)

    def nested(self, block: Any, inputs: Sequence[Any]) -> list[Any]:
        for var, value in zip(block.inputs, inputs, strict=True):
            self.set(var, value)
        self.block(block)
        return [self.get(var) for var in block.outputs]

    def get(self, var: Any) -> Any:
        if var in self._values:
            return self._values[var]
        # Constants are read where they are used; keeping converted copies would double the weights.
        value = var.op.outputs[0].val
        dtype = self._interpreter.dtype(var)
        return value if dtype is None else np.asarray(value, dtype)

    def set(self, var: Any, value: Any) -> None:
        dtype = self._interpreter.dtype(var)
        stored = value if dtype is None else np.asarray(value).astype(dtype, copy=False)
        self._values[var] = stored
        if self._traced is None or var.name in self._traced:
            self.kept[var.name] = stored

    def _evaluate(self, operation: Any) -> None:
        kernel = find_kernel(operation.op_type)
        assert kernel is not None, operation.op_type
        values = {
            name: [self.get(item) for item in var] if isinstance(var, tuple | list) else self.get(var)
            for name, var in operation.inputs.items()
            if var is not None
        }
        dtypes = [self._interpreter.dtype(var) for var in operation.outputs]
        try:
            results = kernel(Call(operation, values, dtypes, self.nested))
        except RewriterError as error:
            error.node = error.node or operation.name
            error.file = error.file or self._interpreter.file
            raise
        except IndexError as error:
            raise InputError(
                f"operator {operation.op_type}: {error}",
                file=self._interpreter.file,
                node=operation.outputs[0].name,
                remedy="give inputs that lead to indices within bounds",
            ) from error
        except ValueError as error:
            raise UnsupportedError(
                f"operator {operation.op_type} cannot be evaluated on these inputs: {error}",
                file=self._interpreter.file,
                node=operation.outputs[0].name,
            ) from error
        outputs = operation.outputs
        for var, result in zip(outputs, results if isinstance(results, tuple) else (results,), strict=True):
            self.set(var, result)


def all_operations(block: Any) -> list[Any]:
    """Every operation of a block and of the blocks nested in it, constants left out."""
    found = []
    for operation in block.operations:
        if operation.op_type != "const":
            found.append(operation)
        for nested in operation.blocks:
            found.extend(all_operations(nested))
    return found


def _read(operation: Any) -> list[Any]:
    """Variables that an operation reads, those read or returned by its nested blocks included."""
    found: list[Any] = []
    for var in operation.inputs.values():
        if var is not None:
            found.extend(var if isinstance(var, tuple | list) else [var])
    for block in operation.blocks:
        for nested in block.operations:
            found.extend(_read(nested))
        found.extend(block.outputs)
    return found

"""A saved Core ML program that can be run anywhere, with the calling convention of coremltools' `MLModel`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rewriter.coreml.simulator.features import read_features
from rewriter.coreml.simulator.interpreter import Interpreter, all_operations
from rewriter.coreml.simulator.reading import SavedProgram, read_program
from rewriter.coreml.simulator.registry import find_suspicion
from rewriter.coreml.simulator.state import SimulatedState, read_states
from rewriter.errors import InputError, UsageError
from rewriter.tensorspec import TensorSpec

if TYPE_CHECKING:
    from rewriter.coreml.simulator.neuralnetwork import SimulatedNetwork

__all__ = ["Precision", "SimulatedModel", "load"]

Precision = Literal["as_saved", "float32"]


def load(
    path: str | Path, *, precision: Precision = "as_saved", function: str | None = None
) -> SimulatedModel | SimulatedNetwork:
    """Read a saved Core ML model and make it ready to run.

    Args:
        path: an ``.mlpackage`` that holds an ML program, or a ``.mlmodel`` file that holds a neural network.
        precision: ``"as_saved"`` rounds each operator's output to the type that the program declares;
            ``"float32"`` keeps float32 where the program says float16.
        function: which function of a multi-function program; None for its default.

    Raises:
        InputError: the package is missing, truncated or not a package.
        UnsupportedError: not an ML program, or it uses an operator without a kernel.
        UsageError: unknown precision or function.
    """
    if precision not in ("as_saved", "float32"):
        raise UsageError(f"precision {precision!r} is not known", remedy="use 'as_saved' or 'float32'")
    if Path(path).suffix.lower() == ".mlmodel":
        from rewriter.coreml.simulator.neuralnetwork import load_network

        if function not in (None, "main"):
            raise UsageError(f"has no function '{function}'", file=path, remedy="its only function is: main")
        return load_network(path)
    return SimulatedModel(read_program(path), precision, function)


class SimulatedModel:
    """A Core ML program evaluated with numpy.

    Attributes:
        simulated: always True; what reports say of results that no Core ML runtime computed.
        precision: ``"as_saved"`` or ``"float32"``.
        compute_precision: ``"float16"`` where any operator's result is rounded to it, else ``"float32"``.
        path: the package.
        function: name of the function that runs.
        unproven: one sentence for each operator whose behaviour Apple does not document; empty when every result
            rests on documented semantics.
        states: name, shape and element type of each state; empty for a model without.
    """

    simulated = True

    def __init__(self, saved: SavedProgram, precision: Precision, function: str | None) -> None:
        self.path = saved.path
        self.precision = precision
        self.function = _function_name(saved, function)
        body = saved.program.functions[self.function]
        operations = all_operations(body)
        self.unproven = _unproven(operations)
        self.states = read_states(body)
        self._inputs, self._outputs = read_features(saved.spec, body, self.function, saved.path)
        self.compute_precision = "float16" if precision == "as_saved" and _rounds(operations) else "float32"
        self._names = _variable_names(operations)
        self._interpreter = Interpreter(body, widen=precision == "float32", file=str(saved.path))

    @property
    def inputs(self) -> list[TensorSpec]:
        """Name, shape (None where flexible) and element type of each input."""
        return [feature.spec for feature in self._inputs]

    @property
    def outputs(self) -> list[TensorSpec]:
        """Name, shape (None where it depends on the inputs) and element type of each output."""
        return [feature.spec for feature in self._outputs]

    def predict(
        self,
        data: Mapping[str, Any],
        state: SimulatedState | None = None,
        *,
        trace: Literal["all"] | Iterable[str] = (),
    ) -> dict[str, Any]:
        """Run the program.

        Args:
            data: one array for each input.
            state: from `make_state`; updated. A model with states and none given starts from zeros.
            trace: names of intermediate tensors to return too, or ``"all"``.

        Returns:
            The outputs by name, and the traced tensors. Arrays, except that a classifier gives its label as str or
            int and its probabilities as a dictionary, as coremltools does.

        Raises:
            InputError: an input is missing, unknown, or of the wrong shape or type.
            UsageError: `trace` names a tensor that the program does not have.
        """
        unknown = sorted(set(data) - {feature.spec.name for feature in self._inputs})
        if unknown:
            expected = ", ".join(feature.spec.name for feature in self._inputs)
            raise InputError(
                f"has no input '{unknown[0]}'", file=self.path, remedy=f"its inputs are: {expected}"
            )
        values = {
            feature.spec.name: feature.checked(data.get(feature.spec.name), self.path)
            for feature in self._inputs
        }
        cells = (state or self.make_state()).cells
        found = self._interpreter.run({**values, **cells}, self._traced(trace))
        results = {
            feature.spec.name: feature.presented(found[feature.spec.name]) for feature in self._outputs
        }
        traced = {name: value for name, value in found.items() if name not in results}
        return {**results, **traced}

    def make_state(self) -> SimulatedState:
        """The model's states, all zeros, to pass to one prediction after another."""
        return SimulatedState(self.states)

    def _traced(self, trace: Literal["all"] | Iterable[str]) -> frozenset[str] | None:
        if trace == "all":
            return None
        names = frozenset([trace] if isinstance(trace, str) else trace)
        unknown = sorted(names - self._names)
        if unknown:
            raise UsageError(f"has no tensor '{unknown[0]}' to trace", file=self.path)
        return names


def _function_name(saved: SavedProgram, function: str | None) -> str:
    names = list(saved.program.functions)
    default = saved.spec.description.defaultFunctionName or ("main" if "main" in names else names[0])
    chosen = function or default
    if chosen not in names:
        raise UsageError(
            f"has no function '{chosen}'", file=saved.path, remedy=f"its functions are: {', '.join(names)}"
        )
    return chosen


def _unproven(operations: list[Any]) -> list[str]:
    reasons = []
    for operation in operations:
        suspicion = find_suspicion(operation.op_type)
        reason = None if suspicion is None else suspicion(operation)
        if reason is not None:
            reasons.append(f"{operation.outputs[0].name}: {operation.op_type}: {reason}")
    return reasons


def _variable_names(operations: list[Any]) -> frozenset[str]:
    return frozenset(var.name for operation in operations for var in operation.outputs)


def _rounds(operations: Iterable[Any]) -> bool:
    """Whether any operator but a constant gives float16 tensors."""
    return any(
        output.is_tensor_or_scalar_of(dtype="fp16")
        for operation in operations
        if operation.op_type != "const"
        for output in operation.outputs
    )

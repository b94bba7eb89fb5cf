"""The tests that the onnx wheel brings: lowered to Core ML, saved, read back, simulated, against their own data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from rewriter.errors import RewriterError, UnsupportedError

__all__ = [
    "SUITES",
    "Outcome",
    "TestCase",
    "Verdict",
    "collect",
    "frozen",
    "measured",
    "run_program",
    "try_case",
]

IN_SCOPE = frozenset(
    {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
)
"""Element types that Core ML has, or that it holds in the next smaller one."""
SUITES = ("node", "expanded", "simple", "pytorch-converted", "pytorch-operator")
_DIRECTORIES = ("simple", "pytorch-converted", "pytorch-operator")

_READING = "onnx.reference"
"""The expected values are its own, also where onnxruntime reads a Resize differently."""
NOISE = 1e-6
"""Of the largest expected value: what a sum in float32 loses. Some expected values carry as much themselves."""

Arrays = dict[str, np.ndarray]
Runner = Callable[[ModelProto, Arrays, Path], Arrays]

Verdict = Literal["right", "right, parameters constant", "refused", "wrong"]


@dataclass(frozen=True)
class Outcome:
    """What became of one test.

    Attributes:
        name: of the test.
        operator: of its only node, or of the first of several.
        verdict: ``right`` with every input at run time; or with all inputs but the first made constant; ``refused``
            is an UnsupportedError in both forms; ``wrong`` is another value in either form, or another error.
        reason: of a refusal, or how it is wrong.
        rank_0_as_1: whether an output of rank 0 came back as shape (1,).
    """

    name: str
    operator: str
    verdict: Verdict
    reason: str = ""
    rank_0_as_1: bool = False

    @property
    def is_right(self) -> bool:
        return self.verdict.startswith("right")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "operator": self.operator,
            "verdict": self.verdict,
            "reason": self.reason,
            "rank_0_as_1": self.rank_0_as_1,
        }


@dataclass(frozen=True)
class TestCase:
    """A model, its inputs and the outputs that are expected."""

    name: str
    model: ModelProto
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    rtol: float
    atol: float

    __test__ = False  # not for pytest to collect


def collect(suite: str = "node") -> dict[str, TestCase]:
    """The tests of a suite whose tensors Core ML can hold, by name.

    Args:
        suite: one of `SUITES`; ``node`` are those of single operators, ``expanded`` the same as their functions.

    Raises:
        ValueError: no such suite.
    """
    if suite not in SUITES:
        raise ValueError(f"no suite '{suite}'; there are {', '.join(SUITES)}")
    found = _from_directory(suite) if suite in _DIRECTORIES else _node_cases(expanded=suite == "expanded")
    return {case.name: case for case in found}


def _node_cases(*, expanded: bool) -> Iterator[TestCase]:
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        if case.model is None or ("_expanded" in case.name) is not expanded or not _in_scope(case.model):
            continue
        inputs, outputs = (tuple(_array(value) for value in values) for values in case.data_sets[0])
        yield TestCase(case.name, case.model, inputs, outputs, case.rtol, case.atol)


def _from_directory(suite: str) -> Iterator[TestCase]:
    import onnx.backend.test

    root = Path(onnx.backend.test.__file__).parent / "data" / suite
    for folder in sorted(root.iterdir()):
        model = onnx.load(folder / "model.onnx")
        data = folder / "test_data_set_0"
        if not _in_scope(model) or not data.is_dir():
            continue
        inputs, outputs = (
            tuple(_stored(data / f"{kind}_{index}.pb") for index in range(len(values)))
            for kind, values in (("input", _own_inputs(model)), ("output", model.graph.output))
        )
        yield TestCase(folder.name, model, inputs, outputs, 1e-3, 1e-7)


def _own_inputs(model: ModelProto) -> list[onnx.ValueInfoProto]:
    constant = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constant]


def _stored(path: Path) -> np.ndarray:
    return numpy_helper.to_array(onnx.load_tensor(path))


def _in_scope(model: ModelProto) -> bool:
    values = [*model.graph.input, *model.graph.output]
    return all(
        value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in IN_SCOPE
        for value in values
    ) and all(entry.domain in ("", "ai.onnx") for entry in model.opset_import)


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def frozen(case: TestCase) -> ModelProto:
    """The model with all inputs but the first made constant, as Core ML wants the parameters of many operators."""
    copy = ModelProto()
    copy.CopyFrom(case.model)
    inputs = _own_inputs(copy)
    for value, array in list(zip(inputs, case.inputs, strict=True))[1:]:
        copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
        copy.graph.input.remove(value)
    return copy


def try_case(case: TestCase, folder: Path, run: Runner | None = None) -> Outcome:
    """Lower, save, read and simulate one test, in both forms: constants take other ways than run-time values.

    Args:
        case: the test.
        folder: for the package.
        run: what gives a model's outputs for inputs, in a folder; `run_program` by default.
    """
    operator = case.model.graph.node[0].op_type if case.model.graph.node else ""
    attempts: list[tuple[Verdict, ModelProto]] = [("right", case.model)]
    if len(case.inputs) > 1:
        attempts.append(("right, parameters constant", frozen(case)))
    verdicts: list[Verdict] = []
    reason, rank_0 = "", False
    for verdict, model in attempts:
        try:
            problem, scalar_as_vector = _run(case, model, folder, run or run_program)
        except UnsupportedError as error:
            reason = reason or str(error)
            continue
        except RewriterError as error:
            return Outcome(case.name, operator, "wrong", f"{type(error).__name__}: {error}")
        except Exception as error:  # whatever it is, it is a defect, and the other tests go on
            return Outcome(case.name, operator, "wrong", f"{type(error).__name__}: {error}")
        if problem:
            return Outcome(case.name, operator, "wrong", problem)
        verdicts.append(verdict)
        rank_0 |= scalar_as_vector
    if not verdicts:
        return Outcome(case.name, operator, "refused", reason)
    return Outcome(case.name, operator, verdicts[0], rank_0_as_1=rank_0)


def _run(case: TestCase, model: ModelProto, folder: Path, run: Runner) -> tuple[str, bool]:
    arrays = {value.name: array for value, array in zip(_own_inputs(model), case.inputs, strict=False)}
    results = run(model, arrays, folder)
    scalar_as_vector = False
    for value, expected in zip(model.graph.output, case.outputs, strict=True):
        result = np.asarray(results[value.name])
        problem = _difference(result, expected, case)
        if problem:
            return f"output '{value.name}': {problem}", False
        scalar_as_vector |= expected.ndim == 0 and result.shape == (1,)
    return "", scalar_as_vector


def run_program(model: ModelProto, arrays: Arrays, folder: Path) -> Arrays:
    """The outputs of an ML program for iOS17, by ONNX name, from the package that was saved."""
    from rewriter.coreml.lowering import lower
    from rewriter.coreml.simulator import load

    shapes = {name: array.shape for name, array in arrays.items()}
    lowered = lower(model, shapes=shapes, reading=_READING)
    package = lowered.save(folder / "model.mlpackage")
    try:
        simulated = load(package)
        specs = {spec.name: spec for spec in simulated.inputs}
        feeds = {}
        for name, array in arrays.items():
            spec = specs[lowered.names[name]]
            feeds[spec.name] = np.asarray(array).astype(spec.dtype).reshape(spec.shape)
        results = simulated.predict(feeds)
    finally:
        shutil.rmtree(package)
    return {value.name: np.asarray(results[lowered.names[value.name]]) for value in model.graph.output}


def _difference(result: np.ndarray, expected: np.ndarray, case: TestCase) -> str:
    """How a result is not what is expected; empty where it is."""
    if result.shape != expected.shape and not (expected.ndim == 0 and result.shape == (1,)):
        return f"shape {result.shape} instead of {expected.shape}"
    result = result.reshape(expected.shape)
    if not np.issubdtype(expected.dtype, np.floating):
        wrong = int(np.sum(result != expected.astype(result.dtype)))
        return f"{wrong} of {expected.size} values differ" if wrong else ""
    rtol, atol = case.rtol, max(case.atol, NOISE * _largest(expected))
    if expected.dtype == np.float16:  # computed in float32 here, in float16 there
        rtol, atol = max(rtol, 2e-3), max(atol, 2e-3)
    close = np.isclose(result, expected, rtol=rtol, atol=atol, equal_nan=True)
    return "" if close.all() else f"{int(np.sum(~close))} of {expected.size} values differ"


def _largest(expected: np.ndarray) -> float:
    finite = np.abs(expected[np.isfinite(expected)])
    return float(finite.max()) if finite.size else 0.0


def measured(cases: Sequence[TestCase], jobs: int = 1) -> Iterator[Outcome]:
    """What becomes of each test, in order, as it is known."""
    if jobs == 1:
        yield from map(_try_in_a_folder, cases)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_try_in_a_folder, cases, chunksize=8)


def _try_in_a_folder(case: TestCase) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return try_case(case, Path(folder))

"""Apple's own operator tests as an oracle for the simulator.

The coremltools wheel ships the tests of its MIL operators. Each of them hands a builder function, inputs and expected
outputs to one helper, `run_compare_builder`, which does nothing off macOS. Here that helper is replaced before the
test modules are imported: it builds the program, converts it to a float32 ML program, saves it, and lets the
simulator evaluate the saved package.

    python -m rewriter.scoreboards.coreml_op_triples -o r.json                    every test
    python -m rewriter.scoreboards.coreml_op_triples -o r.json --per-function 2   at most two cases of each function
    python -m rewriter.scoreboards.coreml_op_triples -o r.json --share 0/4        the first of four shares

It replaces parts of coremltools and freezes the garbage collector, so it runs in a process of its own.
Tests that need PyTorch are counted only where it is installed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RTOL, ATOL = 1e-3, 1e-4
# Where the test itself declares float16 tensors, whose spacing is 1e-3 of their value.
RTOL_FLOAT16, ATOL_FLOAT16 = 5e-3, 5e-3

Record = dict[str, Any]


class Capture:
    """Stands in for `run_compare_builder` and records how the simulator fares.

    Every record has `test` (pytest id), `status`, `operators` (MIL types in the saved program) and `detail`. Status
    is "matched", "mismatched", "unsupported" (no kernel), "refused" (the inputs), "failed" (the simulator raised), or
    "no_expectation".
    """

    def __init__(self, directory: Path) -> None:
        self.records: list[Record] = []
        self._package = directory / "triple.mlpackage"

    def __call__(self, build: Callable[..., Any], input_placeholders: Any, *args: Any, **kwargs: Any) -> Any:
        names = ("input_values", "expected_output_types", "expected_outputs", "compute_unit", "frontend_only")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        # Errors in here are what tests with pytest.raises expect: they are not about the simulator.
        mlmodel, output_names = _convert(build, input_placeholders, given)
        if given.get("frontend_only"):
            return mlmodel
        expected = given.get("expected_outputs")
        if expected is None:
            self._record("no_expectation", mlmodel, "")
            return mlmodel
        iterations = given.get("pred_iters")
        rounds = [expected] if iterations is None else expected
        rounds = [item if isinstance(item, list) else [item] for item in rounds]
        if self._package.exists():
            shutil.rmtree(self._package)
        mlmodel.save(str(self._package))
        self._record(*self._simulate(mlmodel, given.get("input_values") or {}, output_names, rounds))
        return mlmodel

    def _simulate(
        self, mlmodel: Any, inputs: Mapping[str, Any], names: list[str], rounds: list[list[Any]]
    ) -> tuple[str, Any, str]:
        from rewriter.coreml.simulator import load
        from rewriter.errors import InputError, UnsupportedError

        try:
            model = load(self._package)
            tolerances = (RTOL_FLOAT16, ATOL_FLOAT16) if _has_float16(mlmodel) else (RTOL, ATOL)
            state = model.make_state() if model.states else None
            for expected in rounds:
                try:
                    found = model.predict(inputs, state=state)
                except InputError as error:
                    return "refused", mlmodel, str(error)
                if len(names) == 1 and names[0] not in found and len(found) == 1:
                    found = {names[0]: next(iter(found.values()))}
                complaint = _compare(found, dict(zip(names, expected, strict=True)), *tolerances)
                if complaint:
                    return "mismatched", mlmodel, complaint
        except UnsupportedError as error:
            return "unsupported", mlmodel, str(error)
        except Exception:
            return "failed", mlmodel, traceback.format_exc(limit=-3)
        return "matched", mlmodel, ""

    def _record(self, status: str, mlmodel: Any, detail: str) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rsplit(" (", 1)[0]
        operators = sorted(_operators(mlmodel))
        self.records.append({"test": test, "status": status, "operators": operators, "detail": detail})


def _convert(build: Callable[..., Any], placeholders: Any, given: Mapping[str, Any]) -> tuple[Any, list[str]]:
    import coremltools as ct
    from coremltools.converters.mil import mil
    from coremltools.converters.mil.mil import Function

    backend = given.get("backend")
    target = ct.target.iOS15 if backend is None else backend.opset_version
    program = mil.Program()
    with Function(placeholders, opset_version=target) as function:
        outputs = build(**function.inputs)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        function.set_outputs(outputs)
        # Conversion renames outputs that it casts; the model keeps these names.
        names = [var.name for var in outputs]
        program.add_function("main", function)
    mlmodel = ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        inputs=given.get("inputs"),
        minimum_deployment_target=target,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=given.get("pass_pipeline"),
        skip_model_load=True,
    )
    return mlmodel, names


def _compare(found: Mapping[str, Any], expected: Mapping[str, Any], rtol: float, atol: float) -> str:
    for name, want in expected.items():
        if name not in found:
            return f"no output {name} among {list(found)}"
        have = found[name]
        if isinstance(want, str | dict):
            if have != want:
                return f"{name}: {have!r} instead of {want!r}"
            continue
        have, want = np.asarray(have), np.asarray(want)
        if have.shape != want.shape and not (have.size == 1 and want.size == 1):
            return f"{name}: shape {have.shape} instead of {want.shape}"
        have, want = have.astype(np.float64).reshape(want.shape), want.astype(np.float64)
        if not np.allclose(have, want, rtol=rtol, atol=atol, equal_nan=True):
            return (
                f"{name}: off by {np.nanmax(np.abs(have - want)):.3g}; "
                f"{have.ravel()[:8].tolist()} instead of {want.ravel()[:8].tolist()}"
            )
    return ""


def _has_float16(mlmodel: Any) -> bool:
    from coremltools.proto import MIL_pb2

    return any(
        output.type.tensorType.dataType == MIL_pb2.FLOAT16
        for function in mlmodel.get_spec().mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
        for output in operation.outputs
    )


def _operators(mlmodel: Any) -> set[str]:
    found: set[str] = set()

    def visit(block: Any) -> None:
        for operation in block.operations:
            if operation.type != "const":
                found.add(operation.type)
            for inner in operation.blocks:
                visit(inner)

    for function in mlmodel.get_spec().mlProgram.functions.values():
        for block in function.block_specializations.values():
            visit(block)
    return found


class Selection:
    """Pytest plug-in: at most `per_function` cases of each test function, drawn with a fixed seed.

    Of these, the share `index` of `count` equal ones, so that several processes can divide the work.
    """

    def __init__(self, per_function: int | None, seed: int, share: tuple[int, int]) -> None:
        self._per_function = per_function
        self._seed = seed
        self._share = share

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        # coremltools collects garbage after each conversion, which takes 0.2 s with TensorFlow on the heap.
        gc.freeze()
        index, count = self._share
        items[:] = self._drawn(items)[index::count]

    def _drawn(self, items: list[Any]) -> list[Any]:
        if self._per_function is None:
            return items
        groups: dict[str, list[Any]] = {}
        for item in items:
            groups.setdefault(item.nodeid.split("[")[0], []).append(item)
        draw = random.Random(self._seed)
        return [
            item
            for group in groups.values()
            for item in sorted(draw.sample(group, min(len(group), self._per_function)), key=group.index)
        ]


def run(
    keyword: str = "",
    per_function: int | None = None,
    seed: int = 0,
    modules: str = "",
    share: tuple[int, int] = (0, 1),
) -> list[Record]:
    """Run Apple's operator tests in this process and return one record for each triple.

    Args:
        keyword: pytest's ``-k`` expression.
        per_function: at most so many cases of each test function; None for all.
        seed: of that choice.
        modules: glob of test modules relative to coremltools' operator tests, e.g. ``"iOS17/*conv*"``.
        share: (index, count): that one of `count` equal shares.
    """
    import coremltools.converters.mil.testing_reqs as requirements
    from coremltools.converters.mil.mil.ops.tests import testing_utils

    folder = Path(testing_utils.__file__).parent
    config = requirements.BackendConfig
    versions = requirements._SUPPORTED_OPSET_VERSIONS_MLPROGRAM
    requirements.backends_internal = [config("mlprogram", "fp32", version) for version in versions]
    requirements.backends = [("mlprogram", "fp32")]
    with tempfile.TemporaryDirectory() as directory:
        capture = Capture(Path(directory))
        testing_utils.run_compare_builder = capture
        targets = sorted(str(path) for path in folder.glob(modules or "*/test_*.py"))
        options = [
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "--runxfail",
            "--tb=no",
            "--no-header",
        ]
        options += [
            "--continue-on-collection-errors",
            "-W",
            "ignore",
            "--import-mode=importlib",
            "-o",
            "addopts=",
        ]
        options += [f"--rootdir={folder}", "-c", os.devnull, "-k", keyword, "-r", "N"]
        pytest.main([*targets, *options], plugins=[Selection(per_function, seed, share)])
    return capture.records


def main() -> None:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Apple's operator tests against the simulator")
    parser.add_argument("-k", "--keyword", default="", help="pytest's -k expression")
    parser.add_argument("-m", "--modules", default="", help="glob of test modules, e.g. 'iOS17/*conv*'")
    parser.add_argument("--per-function", type=int, help="at most so many cases of each test function")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", default="0/1", help="INDEX/COUNT: that one of COUNT equal shares")
    parser.add_argument("-o", "--output", type=Path, required=True, help="write the records as JSON")
    options = parser.parse_args()
    index, count = map(int, options.share.split("/"))
    records = run(options.keyword, options.per_function, options.seed, options.modules, (index, count))
    options.output.write_text(json.dumps(records), encoding="utf-8")


if __name__ == "__main__":
    main()

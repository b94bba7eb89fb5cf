"""Check the custom layer's sources without Apple's tools; `python -m rewriter.coreml.customlayer` does it.

They are type-checked against stand-ins for Apple's headers, compiled to an arm64 object for iOS, and linked with
GNUstep and run: the CPU path, and the Metal path on a fake GPU that executes the kernel's arithmetic as C. What is
not checked: the Metal compiler, Apple's own headers, and execution on a GPU.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rewriter.coreml.customlayer.cases import Case, expected, read_answers, write_cases
from rewriter.coreml.customlayer.toolchain import (
    SOURCES,
    XCODE,
    CompileError,
    Toolchain,
    find_toolchain,
)

__all__ = ["TOLERANCE", "RunResult", "check_types", "compile_for_ios", "run_cases"]

TOLERANCE = 1e-5
"""Largest difference from the exact result, for inputs in [-1, 1]."""


@dataclass(frozen=True)
class RunResult:
    """How far the compiled layer is from the algebra.

    Attributes:
        cases: how many were run.
        cpu, kernel: largest difference of the CPU path and of the kernel's arithmetic.
        wrong: indices of cases beyond `TOLERANCE`, or of another shape.
    """

    cases: int
    cpu: float
    kernel: float
    wrong: list[int]


def check_types(directory: Path = SOURCES, tools: Toolchain | None = None) -> None:
    """Type-check the Objective-C files in `directory` and the test target; the protocol's required methods have to
    be there.

    Raises:
        CompileError: the compiler complains.
    """
    tools = tools or find_toolchain()
    for source in sorted({file.name: file for file in (*XCODE.glob("*.m"), *directory.glob("*.m"))}.values()):
        tools.type_check(source, directory)


def compile_for_ios(
    directory: Path = SOURCES, target: Path | None = None, tools: Toolchain | None = None
) -> None:
    """Compile the layer in `directory` to arm64 objects for iOS 13.

    Args:
        directory: with the sources.
        target: where to put the objects; nowhere by default.
        tools: the compiler.

    Raises:
        CompileError: the compiler complains.
    """
    tools = tools or find_toolchain()
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("RWAlignedResize.m", "rw_resize.c"):
            tools.compile_for_ios(
                directory / name, (target or Path(scratch)) / f"{Path(name).stem}.o", directory
            )


def run_cases(cases: list[Case], directory: Path = SOURCES, tools: Toolchain | None = None) -> RunResult:
    """Compile the layer in `directory` for this machine, run `cases`, and compare with the algebra.

    Raises:
        CompileError: it does not compile, or stops with an error.
    """
    tools = tools or find_toolchain()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        program, given, found = work / "layer", work / "cases", work / "answers"
        tools.link_harness(directory, program)
        write_cases(cases, given)
        done = subprocess.run([program, given, found], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CompileError(
                f"the compiled layer stopped with exit code {done.returncode}: {done.stderr.strip()}"
            )
        answers = read_answers(found, len(cases))
    errors = []
    for case, answer in zip(cases, answers, strict=True):
        wanted = expected(case)
        errors.append([_distance(answer.cpu, wanted), _distance(answer.kernel, wanted)])
    worst = np.max(errors, axis=0) if errors else np.zeros(2)
    wrong = [index for index, pair in enumerate(errors) if max(pair) > TOLERANCE]
    return RunResult(len(cases), float(worst[0]), float(worst[1]), wrong)


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - wanted).max())

"""Did a rewrite change the numbers? Both models run in onnxruntime on the same seeded inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError

__all__ = ["difference"]

_SYMBOLIC_LENGTH = 8
_RELATIVE_TOLERANCE = 1e-5
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}


def difference(before: bytes, after: bytes, directory: Path | None, seed: int = 0) -> str | None:
    """What differs between the outputs of two models, None when nothing does.

    Floating-point outputs may differ by 1e-5 of their range, others not at all.

    Args:
        before, after: serialised models with the same inputs and outputs.
        directory: where their external data lies.
        seed: of the random inputs; lengths that the model leaves open are 8.

    Raises:
        UnsupportedError: onnxruntime cannot run the model before the rewrite.
    """
    try:
        first = _session(before, directory)
        inputs = _inputs(first, np.random.default_rng(seed))
        expected = first.run(None, inputs)
    except UnsupportedError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise UnsupportedError(f"the numbers cannot be verified in onnxruntime: {error}") from error
    try:
        second = _session(after, directory)
        actual = second.run([entry.name for entry in first.get_outputs()], inputs)
    except Exception as error:
        return f"onnxruntime no longer runs the model: {error}"
    for entry, a, b in zip(first.get_outputs(), expected, actual, strict=True):
        found = _compare(a, b)
        if found is not None:
            return f"output '{entry.name}' {found}"
    return None


def _session(model: bytes, directory: Path | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    if directory is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(directory)
        )
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"], enable_fallback=0)


def _inputs(session: Any, random: np.random.Generator) -> dict[str, np.ndarray]:
    inputs = {}
    for entry in session.get_inputs():
        dtype = _TYPES.get(entry.type)
        if dtype is None or entry.shape is None:
            raise UnsupportedError(f"no random input can be made for '{entry.name}' of type {entry.type}")
        shape = [length if isinstance(length, int) else _SYMBOLIC_LENGTH for length in entry.shape]
        if np.issubdtype(dtype, np.floating):
            inputs[entry.name] = random.standard_normal(shape).astype(dtype)
        else:
            inputs[entry.name] = random.integers(0, 2, shape).astype(dtype)
    return inputs


def _compare(expected: Any, actual: Any) -> str | None:
    if not isinstance(expected, np.ndarray) or not isinstance(actual, np.ndarray):
        return None if repr(expected) == repr(actual) else "differs"
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"was {expected.dtype}{list(expected.shape)}, is {actual.dtype}{list(actual.shape)}"
    if not np.issubdtype(expected.dtype, np.floating):
        return None if np.array_equal(expected, actual) else "differs"
    if expected.size == 0 or np.array_equal(expected, actual, equal_nan=True):
        return None
    a, b = expected.astype(np.float64), actual.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "is infinite or not a number in other places"
    finite = np.isfinite(a)
    largest = float(np.max(np.abs(a - b)[finite], initial=0.0))
    span = float(np.ptp(a[finite])) if finite.any() else 0.0
    if largest <= _RELATIVE_TOLERANCE * max(span, float(np.finfo(np.float32).tiny)):
        return None
    return f"differs by {largest:.3g} (its range is {span:.3g})"

"""TensorFlow's image ops, converted and run, against TensorFlow eager: right, refused with the reason, or wrong."""

from __future__ import annotations

import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from rewriter.errors import UnsupportedError
from rewriter.scoreboards.image_op_cases import Case, cases
from rewriter.tensorflow.environment import import_tensorflow

__all__ = ["BICUBIC_TOLERANCE", "TOLERANCE", "Outcome", "Verdict", "measure", "sample"]

TOLERANCE = 3e-5
"""Of the range of the expected values: float32 coordinates and sums."""
BICUBIC_TOLERANCE = 1e-3
"""TensorFlow's bicubic kernel rounds its weights to a table of 1,024 entries; ONNX computes them."""
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
_HEADS = 24
"""Ops per converted graph: tf2onnx's time grows faster than the graph."""

Verdict = Literal["right", "refused", "wrong"]


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        case: the case.
        verdict: `refused` is an error of kind UnsupportedError, with the reason.
        reason: why it was refused, or how it is wrong.
        error: largest difference over the range of what is expected, over all runs; None where none ran.
    """

    case: Case
    verdict: Verdict
    reason: str = ""
    error: float | None = None

    def to_json(self) -> dict[str, Any]:
        case = self.case
        return {
            "family": case.family,
            "options": case.options,
            "dtype": case.dtype,
            "layout": case.layout,
            "size": case.size.name,
            "verdict": self.verdict,
            "reason": self.reason,
            "error": self.error,
        }


def sample(number: int | None, seed: int = 0) -> list[Case]:
    """`number` cases of the matrix, drawn with a seed; all of them for None."""
    everything = list(cases())
    if number is None or number >= len(everything):
        return everything
    return random.Random(seed).sample(everything, number)


def measure(chosen: Sequence[Case], progress: Callable[[int], None] | None = None) -> list[Outcome]:
    """Convert, rewrite, run and compare; cases with one input share a graph, as independent heads.

    Args:
        chosen: the cases.
        progress: called with the number of cases that are done so far.
    """
    tf = import_tensorflow("to measure its image ops")
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # half of these functions are deprecated, and say so each time
    try:
        return _measured(chosen, progress)
    finally:
        logger.setLevel(level)


def _measured(chosen: Sequence[Case], progress: Callable[[int], None] | None) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    groups: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in chosen:
        groups[case.dtype, case.layout, case.size].append(case)
    for group in groups.values():
        for start in range(0, len(group), _HEADS):
            for outcome in _outcomes(group[start : start + _HEADS]):
                outcomes[outcome.case.name] = outcome
            if progress is not None:
                progress(len(outcomes))
    return [outcomes[case.name] for case in chosen]


def _outcomes(heads: Sequence[Case]) -> Iterator[Outcome]:
    """The outcomes of cases with one input; where one of several is refused, each half is tried alone."""
    try:
        model = _converted(heads)
    except UnsupportedError as error:
        if len(heads) == 1:
            yield Outcome(heads[0], "refused", str(error))
            return
        middle = len(heads) // 2
        yield from _outcomes(heads[:middle])
        yield from _outcomes(heads[middle:])
        return
    yield from _compared(heads, model)


def _compared(heads: Sequence[Case], model: onnx.ModelProto) -> Iterator[Outcome]:
    """The converted model with onnxruntime's optimisations and without, and after the default passes."""
    import tensorflow as tf

    x = image(heads[0])
    expected = [np.asarray(_call(case, tf.constant(x))) for case in heads]
    candidates = {
        "converted": lambda: _run(model, x, optimised=False),
        "converted, optimised by onnxruntime": lambda: _run(model, x, optimised=True),
        "after rewrite": lambda: _run(_rewritten(model), x, optimised=False),
    }
    results: dict[str, dict[str, np.ndarray]] = {}
    for label, produce in candidates.items():
        try:
            results[label] = produce()
        except (
            Exception
        ) as error:  # onnxruntime's own kinds: a file that does not run is wrong, whatever the cause
            if len(heads) > 1:
                for case in heads:
                    yield from _outcomes([case])
                return
            yield Outcome(heads[0], "wrong", f"{label}: does not run: {' '.join(str(error).split())[:200]}")
            return
    for number, case in enumerate(heads):
        actual = {label: values[f"y{number}"] for label, values in results.items()}
        yield _judged(case, actual, expected[number])


def _judged(case: Case, actual: dict[str, np.ndarray], expected: np.ndarray) -> Outcome:
    allowed = BICUBIC_TOLERANCE if case.bicubic else TOLERANCE
    largest = 0.0
    for label, values in actual.items():
        if values.shape != expected.shape or values.dtype != expected.dtype:
            got = f"{values.dtype}{list(values.shape)} instead of {expected.dtype}{list(expected.shape)}"
            return Outcome(case, "wrong", f"{label}: {got}")
        error = relative_error(values, expected)
        largest = max(largest, error)
        if not error <= allowed:
            return Outcome(case, "wrong", f"{label}: off by {error:.2g} of the range", error)
    return Outcome(case, "right", error=largest)


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the range of what is expected (over its largest value where it is constant)."""
    wide = expected.astype(np.float64)
    difference = float(np.abs(actual.astype(np.float64) - wide).max(initial=0.0))
    span = float(np.ptp(wide)) or float(np.abs(wide).max(initial=0.0)) or 1.0
    return difference / span


def image(case: Case) -> np.ndarray:
    """Seeded noise [2, H, W, 3]: values that tell any two pixels apart."""
    rng = np.random.default_rng(20)
    shape = (2, *case.size.image, 3)
    if np.dtype(case.dtype).kind in "iu":
        return rng.integers(0, 256, shape).astype(case.dtype)
    return rng.uniform(-1.0, 1.0, shape).astype(case.dtype)


def _call(case: Case, x: Any) -> Any:
    """The case's op on images; in the layout `computed` the target is read from their shape."""
    import tensorflow as tf

    if case.layout != "computed":
        return case.op(x, case.size.target)
    (h, w), (th, tw) = case.size.image, case.size.target
    shape = tf.shape(x)
    # Height and width, each times the target's length, over the input's.
    return case.op(x, tf.stack([shape[1] * th // h, shape[2] * tw // w]))


def _converted(heads: Sequence[Case]) -> onnx.ModelProto:
    import tensorflow as tf

    from rewriter.tensorflow.convert import convert

    first = heads[0]
    shape = (2, *first.size.image, 3) if first.layout == "static" else (None, None, None, 3)
    module = tf.Module()
    try:
        module.call = tf.function(
            lambda x: {f"y{number}": _call(case, x) for number, case in enumerate(heads)},
            input_signature=[tf.TensorSpec(shape, first.dtype, name="x")],
        )
        module.call.get_concrete_function()
    except Exception as error:  # TensorFlow and Keras raise what they like where they cannot trace
        raise UnsupportedError(f"TensorFlow itself cannot trace it: {_cause(error)}") from error
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, str(Path(directory)))
        return convert(directory)


def _cause(error: Exception) -> str:
    """What went wrong, without the trace that Keras and TensorFlow put around it."""
    plain = _TERMINAL_CODES.sub("", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    told = [
        line for line in lines if not line.startswith(("File ", "Arguments received", "•", "Call arguments"))
    ]
    said = [line for line in told if "Error" in line or "annot" in line or "must" in line]
    return (said or told or [type(error).__name__])[-1][:200]


def _rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    import passes
    from rewriter.model import Model

    copy = Model.from_proto(model)
    passes.run(copy, passes.DEFAULT)
    return onnx.ModelProto.FromString(copy.to_bytes())


def _run(model: onnx.ModelProto, x: np.ndarray, optimised: bool) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": x}), strict=True))

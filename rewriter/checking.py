"""Is a model valid? onnx's checker with shape inference, then a session in onnxruntime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import onnx

__all__ = ["Verdict", "examine"]

_UNSUPPORTED = (
    "is not a registered function/op",
    "Unsupported model IR version",
    "is under development",
    "Could not find an implementation",
    "NOT_IMPLEMENTED",
    "No opset import for domain",
    "Exception during initialization",
)


@dataclass(frozen=True)
class Verdict:
    """What the two checks said.

    Attributes:
        checker: why onnx's checker rejects the model; None when it does not.
        runtime: why onnxruntime does not load it; None when it does, or was not asked.
        unsupported: whether onnxruntime merely lacks something (a custom operator, a kernel, a newer opset).
    """

    checker: str | None = None
    runtime: str | None = None
    unsupported: bool = False

    @property
    def error(self) -> str | None:
        """Why the model is not valid, None when it is, as far as can be told."""
        if self.checker is not None:
            return f"onnx's checker rejects it: {self.checker}"
        if self.runtime is not None and not self.unsupported:
            return f"onnxruntime does not load it: {self.runtime}"
        return None


def examine(model: Path | bytes) -> Verdict:
    """Check a file, or a model without external data as bytes."""
    rejected = _checker(model)
    if rejected is not None:
        return Verdict(checker=rejected)
    return _runtime(model)


def _checker(model: Path | bytes) -> str | None:
    try:
        onnx.checker.check_model(str(model) if isinstance(model, Path) else model, full_check=True)
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        ValueError,
        RuntimeError,
    ) as error:
        return _one_line(str(error))
    return None


def _runtime(model: Path | bytes) -> Verdict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        source = str(model) if isinstance(model, Path) else model
        # Its fallback to another provider would print to stdout.
        onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        text = str(error)
        return Verdict(runtime=_one_line(text), unsupported=any(sign in text for sign in _UNSUPPORTED))
    return Verdict()


def _one_line(text: str) -> str:
    """The message without error codes, source positions and temporary file names, cut to a readable length."""
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"Load model from \S+ failed:", "", text)
    text = re.sub(r"/\S+?:\d+ (?=\w)", "", text)
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."

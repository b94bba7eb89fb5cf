"""ONNX → MIL: lower a model to a Core ML program. Importing this needs no coremltools; calling `lower` does."""

from __future__ import annotations

from rewriter.coreml.lowering.lower import LoweredModel, lower
from rewriter.coreml.lowering.targets import PRECISIONS, TARGET_CHOICES

__all__ = ["PRECISIONS", "TARGET_CHOICES", "LoweredModel", "lower"]

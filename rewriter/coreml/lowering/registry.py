"""Which function lowers which ONNX operator."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rewriter.coreml.lowering.node import Node

__all__ = ["Lowering", "OperatorKey", "lowering", "lowerings"]

Lowering = Callable[["Node"], Any]
"""Takes a node and returns its output, or a sequence with one entry per output; an output is a MIL variable or a
constant array."""

OperatorKey = tuple[str, str]
"""(domain, operator type); the default domain is the empty string."""

_FAMILIES = (
    "activation",
    "binary",
    "cast",
    "comparison",
    "control_flow",
    "convolution",
    "detection",
    "indexing",
    "layout",
    "linear",
    "normalization",
    "padding",
    "pooling",
    "reduction",
    "recurrent",
    "resize",
    "sampling",
    "scatter",
    "slicing",
    "softmax",
    "spectral",
    "tensors",
    "text",
    "unary",
)
_registry: dict[OperatorKey, Lowering] = {}


def lowering(*operators: str, domain: str = "") -> Callable[[Lowering], Lowering]:
    """Register the decorated function for ONNX operators.

    Raises:
        ValueError: an operator has a lowering already.
    """

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            key = (domain, operator)
            if key in _registry:
                raise ValueError(f"two lowerings for {operator}")
            _registry[key] = function
        return function

    return register


@cache
def _load_families() -> None:
    for family in _FAMILIES:
        importlib.import_module(f"rewriter.coreml.lowering.ops.{family}")


def lowerings() -> dict[OperatorKey, Lowering]:
    """All registered lowerings. Needs coremltools, which the modules of the families import."""
    _load_families()
    return _registry

"""One table from MIL operator type to the function that evaluates it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from rewriter.coreml.simulator.call import Call

__all__ = ["Kernel", "Suspicion", "covered_operators", "find_kernel", "find_suspicion", "kernel"]

Kernel = Callable[[Call], Any]
"""Evaluates one operator; returns its output, or a tuple of them in the order of the operator's outputs."""

Suspicion = Callable[[Any], "str | None"]
"""Looks at a MIL operation before it runs; says why its result is not certain, or returns None."""

_FAMILIES = (
    "activation",
    "attention",
    "classification",
    "compression",
    "control_flow",
    "convolution",
    "detection",
    "elementwise_binary",
    "elementwise_unary",
    "linear",
    "normalization",
    "pooling",
    "random_numbers",
    "recurrent",
    "reduction",
    "resizing",
    "sampling",
    "scatter_gather",
    "shape",
    "slicing",
    "states",
    "tensor",
)

_kernels: dict[str, Kernel] = {}
_suspicions: dict[str, Suspicion] = {}


def kernel(*op_types: str, suspicion: Suspicion | None = None) -> Callable[[Kernel], Kernel]:
    """Register the decorated function for these MIL operator types."""

    def register(function: Kernel) -> Kernel:
        for op_type in op_types:
            assert op_type not in _kernels, f"two kernels for {op_type}"
            _kernels[op_type] = function
            if suspicion is not None:
                _suspicions[op_type] = suspicion
        return function

    return register


def find_kernel(op_type: str) -> Kernel | None:
    """The kernel of a MIL operator type, or None where there is none."""
    _import_families()
    return _kernels.get(op_type)


def find_suspicion(op_type: str) -> Suspicion | None:
    """The check for undocumented behaviour of a MIL operator type, or None where all of it is documented."""
    _import_families()
    return _suspicions.get(op_type)


def covered_operators() -> list[str]:
    """The MIL operator types that can be evaluated, sorted."""
    _import_families()
    return sorted(_kernels)


@cache
def _import_families() -> None:
    for family in _FAMILIES:
        importlib.import_module(f"rewriter.coreml.simulator.kernels.{family}")

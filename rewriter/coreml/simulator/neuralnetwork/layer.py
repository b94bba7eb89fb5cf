"""What a layer's evaluator sees, and the table from layer kind to evaluator."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import find_kernel
from rewriter.errors import UnsupportedError

__all__ = ["Layer", "LayerKernel", "covered_layers", "enum_name", "find_layer", "layer", "mil_kernel"]

LayerKernel = Callable[["Layer"], "Array | Sequence[Array]"]
"""Evaluates one layer; returns its output, or one array per output."""

_FAMILIES = (
    "activation",
    "arithmetic",
    "convolution",
    "custom",
    "joining",
    "linear",
    "normalization",
    "reduction",
    "resizing",
    "shape",
)
_layers: dict[str, LayerKernel] = {}


@dataclass(frozen=True)
class Layer:
    """One layer about to be evaluated.

    Attributes:
        kind: the layer's field in the format, e.g. ``convolution``.
        name: of the layer.
        parameters: the protobuf message of its parameters.
        inputs: values of its inputs, float32.
        output_count: how many outputs it lists.
    """

    kind: str
    name: str
    parameters: Any
    inputs: Sequence[Array]
    output_count: int = 1

    @property
    def x(self) -> Array:
        """The first input."""
        return self.inputs[0]

    def weights(self, field: str, shape: Sequence[int]) -> Array:
        """A weight field as float32 of `shape`.

        Raises:
            UnsupportedError: quantised weights.
        """
        message = getattr(self.parameters, field)
        return read_weights(message, shape, self.name)

    def refuse(self, cause: str) -> UnsupportedError:
        """The error that says that this layer is not evaluated; to be raised by the caller."""
        return UnsupportedError(f"layer {self.kind}: {cause}", node=self.name)


def read_weights(message: Any, shape: Sequence[int], node: str) -> Array:
    """A `WeightParams` message as float32 of `shape`."""
    if message.floatValue:
        values = np.array(message.floatValue, dtype=np.float32)
    elif message.float16Value:
        values = np.frombuffer(message.float16Value, dtype=np.float16).astype(np.float32)
    else:
        raise UnsupportedError("weights that are quantised or empty are not evaluated", node=node)
    return values.reshape(shape)


def enum_name(message: Any, field: str) -> str:
    """The name of an enumeration field's value."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(message, field)].name)


def layer(*kinds: str) -> Callable[[LayerKernel], LayerKernel]:
    """Register the decorated function for these layer kinds."""

    def register(function: LayerKernel) -> LayerKernel:
        for kind in kinds:
            assert kind not in _layers, f"two evaluators for {kind}"
            _layers[kind] = function
        return function

    return register


@cache
def _load_families() -> None:
    for family in _FAMILIES:
        importlib.import_module(f"rewriter.coreml.simulator.neuralnetwork.{family}")


def find_layer(kind: str) -> LayerKernel | None:
    """The evaluator of a layer kind, or None where there is none."""
    _load_families()
    return _layers.get(kind)


def covered_layers() -> list[str]:
    """The layer kinds that can be evaluated, sorted."""
    _load_families()
    return sorted(_layers)


def mil_kernel(op_type: str, **values: Any) -> Array:
    """The result of the MIL operator that a layer stands for, by the simulator's own kernel."""
    kernel = find_kernel(op_type)
    assert kernel is not None, op_type
    given = {name: value for name, value in values.items() if value is not None}
    return np.asarray(kernel(Call(None, given, (np.dtype(np.float32),), _no_blocks)))


def _no_blocks(*_: Any) -> list[Any]:
    raise AssertionError("layers have no blocks")

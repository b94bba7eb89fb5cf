"""The values known while one graph is being lowered: constants, MIL variables, and who uses what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.names import NameTable
from rewriter.coreml.lowering.values import constant_var, static_shape
from rewriter.errors import InputError, UnsupportedError

__all__ = ["Environment"]


class Environment:
    """Values by ONNX name.

    A constant stays an array with ONNX's own dtype (so that shape arithmetic is done in 64 bits) until an operator
    needs it as a MIL variable. Initializers are decoded when first asked for.

    Attributes:
        target: deployment target, e.g. ``iOS17``.
        custom_layer: which resizes become a custom layer: ``never``, or as `rewriter.coreml.neuralnetwork`.
        names: the Core ML names that are taken.
        reading: whose reading of the Resize specification decides where implementations differ; None to refuse.
        resizes: one entry per Resize node, in order.
        named: MIL variables that carry the name of an ONNX value.
    """

    def __init__(
        self,
        *,
        opsets: Mapping[str, int],
        target: str,
        initializers: Mapping[str, onnx.TensorProto],
        used: set[str],
        names: NameTable,
        read: Callable[[onnx.TensorProto], np.ndarray],
        custom_layer: str = "never",
        reading: str | None = None,
    ) -> None:
        self.reading = reading
        self.target = target
        self.custom_layer = custom_layer
        self.names = names
        self.resizes: list[dict[str, Any]] = []
        self.named: set[Var] = set()
        self._opsets = opsets
        self._initializers = initializers
        self._read = read
        self._used = used
        self._constants: dict[str, np.ndarray] = {}
        self._vars: dict[str, Var] = {}

    def opset(self, domain: str) -> int:
        """Version of a domain; 1 where the model does not import it."""
        return self._opsets.get(domain, 1)

    def is_used(self, name: str) -> bool:
        """Whether a node or a graph output reads the value."""
        return name in self._used

    def constant(self, name: str) -> np.ndarray | None:
        """The constant value of `name`, or None where it depends on an input of the model."""
        if name not in self._constants and name in self._initializers:
            self._constants[name] = self._decoded(self._initializers[name])
        return self._constants.get(name)

    def _decoded(self, tensor: onnx.TensorProto) -> np.ndarray:
        try:
            return self._read(tensor)
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            cause = str(error).splitlines()[0]
            raise InputError(f"the weights of '{tensor.name}' cannot be read: {cause}") from error

    def is_constant(self, name: str) -> bool:
        """Whether `name` is constant; decodes nothing."""
        return name in self._constants or name in self._initializers

    def known_shape(self, name: str) -> tuple[int, ...] | None:
        """The lengths of `name` without making a MIL const of it; None where the value does not exist."""
        if name in self._vars:
            return static_shape(self._vars[name])
        if name in self._initializers:
            return tuple(self._initializers[name].dims)
        value = self._constants.get(name)
        return None if value is None else tuple(value.shape)

    def var(self, name: str) -> Var:
        """The MIL variable of `name`; constants are emitted once."""
        if name not in self._vars:
            value = self.constant(name)
            if value is None:
                raise UnsupportedError(
                    f"'{name}' is read before any node computes it", remedy="sort the graph topologically"
                )
            self._vars[name] = constant_var(value, self.names.claim(name))
        return self._vars[name]

    def bind(self, name: str, value: Var | np.ndarray) -> None:
        """Record what a node computed; in the body of a loop a name gets a value in every iteration."""
        self._constants.pop(name, None)
        self._vars.pop(name, None)
        if isinstance(value, np.ndarray):
            self._constants[name] = value
        else:
            self._vars[name] = value

    def value(self, name: str) -> Var | np.ndarray:
        """A constant as an array, anything else as a MIL variable."""
        constant = self.constant(name)
        return self.var(name) if constant is None else constant

    def enter(self, initializers: Mapping[str, onnx.TensorProto], used: set[str]) -> None:
        """Take in what a subgraph brings: its initializers, and the names that it reads."""
        self._initializers = {**self._initializers, **initializers}
        self._used |= used

"""What a lowering sees: one ONNX node with its inputs as MIL variables or constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from coremltools.converters.mil.mil import Var, types

from rewriter.coreml.lowering.values import static_shape
from rewriter.errors import UnsupportedError

if TYPE_CHECKING:
    from rewriter.coreml.lowering.environment import Environment

__all__ = ["Node", "plain_attributes"]


def plain_attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as plain Python values; strings are decoded."""
    return {
        attribute.name: _plain(onnx.helper.get_attribute_value(attribute)) for attribute in proto.attribute
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (str, int, float, onnx.TensorProto, onnx.GraphProto)):
        return value
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [_plain(item) for item in value]
    return value


class Node:
    """One node during lowering.

    Attributes:
        proto: the ONNX node.
        op: operator type.
        opset: version of the operator's domain.
        name: the node's name, or its first output's where it has none.
        target: deployment target, e.g. ``iOS17``.
        custom_layer: which resizes become a custom layer.
        attributes: plain Python values.
    """

    def __init__(self, proto: onnx.NodeProto, environment: Environment) -> None:
        self.proto = proto
        self.op: str = proto.op_type
        self.name: str = proto.name or next((name for name in proto.output if name), proto.op_type)
        self.opset = environment.opset(proto.domain)
        self.target = environment.target
        self.custom_layer = environment.custom_layer
        self.attributes: Mapping[str, Any] = plain_attributes(proto)
        self._environment = environment

    def refuse(self, cause: str, remedy: str | None = None) -> UnsupportedError:
        """The error that says that this node cannot be lowered; to be raised by the caller."""
        return UnsupportedError(f"{self.op}: {cause}", node=self.name, remedy=remedy)

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or `default` where the node does not have it."""
        return self.attributes.get(name, default)

    @property
    def input_count(self) -> int:
        """How many inputs the node lists, trailing omitted ones included."""
        return len(self.proto.input)

    def has(self, index: int) -> bool:
        """Whether input `index` is given."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def wants(self, index: int) -> bool:
        """Whether output `index` is named and used by anybody."""
        return index < len(self.proto.output) and self._environment.is_used(self.proto.output[index])

    @property
    def output_count(self) -> int:
        """How many outputs the node lists."""
        return len(self.proto.output)

    def constant(self, index: int) -> np.ndarray | None:
        """The value of input `index` with ONNX's own dtype where it is constant, else None (also when omitted)."""
        return self._environment.constant(self.proto.input[index]) if self.has(index) else None

    def need_constant(self, index: int, what: str) -> np.ndarray:
        """The constant value of input `index`.

        Raises:
            UnsupportedError: it is only known at run time.
        """
        value = self.constant(index)
        if value is None:
            raise self.refuse(f"{what} is only known at run time, Core ML needs a constant")
        return value

    def integers(self, index: int, attribute: str, what: str | None = None) -> list[int] | None:
        """Integers that older opsets keep in `attribute` and newer ones in input `index`; None where absent."""
        if attribute in self.attributes:
            return [int(value) for value in self.attributes[attribute]]
        if not self.has(index):
            return None
        return [int(value) for value in self.need_constant(index, what or attribute).reshape(-1)]

    def var(self, index: int = 0) -> Var:
        """Input `index` as a MIL variable; a constant becomes a MIL const (once per value)."""
        return self._environment.var(self.proto.input[index])

    def vars(self) -> list[Var]:
        """All inputs as MIL variables."""
        return [self.var(index) for index in range(self.input_count)]

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The fixed lengths of input `index`."""
        value = self.constant(index)
        return tuple(value.shape) if value is not None else static_shape(self.var(index))

    def rank(self, index: int = 0) -> int:
        """The rank of input `index`."""
        return len(self.shape(index))

    def is_float(self, index: int = 0) -> bool:
        """Whether input `index` holds floating-point numbers."""
        return is_float(self.var(index))

    def is_bool(self, index: int = 0) -> bool:
        """Whether input `index` holds truth values."""
        return bool(self.var(index).dtype == types.bool)

    def axis(self, default: int | None = None, index: int = 0, name: str = "axis") -> int:
        """The axis attribute, non-negative.

        Raises:
            UnsupportedError: it is out of range.
        """
        rank = self.rank(index)
        axis = self.attr(name, default)
        if axis is None or not -rank <= axis < max(rank, 1):
            raise self.refuse(f"{name} {axis} on a tensor of rank {rank}")
        return int(axis) + rank if axis < 0 else int(axis)

    def value(self, index: int) -> Var | np.ndarray:
        """Input `index` as an array where it is constant, else as a MIL variable."""
        return self._environment.value(self.proto.input[index])

    def lower_graph(
        self, graph: onnx.GraphProto, feeds: Mapping[str, Var | np.ndarray]
    ) -> list[Var | np.ndarray]:
        """Lower a subgraph of the node here and now, as often as it is called.

        Args:
            graph: one of the node's attributes.
            feeds: values of its inputs.

        Returns:
            A MIL variable or a constant array for each of its outputs.
        """
        from rewriter.coreml.lowering.program import lower_subgraph

        return lower_subgraph(graph, feeds, self._environment)

    @property
    def reading(self) -> str | None:
        """Whose reading of the Resize specification decides where implementations differ; None to refuse."""
        return self._environment.reading

    def record_resize(self, entry: dict[str, Any]) -> None:
        """Keep how a resize was expressed, for the report and the package's metadata."""
        self._environment.resizes.append(entry)


def is_float(var: Var) -> bool:
    """Whether a MIL variable holds floating-point numbers."""
    return bool(var.dtype in (types.fp32, types.fp16))

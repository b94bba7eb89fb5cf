"""One Resize or Upsample node of a model: what it says, and at which shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from onnx_graphsurgeon import Function, Node, Tensor

from rewriter.errors import UnsupportedError
from rewriter.model.constants import constant_value
from rewriter.model.lengths import Length, LengthOf, length_sources
from rewriter.model.scopes import Scope, display_name, in_default_domain
from rewriter.model.shapes import Shape
from rewriter.resampling import OnnxResize, TensorResize

__all__ = ["RESIZE_OPS", "ResizeNode", "is_resize"]

RESIZE_OPS = ("Resize", "Upsample")


def is_resize(node: Node) -> bool:
    """Whether the node is ONNX's Resize or Upsample."""
    return node.op in RESIZE_OPS and in_default_domain(node)


@dataclass(frozen=True, eq=False)
class ResizeNode:
    """A resize in its scope. A look at the node as it is now: make a new one after an edit.

    Attributes:
        node: the graphsurgeon node; edits to it are edits to the model.
        scope: the graph that holds it.
        input_shape: lengths, names of symbolic ones, None where unknown; None when the rank is unknown.
        declared_output_shape: what the file itself declares for the output.
        output_shape: declared where the file says so, else inferred.
        provenance: the TensorFlow op it came from, as recorded at conversion; None when nothing is recorded.
    """

    node: Node
    scope: Scope
    input_shape: Shape | None
    declared_output_shape: Shape | None
    output_shape: Shape | None
    provenance: Mapping[str, Any] | None = field(default=None)

    @property
    def name(self) -> str:
        """The node's name; that of its first output where it has none."""
        return display_name(self.node)

    @property
    def graph_path(self) -> str:
        return self.scope.path

    @property
    def op(self) -> str:
        return str(self.node.op)

    @property
    def opset(self) -> int:
        return self.scope.opset

    @property
    def is_legacy(self) -> bool:
        """Whether the operator has no coordinate mode yet: Upsample, and Resize before opset 11."""
        return self.node.op == "Upsample" or self.scope.opset < 11

    @property
    def is_parametric(self) -> bool:
        """Whether an attribute is a parameter of the function around the node."""
        if not isinstance(self.scope.root, Function):
            return False
        return any(isinstance(value, Node.AttributeRef) for value in self.node.attrs.values())

    def input(self, name: str) -> Tensor | None:
        """Input tensor ``X``, ``roi``, ``scales`` or ``sizes``; None where absent."""
        order = ("X", "scales") if self.is_legacy else ("X", "roi", "scales", "sizes")
        if name not in order:
            return None
        index = order.index(name)
        tensor = self.node.inputs[index] if index < len(self.node.inputs) else None
        return None if tensor is None or not tensor.name else tensor

    @cached_property
    def mode(self) -> str:
        mode = str(self.node.attrs.get("mode", "nearest"))
        return "linear" if mode == "bilinear" else mode

    @cached_property
    def coordinate_transformation_mode(self) -> str:
        if self.is_legacy:
            return "asymmetric"
        return str(self.node.attrs.get("coordinate_transformation_mode", "half_pixel"))

    @cached_property
    def nearest_mode(self) -> str:
        if not self.is_legacy:
            return str(self.node.attrs.get("nearest_mode", "round_prefer_floor"))
        scales = self._values("scales")
        if scales is None or all(scale >= 1 for scale in scales):
            return "floor"
        return "ceil" if all(scale <= 1 for scale in scales) else "simple"

    def _values(self, name: str) -> list[Any] | None:
        """Constant value of an input (or of Upsample-7's attribute), None where absent, empty or not constant."""
        if name == "scales" and self.op == "Upsample" and "scales" in self.node.attrs:
            return list(self.node.attrs["scales"])
        tensor = self.input(name)
        value = None if tensor is None else constant_value(tensor)
        return None if value is None or value.size == 0 else np.ravel(value).tolist()

    @cached_property
    def scales(self) -> list[float] | None:
        """Constant scales, None otherwise."""
        return self._values("scales")

    @cached_property
    def sizes(self) -> list[int] | None:
        """Constant sizes, None otherwise."""
        return self._values("sizes")

    @cached_property
    def size_sources(self) -> list[Length] | None:
        """Where computed sizes come from, None where they are not known or there are none."""
        tensor = self.input("sizes")
        return None if tensor is None else length_sources(tensor)

    def given_by(self, name: str) -> bool:
        """Whether the output length comes from ``scales`` or ``sizes``: the input is there and not empty."""
        if name == "scales" and "scales" in self.node.attrs:
            return True
        tensor = self.input(name)
        if tensor is None:
            return False
        value = constant_value(tensor)
        return value is None or value.size > 0

    def spelling(self) -> OnnxResize | None:
        """The node with every default filled in; None where its scales or sizes are not constant.

        Raises:
            UnsupportedError: the node is not a valid resize.
        """
        if self.is_parametric or (self.scales is None and self.sizes is None):
            return None
        roi = self._values("roi")
        if roi is None and self.coordinate_transformation_mode == "tf_crop_and_resize":
            return None
        try:
            return OnnxResize.from_attributes(
                self.op, self.opset, self.node.attrs, scales=self.scales, sizes=self.sizes, roi=roi
            )
        except UnsupportedError as error:
            raise UnsupportedError(error.message, node=self.name, remedy=error.remedy) from error

    @cached_property
    def lengths(self) -> tuple[tuple[int, int], ...] | None:
        """(input, output) length of each axis, where they decide what the node computes; None where unknown.

        An axis of unknown length that the node copies (a batch axis) counts as (1, 1). A length that follows from
        scales is the one that the file declares, else the float32 product that onnxruntime takes.
        """
        if self.input_shape is None or self.is_parametric:
            return None
        rank = len(self.input_shape)
        try:
            spelling = self.spelling()
            axes = self._axes(rank) if spelling is None else spelling.named_axes(rank)
        except UnsupportedError:
            return None
        pairs = []
        for axis, n_in in enumerate(self.input_shape):
            position = axes.index(axis) if axis in axes else None
            n_out = n_in if position is None else self._output_length(axis, position)
            if isinstance(n_in, int) and isinstance(n_out, int):
                pairs.append((n_in, n_out))
            elif position is None or self._copies(axis, position):
                pairs.append((1, 1))
            else:
                return None
        return tuple(pairs) if all(n > 0 and m > 0 for n, m in pairs) else None

    def _axes(self, rank: int) -> tuple[int, ...]:
        axes = self.node.attrs.get("axes")
        return tuple(range(rank)) if axes is None else tuple(axis % rank for axis in axes)

    def _output_length(self, axis: int, position: int) -> int | str | None:
        declared = _entry(self.declared_output_shape, axis)
        if isinstance(declared, int):
            return declared
        size = self._size(position)
        if isinstance(size, int):
            return size
        n_in = _entry(self.input_shape, axis)
        if self.scales is not None and isinstance(n_in, int):
            return int(np.float32(n_in) * np.float32(self.scales[position]))
        return _entry(self.output_shape, axis)

    def _size(self, position: int) -> Length:
        """What the sizes input says of one axis; None where it says nothing, or a policy has the last word."""
        if self.node.attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch":
            return None
        sources = self.sizes if self.sizes is not None else self.size_sources
        return sources[position] if sources is not None and position < len(sources) else None

    def _copies(self, axis: int, position: int) -> bool:
        if self.scales is not None:
            return self.scales[position] == 1
        size = self._size(position)
        if isinstance(size, LengthOf):
            return size.tensor is self.node.inputs[0] and size.axis == axis
        before = _entry(self.input_shape, axis)
        return isinstance(before, str) and before == _entry(self.output_shape, axis)

    def semantics(self) -> TensorResize | None:
        """What the node computes at the shapes of the model; None where they, or its inputs, are not known.

        Raises:
            UnsupportedError: the node is not a valid resize.
        """
        return self.semantics_of(self.spelling())

    def semantics_of(self, spelling: OnnxResize | None) -> TensorResize | None:
        """As `semantics`, for another spelling of this node."""
        lengths = self.lengths
        if spelling is None or lengths is None:
            return None
        return _semantics(spelling, lengths)


@lru_cache(maxsize=1024)
def _semantics(spelling: OnnxResize, lengths: tuple[tuple[int, int], ...]) -> TensorResize:
    """Networks resize the same sizes again and again, and every pass asks."""
    return spelling.semantics([n for n, _ in lengths], [m for _, m in lengths])


def _entry(shape: Shape | None, axis: int) -> int | str | None:
    return shape[axis] if shape is not None and axis < len(shape) else None

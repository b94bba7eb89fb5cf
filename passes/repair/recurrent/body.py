"""The body of a loop, evaluated with formulas in place of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.repair.recurrent.cells import ACTIVATIONS
from passes.repair.recurrent.forms import Form, Symbol, constant, of_symbol
from rewriter.model import constant_value, in_default_domain

__all__ = ["Body", "NotLinearError"]

_MOST_NODES = 200


class NotLinearError(Exception):
    """The body does something that no formula here stands for."""


class Body:
    """Forms of the tensors of one body, each computed once.

    Args:
        known: forms of inputs of the body, by name.
        read: the constant behind a tensor, float32, or None.
        sequence: whether a node reads the current entry of the sequence; then its symbol.
    """

    def __init__(
        self,
        known: Mapping[str, Form],
        read: Callable[[Tensor], np.ndarray | None],
        sequence: Callable[[Node], Symbol | None],
    ) -> None:
        self._forms = dict(known)
        self._read = read
        self._sequence = sequence
        self._left = _MOST_NODES

    def form(self, tensor: Tensor) -> Form:
        """What a tensor is.

        Raises:
            NotLinearError: an operator that is not known here, or too many of them.
        """
        if tensor.name in self._forms:
            return self._forms[tensor.name]
        value = self._read(tensor)
        if value is not None:
            if value.ndim > 2 or (value.ndim == 2 and value.shape[0] != 1):
                raise NotLinearError(f"'{tensor.name}' is a matrix")
            return constant(value.reshape(-1))
        if len(tensor.inputs) != 1 or not in_default_domain(tensor.inputs[0]) or not self._left:
            raise NotLinearError(f"'{tensor.name}' comes from outside")
        self._left -= 1
        node = tensor.inputs[0]
        symbol = self._sequence(node)
        forms = [of_symbol(symbol)] if symbol is not None else self._outputs(node)
        for output, form in zip(node.outputs, forms, strict=True):
            self._forms[output.name] = form
        return self._forms[tensor.name]

    def _outputs(self, node: Node) -> list[Form]:
        if node.op in ("Identity",):
            return [self.form(node.inputs[0])]
        if node.op == "MatMul":
            return [self.form(node.inputs[0]).times(self._matrix(node.inputs[1]))]
        if node.op in ("Add", "Sub"):
            a, b = self._same_width(node)
            return [a.plus(b, -1.0 if node.op == "Sub" else 1.0)]
        if node.op == "Mul":
            return [self._product(*self._same_width(node))]
        if node.op in ACTIVATIONS:
            form = self.form(node.inputs[0])
            return [of_symbol(Symbol(node.op, form.width, (form,)))]
        if node.op == "Split":
            return self._parts(node)
        if node.op == "Slice":
            return [self._slice(node)]
        raise NotLinearError(f"{node.op} is no part of a cell")

    def _matrix(self, tensor: Tensor) -> np.ndarray:
        value = self._read(tensor)
        if value is None or value.ndim != 2:
            raise NotLinearError(f"'{tensor.name}' is no constant matrix")
        return value.astype(np.float64)

    def _same_width(self, node: Node) -> tuple[Form, Form]:
        a, b = (self.form(tensor) for tensor in node.inputs)
        width = max(a.width, b.width)
        return _widened(a, width), _widened(b, width)

    def _product(self, a: Form, b: Form) -> Form:
        if a.is_constant or b.is_constant:
            return b.scaled(a.bias) if a.is_constant else a.scaled(b.bias)
        return of_symbol(Symbol("product", a.width, (a, b)))

    def _parts(self, node: Node) -> list[Form]:
        form = self.form(node.inputs[0])
        if int(node.attrs.get("axis", 0)) not in (1, -1):
            raise NotLinearError("Split along the batch")
        count = len(node.outputs)
        sizes: Any = constant_value(node.inputs[1]) if len(node.inputs) > 1 else None
        if sizes is None:
            if form.width % count or len(node.inputs) > 1:
                raise NotLinearError("Split into parts that are not known")
            sizes = [form.width // count] * count
        ends = np.cumsum(sizes)
        return [form.columns(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]

    def _slice(self, node: Node) -> Form:
        form = self.form(node.inputs[0])
        values = [constant_value(tensor) for tensor in node.inputs[1:]]
        if len(values) < 3 or any(value is None for value in values):
            raise NotLinearError("Slice by computed bounds")
        starts, ends, axes = (value.ravel().tolist() for value in values[:3] if value is not None)
        steps = values[3].ravel().tolist() if len(values) > 3 and values[3] is not None else [1] * len(starts)
        start, stop = 0, form.width
        for begin, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if step != 1:
                raise NotLinearError("Slice by steps")
            if axis in (1, -1):
                start, stop, _ = slice(begin, end).indices(form.width)
            elif begin != 0 or end < np.iinfo(np.int32).max:
                raise NotLinearError("Slice along the batch")
        return form.columns(start, max(start, stop))


def _widened(form: Form, width: int) -> Form:
    if form.width == width:
        return form
    if form.width == 1 and form.is_constant:
        return constant(np.broadcast_to(form.bias, (width,)))
    raise NotLinearError("widths that do not fit")

"""Small edits that several passes make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Constant, Node, Tensor, Variable

if TYPE_CHECKING:
    from rewriter.model import Model

__all__ = ["Names", "drop_attributes", "set_inputs"]


class Names:
    """Names for new tensors and nodes that nothing in the model uses yet."""

    def __init__(self, model: Model) -> None:
        self._used = model.names()

    def fresh(self, base: str) -> str:
        """`base`, with a number behind it where it is taken."""
        name, count = base, 1
        while name in self._used:
            name, count = f"{base}_{count}", count + 1
        self._used.add(name)
        return name

    def constant(self, base: str, values: Any, dtype: Any) -> Constant:
        """A new constant."""
        return Constant(self.fresh(base), np.array(values, dtype=dtype))


def set_inputs(node: Node, inputs: list[Tensor | None]) -> None:
    """Replace the inputs; None is an input left out, and those at the end disappear."""
    while inputs and inputs[-1] is None:
        inputs = inputs[:-1]
    node.inputs = [Variable.empty() if tensor is None else tensor for tensor in inputs]


def drop_attributes(node: Node, *names: str) -> None:
    """Remove attributes that are there."""
    for name in names:
        node.attrs.pop(name, None)

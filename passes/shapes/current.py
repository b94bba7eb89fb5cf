"""Shapes that can be relied on while a model is being edited.

`Model.shape` knows what the file declares and what onnx infers from it. Both can be wrong behind a resize: inference
multiplies a length and a scale in float64 where onnxruntime takes float32 (3 × float32(5/3) is 4, and 5), a declared
length may be another than the scale gives, and neither follows what passes have edited since. Whatever depends on
such a resize counts as unknown here, until the sizes have been written and the model has been looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx_graphsurgeon import Graph, Tensor, Variable

from passes.candidates import nodes_of
from passes.resize.size_graphs import is_whole
from rewriter.model.nodelist import nodes_with_graphs, op_types

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode, Scope
    from rewriter.model.shapes import Shape

__all__ = ["CurrentShapes"]


class CurrentShapes:
    """What is certain about shapes.

    Args:
        model: the model, as edited so far.
        pending: whether resizes of the main graph are checked one by one, by `settle`, rather than all at once.
        declared: whether to believe what the file declares for a resize, as it will be once it has its sizes.
    """

    def __init__(self, model: Model, *, pending: bool = False, declared: bool = False) -> None:
        self._model = model
        self._fresh: dict[int, tuple[Model, Scope]] = {}
        self._doubtful: set[int] = set()
        self._owners: dict[int, list[Tensor]] | None = None
        self._pending = pending
        self._declared = declared
        self._start()

    @property
    def has_doubts(self) -> bool:
        """Whether any tensor's shape is doubtful."""
        return bool(self._doubtful)

    def is_doubtful(self, tensor: Tensor) -> bool:
        """Whether the shape depends on a resize whose length is not what the model's shapes say."""
        return id(tensor) in self._doubtful

    def shape(self, tensor: Tensor, scope: Scope) -> Shape | None:
        """The shape of a tensor as seen from `scope`; None where it is unknown or doubtful."""
        return None if id(tensor) in self._doubtful else self._look_up(tensor, scope)

    def of_input(self, resize: ResizeNode) -> Shape | None:
        """The input's shape; where it is doubtful, its rank, every length unknown."""
        data = resize.node.inputs[0]
        found = self._look_up(data, resize.scope)
        return (None,) * len(found) if found is not None and id(data) in self._doubtful else found

    def _look_up(self, tensor: Tensor, scope: Scope) -> Shape | None:
        known = self._fresh.get(id(scope.graph))
        if known is not None:
            model, place = known
            found = model.shape(Variable(tensor.name), place)
            if found is not None:
                return found
        return self._model.shape(tensor, scope)

    def refresh(self) -> None:
        """Infer the shapes of the model as it is now."""
        fresh = type(self._model).from_proto(self._model.to_reference_proto(), self._model.path, copy=False)
        pairs = zip(self._model.scopes(), fresh.scopes(), strict=True)
        self._fresh = {id(scope.graph): (fresh, place) for scope, place in pairs}
        self._doubtful.clear()
        self._start()

    def settle(self, resize: ResizeNode) -> None:
        """Compare what a resize makes with what is known of its output; doubt what depends on it if they differ."""
        if not resize.node.inputs or not resize.node.outputs or id(resize.node.inputs[0]) in self._doubtful:
            return
        promised = resize.declared_output_shape
        if self._declared and promised is not None and all(isinstance(length, int) for length in promised):
            return
        known = self._look_up(resize.node.outputs[0], resize.scope)
        made = _lengths_made(resize, self._look_up(resize.node.inputs[0], resize.scope))
        if known is not None and any(
            axis < len(known) and isinstance(known[axis], int) and known[axis] != length
            for axis, length in made.items()
        ):
            self._doubt(resize.node.outputs[0])

    def is_stale(self, resize: ResizeNode) -> bool:
        """Whether a resize says more about its output than is known of it: shapes behind it can be inferred anew."""
        known = self._look_up(resize.node.outputs[0], resize.scope)
        made = _lengths_made(resize, self._look_up(resize.node.inputs[0], resize.scope))
        return any(known is None or axis >= len(known) or known[axis] != m for axis, m in made.items())

    def _start(self) -> None:
        fractional: set[str] = set()
        for resize in self._model.resizes():
            if resize.scope.root is not self._model.graph:
                scales = resize.scales
                if resize.given_by("scales") and (scales is None or not all(map(is_whole, scales))):
                    fractional.add(resize.scope.root.name)
            elif not self._pending or resize.scope.parent is not None:
                self.settle(resize)
        if fractional:
            self._doubt_calls(fractional)

    def _doubt_calls(self, functions: set[str]) -> None:
        """Inference looks into functions: what it says of their outputs may rest on a product in float64."""
        names = {function.name for function in self._model.graph.functions}
        for function in self._model.graph.functions:
            if names & op_types(function):
                functions.add(function.name)
        for scope in self._model.scopes():
            for node in nodes_of(scope, functions):
                for tensor in node.outputs:
                    self._doubt(tensor)

    def _doubt(self, tensor: Tensor) -> None:
        if self._owners is None:
            self._owners = _results_of_subgraphs(self._model)
        stack = [tensor]
        while stack:
            current = stack.pop()
            if id(current) in self._doubtful:
                continue
            self._doubtful.add(id(current))
            stack.extend(self._owners.get(id(current), ()))
            for reader in current.outputs:
                stack.extend(reader.outputs)
                stack.extend(
                    inner
                    for value in reader.attrs.values()
                    if isinstance(value, Graph)
                    for inner in value.inputs
                )


def _results_of_subgraphs(model: Model) -> dict[int, list[Tensor]]:
    """By identity of the output of a subgraph: the outputs of the node that holds it."""
    found: dict[int, list[Tensor]] = {}
    for scope in model.scopes():
        if scope.parent is None:
            continue
        holder = next(
            node
            for node in nodes_with_graphs(scope.parent.graph)
            if any(value is scope.graph for value in node.attrs.values())
        )
        for tensor in scope.graph.outputs:
            found.setdefault(id(tensor), []).extend(holder.outputs)
    return found


def _lengths_made(resize: ResizeNode, before: Shape | None) -> dict[int, int]:
    """The output lengths that follow from constant sizes or scales, by axis, as onnxruntime computes them."""
    if (
        before is None
        or resize.is_parametric
        or resize.node.attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        return {}
    axes = [axis % len(before) for axis in resize.node.attrs.get("axes") or range(len(before))]
    if resize.sizes is not None and len(resize.sizes) == len(axes):
        return dict(zip(axes, resize.sizes, strict=True))
    if resize.scales is None or len(resize.scales) != len(axes):
        return {}
    return {
        axis: int(np.float32(length) * np.float32(scale))
        for axis, scale in zip(axes, resize.scales, strict=True)
        if isinstance(length := before[axis], int)
    }

"""Types and shapes that the file does not declare, from one run of onnx's shape inference without the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from onnx import GraphProto, ModelProto, TensorProto, TypeProto

from rewriter.model.inference import infer, infer_strictly
from rewriter.model.scopes import Scope
from rewriter.model.storage import is_external
from rewriter.model.values import describe_type
from rewriter.model.view import GraphBinding, View

__all__ = ["Inferred", "InferredTypes", "Shape", "without_weights"]

Shape: TypeAlias = "tuple[int | str | None, ...]"
Inferred: TypeAlias = "tuple[Any, Shape | None]"
"""dtype and shape, either None where unknown."""
_SMALL = 1024
"""Tensors with more elements than this cannot be shapes; inference sees their type only."""


class InferredTypes:
    """What one run of shape inference found; nothing where it fails.

    Attributes:
        sound: whether the strict form of inference, with types checked, accepts the model as it was read.
    """

    def __init__(self, proto: ModelProto, view: View) -> None:
        self._view = view
        self._types: dict[int, dict[str, TypeProto]] = {}
        self._described: dict[tuple[int, str], Inferred | None] = {}
        self._graphs: dict[int, GraphProto] = {}
        inferred, self.sound = infer_strictly(without_weights(proto))
        if inferred is None:
            return
        self._graphs[id(view.bindings.graphs[id(view.graph)])] = inferred.graph

    def learn(self, proto: ModelProto, scopes: Iterable[Scope]) -> None:
        """Infer anew from the model as passes have left it: what was unknown before may be known now.

        Args:
            proto: the edited model.
            scopes: of the view, in the order of the file.
        """
        inferred = infer(without_weights(proto))
        if inferred is None:
            return
        here = [scope for scope in scopes if not scope.is_function]
        graphs = list(_main_and_subgraphs(inferred.graph))
        if len(here) != len(graphs):
            return
        for scope, graph in zip(here, graphs, strict=True):
            binding = self._view.bindings.graphs.get(id(scope.graph))
            if binding is not None:
                infos = [*graph.value_info, *graph.input, *graph.output]
                known = dict(self.types(binding))
                known.update({info.name: info.type for info in infos})
                self._types[id(binding)] = known
        self._described.clear()

    def of(self, name: str, scope: GraphBinding) -> Inferred | None:
        """dtype and shape of a tensor that `scope` itself has; None where inference says nothing."""
        key = id(scope), name
        if key not in self._described:
            type_ = self.types(scope).get(name)
            self._described[key] = None if type_ is None else describe_type(type_)[:2]
        return self._described[key]

    def types(self, scope: GraphBinding) -> Mapping[str, TypeProto]:
        """By name, what is known of every value of a scope."""
        if id(scope) not in self._types:
            graph = self._graph(scope)
            infos = [] if graph is None else [*graph.value_info, *graph.input, *graph.output]
            self._types[id(scope)] = {info.name: info.type for info in infos}
        return self._types[id(scope)]

    def _graph(self, scope: GraphBinding) -> GraphProto | None:
        """The inferred message of a scope."""
        if id(scope) in self._graphs or scope.parent is None:
            return self._graphs.get(id(scope))
        outer = self._graph(scope.parent)
        if outer is None:
            return None
        for node in scope.parent.nodes.values():
            for attribute in outer.node[node.index].attribute:
                if node.subgraphs.get(attribute.name) is scope:
                    self._graphs[id(scope)] = attribute.g
                    return attribute.g
        return None


def _main_and_subgraphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _main_and_subgraphs(inner)


def without_weights(proto: ModelProto, *, declared: bool = True) -> ModelProto:
    """The model for shape inference: initializers that are too large to be shapes have their type only.

    Args:
        proto: the model.
        declared: with what it declares about inner values.
    """
    if declared and not any(_is_large(tensor) for tensor in proto.graph.initializer):
        return proto
    light = ModelProto(ir_version=proto.ir_version)
    light.opset_import.extend(proto.opset_import)
    light.functions.extend(proto.functions)
    graph = light.graph
    graph.name = proto.graph.name
    for field in ("node", "input", "output", *(["value_info"] if declared else [])):
        getattr(graph, field).extend(getattr(proto.graph, field))
    for tensor in proto.graph.initializer:
        if _is_large(tensor):
            graph.initializer.append(
                TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            )
        else:
            graph.initializer.append(tensor)
    return light


def _is_large(tensor: TensorProto) -> bool:
    return is_external(tensor) or math.prod(tensor.dims) > _SMALL

"""Every tensor of a model: initializers, attributes, subgraphs, functions, training graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["attribute_tensors", "graph_tensors", "model_tensors"]


def model_tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model."""
    yield from graph_tensors(proto.graph)
    for function in proto.functions:
        yield from _node_tensors(function.node)
        for attribute in function.attribute_proto:
            yield from attribute_tensors(attribute)
    for training in proto.training_info:
        yield from graph_tensors(training.initialization)
        yield from graph_tensors(training.algorithm)


def graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Every tensor of a graph and of its subgraphs."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _node_tensors(graph.node)


def attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    """Every tensor in an attribute and in its graphs."""
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for tensor in (*sparse, *attribute.sparse_tensors):
        yield tensor.values
        yield tensor.indices
    if attribute.HasField("g"):
        yield from graph_tensors(attribute.g)
    for graph in attribute.graphs:
        yield from graph_tensors(graph)


def _node_tensors(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute_tensors(attribute)

"""BatchNorm in training mode in TensorFlow graphs: SavedModels and frozen graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["find_batch_statistics_in_graph"]

_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_COPIES = ("Identity", "StopGradient", "Squeeze", "Reshape")


def find_batch_statistics_in_graph(graph_def: Any) -> list[str]:
    """The layers that normalise by the statistics of their batch, in a `GraphDef` and its library of functions."""
    found: list[str] = []
    for nodes in _bodies(graph_def):
        for node in nodes.values():
            if node.op in _FUSED and node.attr["is_training"].b:
                found.append(node.name)
            elif node.op == "Mean" and _is_variance(node, nodes):
                scope = node.name.partition("/moments/")[0]
                found.append(scope.rpartition("/")[2] if "/moments/" in node.name else node.name)
    return list(dict.fromkeys(found))


def _bodies(graph_def: Any) -> Iterator[dict[str, Any]]:
    yield {node.name: node for node in graph_def.node}
    for function in graph_def.library.function:
        yield {node.name: node for node in function.node_def}


def _is_variance(node: Any, nodes: Mapping[str, Any]) -> bool:
    """A mean, over the batch among others, of the squared distance from a mean."""
    axes = _constant(node.input[1], nodes)
    if axes is None or 0 not in axes.ravel().tolist():
        return False
    square = _producer(node.input[0], nodes)
    if square is None or square.op != "SquaredDifference":
        return False
    mean = _producer(square.input[1], nodes)
    return mean is not None and mean.op == "Mean" and _same(mean.input[0], square.input[0])


def _same(a: str, b: str) -> bool:
    return a.partition(":")[0] == b.partition(":")[0]


def _producer(name: str, nodes: Mapping[str, Any]) -> Any:
    node = nodes.get(name.lstrip("^").partition(":")[0])
    while node is not None and node.op in _COPIES:
        node = nodes.get(node.input[0].partition(":")[0])
    return node


def _constant(name: str, nodes: Mapping[str, Any]) -> np.ndarray | None:
    from tensorflow import make_ndarray

    node = _producer(name, nodes)
    return make_ndarray(node.attr["value"].tensor) if node is not None and node.op == "Const" else None

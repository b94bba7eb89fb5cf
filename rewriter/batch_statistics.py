"""BatchNorm in training mode, left in a network that is meant for inference.

Such a network normalises by the mean and variance of the batch that it is given, not by what it learnt: an image's
result depends on the images beside it. Keras 3.15 exports it silently where a `Resizing` or `CenterCrop` layer comes
before a BatchNormalization, and tf2onnx writes it as ReduceMean, Sub, Mul and ReduceMean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import numpy_helper

__all__ = ["REASON", "find_batch_statistics"]

REASON = "normalises by the statistics of the batch that it is given (BatchNorm in training mode)"

_COPIES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Expand")
_DEPTH = 8


def find_batch_statistics(model: onnx.ModelProto) -> list[str]:
    """The layers (or nodes) that normalise by the statistics of their batch; subgraphs and functions included.

    A BatchNormalization node with `training_mode`, or a variance over the batch: the mean of the squared distance
    from the mean over the same axes, the first among them.
    """
    found: list[str] = []
    for nodes, constants in _graphs(model):
        producers = {output: node for node in nodes for output in node.output if output}
        for node in nodes:
            if node.op_type == "BatchNormalization" and _is_training(node):
                found.append(node.name or node.output[0])
            elif node.op_type == "ReduceMean" and _is_variance(node, producers, constants):
                found.append(_layer(node))
    return found


def _graphs(model: onnx.ModelProto) -> Iterator[tuple[list[onnx.NodeProto], dict[str, onnx.TensorProto]]]:
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    outer: dict[str, onnx.TensorProto] = {}
    while waiting:
        graph = waiting.pop(0)
        nodes = list(graph.node)
        constants = dict(outer)
        if isinstance(graph, onnx.GraphProto):
            constants.update({tensor.name: tensor for tensor in graph.initializer})
        for node in nodes:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                constants[node.output[0]] = node.attribute[0].t
            waiting += [each.g for each in node.attribute if each.type == onnx.AttributeProto.GRAPH]
        outer = constants if isinstance(graph, onnx.GraphProto) else outer
        yield nodes, constants


def _is_training(node: onnx.NodeProto) -> bool:
    return any(each.name == "training_mode" and each.i for each in node.attribute)


def _is_variance(
    node: onnx.NodeProto, producers: Mapping[str, onnx.NodeProto], constants: Mapping[str, onnx.TensorProto]
) -> bool:
    axes = _axes(node, constants)
    square = producers.get(node.input[0])
    if not axes or 0 not in axes or square is None:
        return False
    if square.op_type == "Mul" and square.input[0] == square.input[1]:
        distance = producers.get(square.input[0])
    elif square.op_type == "Pow" and square.input[1] in constants:
        two = numpy_helper.to_array(constants[square.input[1]])
        distance = producers.get(square.input[0]) if two.size == 1 and two.ravel()[0] == 2 else None
    else:
        return False
    if distance is None or distance.op_type != "Sub":
        return False
    mean = _before_copies(distance.input[1], producers)
    return (
        mean is not None
        and mean.op_type == "ReduceMean"
        and _axes(mean, constants) == axes
        and mean.input[0] == distance.input[0]
    )


def _axes(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> tuple[int, ...] | None:
    for attribute in node.attribute:
        if attribute.name == "axes":
            return tuple(sorted(attribute.ints))
    if len(node.input) > 1 and node.input[1] in constants:
        return tuple(sorted(int(axis) for axis in numpy_helper.to_array(constants[node.input[1]]).ravel()))
    return None


def _before_copies(name: str, producers: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    for _ in range(_DEPTH):
        node = producers.get(name)
        if node is None or node.op_type not in _COPIES:
            return node
        name = node.input[0]
    return None


def _layer(node: onnx.NodeProto) -> str:
    """The name of the layer, where the exporter kept TensorFlow's scopes."""
    name = node.name or node.output[0]
    scope, found, _ = name.partition("/moments/")
    return scope.rpartition("/")[2] if found and scope else name

"""Models of many small nodes, written in the order in which onnx writes them."""

from __future__ import annotations

from pathlib import Path

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

__all__ = ["BLOCK", "chain_of_blocks", "write_model"]

BLOCK = 40
"""Nodes per block; each block holds one Resize, so 20,000 nodes hold 500 of them."""

_ELEMENTWISE = ("Relu", "Sigmoid", "Add", "Tanh", "Mul")


def chain_of_blocks(nodes: int) -> ModelProto:
    """`nodes` nodes, rounded up to whole blocks: enlarge by 2, 19 elementwise, shrink by 2, 19 elementwise.

    What an exporter would write: opset 13, float scales in initializers, no shapes of intermediate tensors. Each
    Resize is linear with half_pixel, so that the default intent has to respell and correct every one.
    """
    graph = GraphProto(name="chain_of_blocks")
    value = "image"
    for block in range(-(-nodes // BLOCK)):
        value = _append_block(graph, f"decoder/block_{block}", value)
    shape = [1, 4, 8, 8]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, shape))
    graph.output.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, shape))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="benchmarks", ir_version=8
    )


def write_model(model: ModelProto, path: Path) -> Path:
    """Write it to a new file, without checks."""
    path.write_bytes(model.SerializeToString())
    return path


def _append_block(graph: GraphProto, scope: str, value: str) -> str:
    """Append one block that reads `value`; returns the name of its output."""
    scales = helper.make_tensor(f"{scope}/scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    graph.initializer.append(scales)
    value = _append(
        graph,
        "Resize",
        f"{scope}/up/Resize",
        [value, "", scales.name],
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    value = _append_elementwise(graph, f"{scope}/large", value, BLOCK // 2 - 1)
    value = _append(graph, "MaxPool", f"{scope}/down/MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])
    return _append_elementwise(graph, f"{scope}/small", value, BLOCK // 2 - 1)


def _append_elementwise(graph: GraphProto, scope: str, value: str, count: int) -> str:
    first = value
    for index in range(count):
        op = _ELEMENTWISE[index % len(_ELEMENTWISE)]
        inputs = [value, first] if op in ("Add", "Mul") else [value]
        value = _append(graph, op, f"{scope}/{op}_{index}", inputs)
    return value


def _append(graph: GraphProto, op: str, name: str, inputs: list[str], **attributes: object) -> str:
    node: NodeProto = helper.make_node(op, inputs, [f"{name}:0"], name=name, **attributes)
    graph.node.append(node)
    return f"{name}:0"

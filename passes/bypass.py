"""Letting readers of one tensor read another, so that the node between them can go."""

from __future__ import annotations

from onnx_graphsurgeon import Constant, Graph, Node, Tensor, Variable

from rewriter.model.nodelist import entries

__all__ = ["can_take_name", "replace_uses", "set_input"]


def can_take_name(data: Tensor, graph: Graph, outputs: set[int]) -> bool:
    """Whether the tensor is made by a node of `graph` and bears no name that others rely on.

    Args:
        data: the tensor that would be known by another name.
        graph: where the other name is an output.
        outputs: identities of the outputs of all graphs.
    """
    if not isinstance(data, Variable) or isinstance(data, Constant) or id(data) in outputs:
        return False
    return len(data.inputs) == 1 and any(entry is data.inputs[0] for entry in entries(graph))


def replace_uses(old: Tensor, new: Tensor) -> None:
    """Let every reader of `old` (in this scope or inside it) read `new`."""
    for reader in list({id(node): node for node in old.outputs}.values()):
        for position, tensor in enumerate(reader.inputs):
            if tensor is old:
                set_input(reader, position, new)


def set_input(reader: Node, position: int, tensor: Tensor) -> None:
    """Let a node read `tensor` at one place."""
    inputs = list(reader.inputs)
    inputs[position] = tensor
    reader.inputs = inputs

"""Which TensorFlow op, with which flags, an ONNX node came from; kept in the ONNX file's metadata."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

__all__ = ["MODEL_KEY", "NODE_KEY", "Provenance", "attach", "marked"]

NODE_KEY = "rewriter.source"
MODEL_KEY = "rewriter.sources"
_MARK = "/rewriter.source."
_FIRST_IR_WITH_NODE_METADATA = 10


@dataclass(frozen=True)
class Provenance:
    """One TensorFlow resize op.

    Attributes:
        op: op type, e.g. ``ResizeBilinear``.
        name: its name in the TensorFlow graph.
        align_corners, half_pixel_centers: its flags.
        size: output height and width; None where they are computed at run time.
    """

    op: str
    name: str
    align_corners: bool
    half_pixel_centers: bool
    size: tuple[int, int] | None

    def to_json(self) -> dict[str, Any]:
        """The value of the metadata key."""
        return {
            "framework": "tensorflow",
            "op": self.op,
            "name": self.name,
            "align_corners": self.align_corners,
            "half_pixel_centers": self.half_pixel_centers,
            "size": None if self.size is None else list(self.size),
        }


def marked(name: str, index: int) -> str:
    """The name under which `attach` recognises the node of record number `index`.

    tf2onnx puts the function's name in front of whatever lies in a branch or loop body, so that only the end of a
    name can be relied on.
    """
    return f"{name}{_MARK}{index}"


def attach(model: onnx.ModelProto, found: Sequence[Provenance]) -> None:
    """Write each record on its `marked` node, in the main graph or a subgraph, and all of them on the model.

    The nodes get their ops' names back; where branches repeat a name, the later ones get a number.
    """
    nodes = _nodes(model.graph)
    carriers = [node for node in nodes if node.op_type == "Resize" and _MARK in node.name]
    taken = {node.name for node in nodes}
    carried: dict[str, Any] = {}
    for node in carriers:
        record = found[int(node.name.rpartition(_MARK)[2])]
        node.name = _free(record.name, taken)
        taken.add(node.name)
        carried[node.name] = record.to_json()
        entry = node.metadata_props.add()
        entry.key, entry.value = NODE_KEY, json.dumps(carried[node.name])
    if not carried:
        return
    model.ir_version = max(model.ir_version, _FIRST_IR_WITH_NODE_METADATA)
    entry = model.metadata_props.add()
    entry.key, entry.value = MODEL_KEY, json.dumps(carried)


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                nodes += _nodes(subgraph)
    return nodes

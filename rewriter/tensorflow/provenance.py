"""Which TensorFlow op, with which flags, an ONNX node came from; kept in the ONNX file's metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

__all__ = ["MODEL_KEY", "NODE_KEY", "Provenance", "attach"]

NODE_KEY = "rewriter.source"
MODEL_KEY = "rewriter.sources"
_FIRST_IR_WITH_NODE_METADATA = 10


@dataclass(frozen=True)
class Provenance:
    """One TensorFlow resize op.

    Attributes:
        op: op type, e.g. ``ResizeBilinear``.
        name: its name in the TensorFlow graph, and of the ONNX node that carries it.
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


def attach(model: onnx.ModelProto, found: Sequence[Provenance]) -> None:
    """Write each record on the node of its name, in the main graph or a subgraph, and all on the model."""
    records = {record.name: record for record in found}
    carried: dict[str, Any] = {}
    for node in _nodes(model.graph):
        if node.op_type != "Resize" or node.name not in records:
            continue
        carried[node.name] = records[node.name].to_json()
        entry = node.metadata_props.add()
        entry.key, entry.value = NODE_KEY, json.dumps(carried[node.name])
    if not carried:
        return
    model.ir_version = max(model.ir_version, _FIRST_IR_WITH_NODE_METADATA)
    entry = model.metadata_props.add()
    entry.key, entry.value = MODEL_KEY, json.dumps(carried)


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                nodes += _nodes(subgraph)
    return nodes

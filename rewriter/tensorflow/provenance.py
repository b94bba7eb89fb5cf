"""Which TensorFlow op, with which flags, an ONNX node came from; kept in the ONNX file's metadata."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from rewriter.errors import UnsupportedError
from rewriter.resampling.tensorflow import onnx_attributes

__all__ = ["MODEL_KEY", "NODE_KEY", "Provenance", "attach", "marked", "nodes_of"]

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
        result: ONNX element type and [N, C, H, W] of the output, None for lengths that are not known; not part of
            what the file keeps.
    """

    op: str
    name: str
    align_corners: bool
    half_pixel_centers: bool
    size: tuple[int, int] | None
    result: tuple[int, tuple[int | None, ...]] | None = None

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


def attach(model: onnx.ModelProto, found: Sequence[Provenance]) -> dict[str, Provenance]:
    """Write each record on its `marked` node, in the main graph or a subgraph, and all of them on the model.

    The nodes get their ops' names back; where branches repeat a name, the later ones get a number.

    Returns:
        The record of each node, by the node's name.

    Raises:
        UnsupportedError: a node resizes that comes from no recorded op, or samples otherwise than its op.
    """
    nodes = nodes_of(model.graph)
    carriers = [node for node in nodes if node.op_type in ("Resize", "Upsample")]
    taken = {node.name for node in nodes}
    carried: dict[str, Provenance] = {}
    for node in carriers:
        record = _record(node, found)
        node.name = _free(record.name, taken)
        taken.add(node.name)
        carried[node.name] = record
        entry = node.metadata_props.add()
        entry.key, entry.value = NODE_KEY, json.dumps(record.to_json())
    if carried:
        model.ir_version = max(model.ir_version, _FIRST_IR_WITH_NODE_METADATA)
        entry = model.metadata_props.add()
        listed = {name: record.to_json() for name, record in carried.items()}
        entry.key, entry.value = MODEL_KEY, json.dumps(listed)
    return carried


def _record(node: onnx.NodeProto, found: Sequence[Provenance]) -> Provenance:
    """Where a node came from; its attributes must say what the TensorFlow op does."""
    if _MARK not in node.name:
        raise UnsupportedError(
            f"tf2onnx wrote a {node.op_type} for an op that is not known to resize", node=node.name
        )
    record = found[int(node.name.rpartition(_MARK)[2])]
    expected = onnx_attributes(record.op, record.align_corners, record.half_pixel_centers)
    actual = {attribute.name: _value(attribute) for attribute in node.attribute}
    differing = [name for name, value in expected.items() if actual.get(name) != value]
    if differing:
        written = ", ".join(f"{name}={actual.get(name)}" for name in differing)
        raise UnsupportedError(f"tf2onnx changed what {record.op} samples: {written}", node=record.name)
    return record


def _value(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def nodes_of(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes of a graph and of all its subgraphs."""
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                nodes += nodes_of(subgraph)
    return nodes

"""Remove resizes whose output is their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from onnx_graphsurgeon import Graph, Node

from passes.base import Log, Pass, PassContext, PassResult
from passes.bypass import can_take_name, replace_uses
from passes.resize.proof import by_definition, spelled_out
from passes.shapes.current import CurrentShapes
from rewriter.errors import UnsupportedError
from rewriter.model.nodelist import remove

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["DropIdentityResize"]

_IDENTITY_AT_SCALE_1 = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
"""Coordinate modes that sample x(i) = i wherever the scale is exactly 1."""


@dataclass(frozen=True)
class DropIdentityResize(Pass):
    """Remove each Resize that is proved to copy its input.

    Graph outputs keep their names: where the input cannot take the output's name over (it is a graph input, a
    constant, a value of the scope around, or itself an output), the node becomes an Identity.
    """

    name: ClassVar[str] = "drop-identity-resize"
    summary: ClassVar[str] = "remove resizes that copy their input"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        outputs: set[int] | None = None
        shapes: CurrentShapes | None = None
        gone: dict[int, tuple[Graph, list[Node]]] = {}
        for resize in model.resizes():
            certificate = _certificate(resize)
            if certificate is None:
                continue
            if "sizes" in certificate:
                shapes = shapes or CurrentShapes(model)
                if shapes.is_doubtful(resize.node.inputs[0]):
                    continue
            outputs = outputs or {id(tensor) for scope in model.scopes() for tensor in scope.graph.outputs}
            if _drop(resize, outputs, certificate, log):
                graph = resize.scope.graph
                gone.setdefault(id(graph), (graph, []))[1].append(resize.node)
        for graph, nodes in gone.values():
            remove(graph, nodes)
        return log.result()


def _certificate(resize: ResizeNode) -> dict[str, Any] | None:
    """Proof that the node copies its input, None where it does not or nothing is known."""
    if resize.is_parametric or len(resize.node.outputs) != 1 or not resize.node.inputs:
        return None
    scales = resize.scales
    if (
        scales is not None
        and all(scale == 1 for scale in scales)
        and resize.coordinate_transformation_mode in _IDENTITY_AT_SCALE_1
    ):
        return by_definition(
            "identity at every length",
            f"{resize.coordinate_transformation_mode} at scale 1 samples every pixel at itself",
            words={
                "mode": resize.mode,
                "coordinates": resize.coordinate_transformation_mode,
                "rounding": resize.nearest_mode,
                "scale": "1",
            },
        )
    try:
        spelling = spelled_out(resize)
        semantics = None if spelling is None or not resize.lengths else resize.semantics_of(spelling)
    except UnsupportedError:
        return None
    if semantics is None or not semantics.is_identity:
        return None
    return {
        "equal": True,
        "arithmetic": "exact rational",
        "kind": "identity",
        "reason": "the matrix of every axis is the identity",
        "sizes": [[axis.n_in, axis.n_out] for axis in semantics.axes],
        "axes": [
            {"n_in": axis.n_in, "n_out": axis.n_out, "words": axis.to_json()} for axis in semantics.axes
        ],
    }


def _drop(resize: ResizeNode, outputs: set[int], certificate: dict[str, Any], log: Log) -> bool:
    """Let others read the input; True when the node has no use left, False when it became an Identity."""
    node, graph = resize.node, resize.scope.graph
    data, result = node.inputs[0], node.outputs[0]
    new = "removed"
    if id(result) not in outputs:
        replace_uses(result, data)
        node.inputs.clear()
        node.outputs.clear()
    elif can_take_name(data, graph, outputs):
        producer = data.inputs[0]
        replace_uses(data, result)
        node.inputs.clear()
        node.outputs.clear()
        producer.outputs[[id(tensor) for tensor in producer.outputs].index(id(data))] = result
    else:
        node.op, new = "Identity", "Identity"
        node.attrs.clear()
        node.inputs = [data]
    log.change(
        resize.graph_path,
        resize.name,
        "node",
        resize.op if new == "removed" else "Resize",
        new,
        "its output is its input",
        "cleanup",
        certificate=certificate,
    )
    return new == "removed"

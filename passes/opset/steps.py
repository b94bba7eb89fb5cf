"""How each operator of the default domain changed from opset 8 to 13, and what a node needs to follow.

An entry of `COMPATIBLE` only allowed more (types, negative axes, attributes whose default is the old behaviour). An
entry of `STEPS` needs an edit. What is in neither is a reason not to raise the version. Sources: the operators'
changelog (onnx/docs/Changelog.md) and the schemas in `onnx.defs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx_graphsurgeon import Node, Variable

from passes.editing import Names, drop_attributes, set_inputs
from rewriter.model.nodelist import position

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["COMPATIBLE", "STEPS", "Place", "Step"]


def _ops(names: str) -> frozenset[str]:
    return frozenset(names.split())


COMPATIBLE: dict[int, frozenset[str]] = {
    8: _ops("Max Mean Min Sum MaxPool"),
    9: _ops("Cast Constant Flatten Gemm Greater Less MatMul PRelu"),
    10: _ops("AveragePool MaxPool"),
    11: _ops(
        """ArgMax ArgMin AveragePool Compress Concat Constant Conv DepthToSpace Equal Flatten Gather Gemm Hardmax If
        LogSoftmax Loop LpPool MaxPool MaxUnpool NonMaxSuppression ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
        ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Scan Slice Softmax Split Squeeze TopK
        Unsqueeze"""
    ),
    12: _ops("ArgMax ArgMin Clip Constant GatherND Max MaxPool Min Pow ReduceMax ReduceMin"),
    13: _ops(
        """Abs Add ArgMax ArgMin Cast Ceil Clip Concat Constant DepthToSpace DequantizeLinear Div Dropout Equal Erf
        Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater Identity If IsNaN LRN Less Log Loop
        MatMul Max Mean MeanVarianceNormalization Min Mod Mul Neg NegativeLogLikelihoodLoss NonZero Pad Pow
        QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
        ReduceProd ReduceSumSquare Relu Reshape Resize ScatterElements ScatterND Shape Sigmoid Sign Size Slice
        SoftmaxCrossEntropyLoss SpaceToDepth Sqrt Sub Sum Tanh Tile Transpose"""
    ),
}


@dataclass(frozen=True)
class Place:
    """Where a node is, and what an edit may need."""

    model: Model
    scope: Scope
    names: Names


class Step(NamedTuple):
    """How a node follows one version of its operator.

    Attributes:
        blocker: why this node cannot follow; None when it can. Called before anything is edited.
        apply: the edit; adds and removes nodes of the scope's graph where it must.
    """

    blocker: Callable[[Node, Place], str | None]
    apply: Callable[[Node, Place], None]


def _never(node: Node, place: Place) -> str | None:
    return None


def _parameters(*names: str) -> Callable[[Node, Place], str | None]:
    """Blocks where one of the attributes is a parameter of the function around the node: it cannot be an input."""

    def blocker(node: Node, place: Place) -> str | None:
        found = [name for name in names if isinstance(node.attrs.get(name), Node.AttributeRef)]
        return f"its {found[0]} is a parameter of a function" if found else None

    return blocker


def _base(node: Node, what: str) -> str:
    return f"{node.outputs[0].name}_{what}"


def _to_inputs(*spec: tuple[str, Any]) -> Step:
    """Integer attributes that became inputs behind the existing ones; absent ones stay absent."""
    names = tuple(name for name, _ in spec)

    def apply(node: Node, place: Place) -> None:
        new = [
            None
            if name not in node.attrs
            else place.names.constant(_base(node, name), node.attrs[name], dtype)
            for name, dtype in spec
        ]
        drop_attributes(node, *names)
        set_inputs(node, [*node.inputs, *new])

    return Step(_parameters(*names), apply)


def _spatial_blocker(node: Node, place: Place) -> str | None:
    if node.attrs.get("spatial", 1) != 1:
        return "it normalises each position on its own (spatial=0), which later versions cannot"
    return None


def _mask_blocker(node: Node, place: Place) -> str | None:
    used = len(node.outputs) > 1 and (node.outputs[1].outputs or node.outputs[1] in place.scope.graph.outputs)
    return "the type of its mask changed" if used else None


def _dropout_ratio(node: Node, place: Place) -> None:
    ratio = node.attrs.get("ratio")
    drop_attributes(node, "ratio")
    if ratio is not None:
        set_inputs(node, [*node.inputs, place.names.constant(_base(node, "ratio"), ratio, np.float32)])


def _transposed_padding(node: Node, place: Place) -> str | None:
    if node.attrs.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return "which side auto_pad favours was defined the other way round before"
    return None


def _float_type(node: Node, place: Place) -> str | None:
    blocked = _parameters("min", "max", "pads", "value")(node, place)
    if blocked is not None:
        return blocked
    needs = {"Clip": ("min", "max"), "Pad": ("value",)}[node.op]
    if any(node.attrs.get(name) for name in needs) and not isinstance(_dtype(node, place), np.dtype):
        return "the type of its input is not known"
    return None


def _dtype(node: Node, place: Place) -> Any:
    dtype = place.model.dtype(node.inputs[0], place.scope)
    return dtype if dtype is None or isinstance(dtype, int) else np.dtype(dtype)


def _clip(node: Node, place: Place) -> None:
    dtype = _dtype(node, place) or np.dtype(np.float32)
    bounds = [
        None if name not in node.attrs else place.names.constant(_base(node, name), node.attrs[name], dtype)
        for name in ("min", "max")
    ]
    drop_attributes(node, "min", "max")
    set_inputs(node, [node.inputs[0], *bounds])


def _pad(node: Node, place: Place) -> None:
    pads = place.names.constant(_base(node, "pads"), node.attrs["pads"], np.int64)
    value = node.attrs.get("value", 0.0)
    filler = place.names.constant(_base(node, "value"), value, _dtype(node, place)) if value else None
    drop_attributes(node, "pads", "value")
    set_inputs(node, [node.inputs[0], pads, filler])


def _top_k(node: Node, place: Place) -> None:
    count = place.names.constant(_base(node, "k"), [node.attrs["k"]], np.int64)
    drop_attributes(node, "k")
    set_inputs(node, [node.inputs[0], count])


def _rename(op: str) -> Callable[[Node, Place], None]:
    def apply(node: Node, place: Place) -> None:
        node.op = op

    return apply


def _softmax(node: Node, place: Place) -> None:
    """Before 13 all axes from `axis` on count as one; since then only `axis` itself does."""
    axis = node.attrs.get("axis", 1)
    shape = place.model.shape(node.inputs[0], place.scope)
    rank = None if shape is None else len(shape)
    if axis == -1 or (rank is not None and axis in (rank - 1, -1)):
        node.attrs["axis"] = -1 if axis == -1 else axis
        return
    # Flatten to two dimensions, work on the last, and restore the shape.
    data, result = node.inputs[0], node.outputs[0]
    flat = Variable(place.names.fresh(_base(node, "flat")))
    done = Variable(place.names.fresh(_base(node, "flat_result")))
    shape_of = Variable(place.names.fresh(_base(node, "shape")))
    graph = place.scope.graph
    index = position(graph, node)
    node.attrs["axis"] = -1
    node.outputs = [done]
    before = [
        Node("Shape", place.names.fresh(_base(node, "Shape")), inputs=[data], outputs=[shape_of]),
        Node("Flatten", place.names.fresh(_base(node, "Flatten")), {"axis": axis}, [data], [flat]),
    ]
    node.inputs = [flat]
    after = Node(
        "Reshape", place.names.fresh(_base(node, "Reshape")), inputs=[done, shape_of], outputs=[result]
    )
    graph.nodes[index : index + 1] = [*before, node, after]


_SOFTMAX = Step(_parameters("axis"), _softmax)
_AXES = _to_inputs(("axes", np.int64))

STEPS: dict[tuple[str, int], Step] = {
    ("BatchNormalization", 9): Step(_spatial_blocker, lambda node, place: drop_attributes(node, "spatial")),
    ("Dropout", 10): Step(_mask_blocker, lambda node, place: None),
    ("Slice", 10): _to_inputs(("starts", np.int64), ("ends", np.int64), ("axes", np.int64)),
    ("TopK", 10): Step(_parameters("k"), _top_k),
    ("Clip", 11): Step(_float_type, _clip),
    ("ConvTranspose", 11): Step(_transposed_padding, lambda node, place: None),
    ("Pad", 11): Step(_float_type, _pad),
    ("Scatter", 11): Step(_never, _rename("ScatterElements")),
    ("Dropout", 12): Step(_parameters("ratio"), _dropout_ratio),
    ("Hardmax", 13): _SOFTMAX,
    ("LogSoftmax", 13): _SOFTMAX,
    ("ReduceSum", 13): _AXES,
    ("Softmax", 13): _SOFTMAX,
    ("Split", 13): _to_inputs(("split", np.int64)),
    ("Squeeze", 13): _AXES,
    ("Unsqueeze", 13): _AXES,
}

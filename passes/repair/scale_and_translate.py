"""TensorFlow's ScaleAndTranslate, which tf2onnx leaves in the file, as two matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Constant, Node, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names
from passes.insertions import NodeEdits
from rewriter.errors import UnsupportedError
from rewriter.model.nodelist import nodes_of
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.float32 import kernel_matrix
from rewriter.resampling.tensorflow_ops import scale_and_translate

if TYPE_CHECKING:
    from rewriter.model import Model, Scope

__all__ = ["RepairScaleAndTranslate"]

_OP = "ScaleAndTranslate"
_INPUTS = ("images", "size", "scale", "translation")


@dataclass(frozen=True)
class RepairScaleAndTranslate(Pass):
    """Replace ScaleAndTranslate, an operator that ONNX has not, by what it computes.

    `tf.image.resize` with antialias, or with a Lanczos, Gaussian or Mitchell kernel, is this operator. tf2onnx logs
    that it cannot convert it and leaves it in the file, which no runtime loads. With constant size, scale and
    translation, and known height and width, it is one constant matrix per axis: TensorFlow's own float32 weights.
    """

    name: ClassVar[str] = "repair-scale-and-translate"
    summary: ClassVar[str] = "TensorFlow's ScaleAndTranslate, left over by tf2onnx, as two matrix products"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        edits: NodeEdits | None = None
        names: Names | None = None
        for scope in model.scopes():
            for node in nodes_of(scope.graph, _OP):
                try:
                    maps = _maps(model, node, scope)
                except UnsupportedError as error:
                    log.note(scope.path, node.name, str(error))
                    continue
                names = names or Names(model)
                edits = edits or NodeEdits()
                _replace(node, scope, maps, names, edits, log)
        if edits is not None:
            edits.apply()
        return log.result()


def _maps(model: Model, node: Node, scope: Scope) -> tuple[AxisMap, AxisMap]:
    """The maps of height and width.

    Raises:
        UnsupportedError: something about it is known only when the model runs, or it is malformed.
    """
    if len(node.inputs) != len(_INPUTS) or len(node.outputs) != 1:
        raise UnsupportedError(f"{_OP} with {len(node.inputs)} inputs stays: it takes {', '.join(_INPUTS)}")
    shape = model.shape(node.inputs[0], scope)
    image = [length for length in (shape or ())[1:3] if isinstance(length, int)]
    if shape is None or len(shape) != 4 or len(image) != 2:
        raise UnsupportedError(f"{_OP} stays: height and width of its images are not known")
    if np.dtype(model.dtype(node.inputs[0], scope)) != np.float32:
        raise UnsupportedError(f"{_OP} stays: its images are not float32")
    size, scale, translation = (_pair(node, index) for index in range(1, 4))
    kernel = node.attrs.get("kernel_type", "lanczos3")
    return scale_and_translate(
        image,
        [int(length) for length in size],
        scale,
        translation,
        kernel.decode() if isinstance(kernel, bytes) else str(kernel),
        bool(node.attrs.get("antialias", 1)),
    )


def _pair(node: Node, index: int) -> list[Any]:
    tensor, name = node.inputs[index], _INPUTS[index]
    if not isinstance(tensor, Constant):
        raise UnsupportedError(f"{_OP} stays: its {name} is computed when the model runs")
    values = np.ravel(tensor.values).tolist()
    if len(values) != 2:
        raise UnsupportedError(f"{_OP} stays: its {name} has {len(values)} values instead of 2")
    return values


def _replace(
    node: Node, scope: Scope, maps: tuple[AxisMap, AxisMap], names: Names, edits: NodeEdits, log: Log
) -> None:
    image, result = node.inputs[0], node.outputs[0]
    height, width = (kernel_matrix(axis, "tensorflow") for axis in maps)
    first = names.constant(f"{result.name}_rows", height, np.float32)
    second = names.constant(f"{result.name}_columns", width.T, np.float32)
    between = [
        Variable(names.fresh(f"{result.name}_{part}"), np.float32) for part in ("nchw", "tall", "wide")
    ]
    steps = [
        ("Transpose", [image], between[0], {"perm": [0, 3, 1, 2]}),
        ("MatMul", [first, between[0]], between[1], {}),
        ("MatMul", [between[1], second], between[2], {}),
        ("Transpose", [between[2]], result, {"perm": [0, 2, 3, 1]}),
    ]
    log.change(
        scope.path,
        node.name,
        "op_type",
        _OP,
        "Transpose, MatMul, MatMul, Transpose",
        "ONNX has no such operator; these are its weights as TensorFlow computes them",
        "correction",
        max_shift_px=0.0,
        max_weight_difference=0.0,
    )
    labels = [*(names.fresh(f"{node.name}/step") for _ in steps[1:]), node.name]
    edits.remove(scope.graph, node)
    new = [
        Node(op, label, attrs=attributes, inputs=inputs, outputs=[output])
        for (op, inputs, output, attributes), label in zip(steps, labels, strict=True)
    ]
    edits.after(scope.graph, node, new)

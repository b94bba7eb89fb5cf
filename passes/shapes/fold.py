"""Compute what feeds sizes, scales and roi before the model runs, where it can be known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx_graphsurgeon import Constant, Graph, Node, Tensor

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names
from passes.insertions import NodeEdits
from passes.resize.proof import by_definition
from passes.shapes.current import CurrentShapes
from passes.shapes.evaluation import ShapeValues, is_folded_through
from passes.shapes.operators import OPERATORS
from rewriter.model import display_name, entries, in_default_domain

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode, Scope

__all__ = ["FoldSizeConstants", "fold_known", "is_plain", "lengths_agree", "remove_idle"]

_SMALL_ARRAYS = {*OPERATORS, "Shape", "Size", "Constant"}
_CONTROLS = ("roi", "scales", "sizes")


@dataclass(frozen=True)
class FoldSizeConstants(Pass):
    """Replace computed sizes, scales and roi by their values, as far as these follow from constants and shapes.

    Where an entry depends on a length that is not known, such as the batch, the parts that are known are replaced.
    Only tensors of up to 1,024 elements are computed, and only behind the inputs of a resize: weights are never
    touched. Nodes that nothing needs any more are removed.
    """

    name: ClassVar[str] = "fold-size-constants"
    summary: ClassVar[str] = "sizes, scales and roi that follow from constants and shapes become constants"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        shapes: CurrentShapes | None = None
        while _computed_controls(model):
            # What is written makes more known: shapes are inferred anew until nothing more follows.
            if shapes is None:
                shapes = CurrentShapes(model)
                if any(shapes.is_stale(resize) for resize in model.resizes()):
                    shapes.refresh()
            else:
                shapes.refresh()
            log.notes.clear()
            if not fold_known(model, shapes, log):
                break
        return log.result()


def fold_known(model: Model, shapes: CurrentShapes, log: Log) -> bool:
    """Fold all that follows from constants and `shapes`; whether that was anything."""
    computed = _computed_controls(model)
    if not computed:
        return False
    folding = _Folding(model, log, shapes)
    for resize, control, tensor in computed:
        folding.fold(resize, control, tensor)
    remove_idle(model, folding.idle, log)
    return bool(folding.idle)


def _computed_controls(model: Model) -> list[tuple[ResizeNode, str, Tensor]]:
    """The sizes, scales and roi that nodes compute."""
    return [
        (resize, control, tensor)
        for resize in model.resizes()
        for control in _CONTROLS
        if (tensor := resize.input(control)) is not None and not is_plain(tensor)
    ]


def is_plain(tensor: Tensor) -> bool:
    """Whether nothing computes the tensor: a constant, or an input."""
    return isinstance(tensor, Constant) or not tensor.inputs or tensor.inputs[0].op == "Constant"


_DISPUTED = (
    "as constants, shape inference would multiply them in float64 and onnxruntime in float32, which gives different "
    "lengths here; explicit-sizes replaces them where it can"
)


def lengths_agree(resize: ResizeNode, scales: np.ndarray) -> bool:
    """Whether shape inference, were the scales constant, would find the lengths that onnxruntime computes.

    Where it does not, onnx's checker rejects what the file declares, and onnxruntime does not run the resize at the
    end of a branch, whose output it allocates with the inferred shape.
    """
    lengths = resize.input_shape
    if lengths is None:
        return True
    axes = [axis % len(lengths) for axis in resize.node.attrs.get("axes") or range(len(lengths))]
    if len(axes) != scales.size:
        return True
    pairs = [(lengths[axis], scale) for axis, scale in zip(axes, np.ravel(scales), strict=True)]
    return all(
        int(np.float32(n) * np.float32(scale)) == int(n * float(scale))
        for n, scale in pairs
        if isinstance(n, int)
    )


@dataclass
class _Folding:
    """One run: what was computed, the constants made for it, and the nodes that may have lost their use."""

    model: Model
    log: Log
    shapes: CurrentShapes
    constants: dict[int, tuple[Tensor, Constant]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    idle: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = Names(self.model)
        self.values = ShapeValues(self.shapes)

    def fold(self, resize: ResizeNode, control: str, tensor: Tensor) -> None:
        """Fold one input of a resize, or the known parts behind it."""
        scope = resize.scope
        stack: list[tuple[Node, str, Tensor]] = [(resize.node, control, tensor)]
        while stack:
            reader, what, source = stack.pop()
            value = self.values.of(source, scope)
            array = None if value is None else value.array
            if array is not None:
                if reader is not resize.node or control != "scales" or lengths_agree(resize, array):
                    self._replace(reader, what, source, array, scope)
                else:
                    self.log.note(scope.path, resize.name, "keeps its computed scales: " + _DISPUTED)
                continue
            node = source.inputs[0]
            if id(node) in self.seen or not is_folded_through(node) or self._is_image(source, scope):
                continue
            self.seen.add(id(node))
            stack.extend(
                (node, f"input {position}", entry)
                for position, entry in enumerate(node.inputs)
                if entry.name and not is_plain(entry)
            )

    def _is_image(self, tensor: Tensor, scope: Scope) -> bool:
        """Whether the tensor has the shape of data rather than of a list of lengths."""
        shape = self.model.shape(tensor, scope)
        return shape is not None and len(shape) > 1

    def _replace(self, reader: Node, what: str, source: Tensor, value: np.ndarray, scope: Scope) -> None:
        known = self.constants.get(id(source))
        if known is None:
            constant = self.names.constant(f"{source.name}_value", value, value.dtype)
            known = self.constants[id(source)] = (source, constant)
        reader.inputs = [known[1] if tensor is source else tensor for tensor in reader.inputs]
        node = source.inputs[0]
        self.idle.append(node)
        self.log.change(
            scope.path,
            display_name(reader),
            what,
            f"{node.op} '{display_name(node)}'",
            value.tolist(),
            "it follows from constants and shapes of the model",
            "respelling",
            certificate=by_definition(
                "folded",
                f"the operators behind '{source.name}', computed in {value.dtype} as they are defined",
                tensor=source.name,
                dtype=str(value.dtype),
                value=value.tolist(),
            ),
        )


def remove_idle(model: Model, nodes: Sequence[Node], log: Log) -> None:
    """Remove those of `nodes`, and of the nodes behind them, whose outputs nothing reads any more."""
    if not nodes:
        return
    outputs: set[int] = set()
    home: dict[int, tuple[Graph, str]] = {}
    for scope in model.scopes():
        outputs.update(id(tensor) for tensor in scope.graph.outputs)
    edits = NodeEdits()
    candidates = list(nodes)
    while candidates:
        node = candidates.pop()
        if not node.outputs or any(tensor.outputs or id(tensor) in outputs for tensor in node.outputs):
            continue
        if node.op not in _SMALL_ARRAYS or not in_default_domain(node):
            continue  # computes more than small arrays; not ours to remove
        if id(node) not in home:
            home.update(_homes(model))
        graph, path = home[id(node)]
        candidates.extend(source for tensor in node.inputs for source in tensor.inputs)
        name, op, given = display_name(node), node.op, [tensor.name for tensor in node.outputs]
        edits.remove(graph, node)
        log.change(
            path, name, "node", op, "removed", "nothing needs it any more", "cleanup",
            certificate=by_definition("unread", "nothing reads its outputs", tensors=given),
        )  # fmt: skip
    edits.apply()


def _homes(model: Model) -> Iterator[tuple[int, tuple[Graph, str]]]:
    """The graph, and its path, of every node that somebody looked at."""
    for scope in model.scopes():
        for entry in entries(scope.graph):
            if not isinstance(entry, int):
                yield id(entry), (scope.graph, scope.path)

"""Upsample and Resize-10 become Resize, in an opset that has its present form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx_graphsurgeon import Constant, Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names, drop_attributes, set_inputs
from passes.opset.raising import blocker, raise_opset
from passes.resize.parameters import resolved_resizes
from passes.resize.proof import by_definition
from passes.shapes.current import CurrentShapes
from passes.shapes.evaluation import ShapeValues
from passes.shapes.fold import lengths_agree
from rewriter.errors import UnsupportedError
from rewriter.model.nodelist import position

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["UpgradeResize"]

_MODERN, _OLDEST_WITH_COORDINATES = 13, 11


@dataclass(frozen=True)
class UpgradeResize(Pass):
    """Rewrite Upsample-7/9 and Resize-10 as the Resize that computes the same, and raise the opset to 13.

    Both sample `asymmetric`; nearest takes the floor when enlarging and the ceiling when shrinking (the text of the
    operators does not say so; onnxruntime, and onnx's own tests of that time, do). A nearest Resize-10 that
    enlarges some axes and shrinks others by a fractional factor becomes two Resizes. Where another operator of the
    model cannot follow to opset 13, the model goes to 11; where that cannot be either, the pass refuses.
    """

    name: ClassVar[str] = "upgrade-resize"
    summary: ClassVar[str] = "Upsample and Resize-10 become Resize (asymmetric); opset 13"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        resizes = resolved_resizes(model, log)
        legacy = [resize for resize in resizes if resize.is_legacy]
        outdated = [resize for resize in resizes if resize.opset < _MODERN]
        if not legacy and not outdated:
            return log.result()
        values = ShapeValues(CurrentShapes(model))
        plans = [_plan(resize, values) for resize in legacy]
        target = _target(model, legacy, outdated, log)
        names = Names(model)
        if target is not None:
            raise_opset(model, target, names, log)
        for plan in plans:
            _convert(plan, names, log)
        return log.result()


def _target(model: Model, legacy: list[ResizeNode], outdated: list[ResizeNode], log: Log) -> int | None:
    """The opset to go to; None where the model stays.

    Raises:
        UnsupportedError: old resizes that no reachable opset can hold.
    """
    if not outdated:
        return None
    obstacle = blocker(model, _MODERN)
    if obstacle is None:
        return _MODERN
    lowest = min(resize.opset for resize in outdated)
    if lowest >= _OLDEST_WITH_COORDINATES:
        log.note(obstacle.graph, obstacle.node, f"the model stays at opset {lowest}: {obstacle}")
        return None
    nearer = blocker(model, _OLDEST_WITH_COORDINATES)
    if nearer is None:
        log.note(obstacle.graph, obstacle.node, f"the model goes to opset 11 only: {obstacle}")
        return _OLDEST_WITH_COORDINATES
    raise UnsupportedError(
        f"{legacy[0].op} of opset {legacy[0].opset} cannot be upgraded: {nearer.op} '{nearer.node}' "
        f"cannot follow to opset 11 ({nearer.reason})",
        node=legacy[0].name,
        remedy="export the model again at opset 11 or later, or use --skip upgrade-resize",
    )


@dataclass(frozen=True)
class _Plan:
    """How a legacy node is written, decided before anything is edited.

    Attributes:
        resize: the node.
        definition: operator and version, e.g. ``Upsample-9``.
        scales: its scales input; None where they are an attribute.
        nearest_mode: the rounding.
        split: where one rounding does not do: scales of the axes that grow (floor), and of those that shrink (ceil).
    """

    resize: ResizeNode
    definition: str
    scales: Tensor | None
    nearest_mode: str
    split: tuple[list[float], list[float]] | None = None


def _plan(resize: ResizeNode, values: ShapeValues) -> _Plan:
    """Decide how to write a node.

    Raises:
        UnsupportedError: no scales, or the scales of a nearest resize are computed, so its rounding is not known.
    """
    if resize.is_parametric:
        raise UnsupportedError(
            f"{resize.op} takes its attributes from the function around it",
            node=resize.name,
            remedy="use --skip upgrade-resize",
        )
    tensor = resize.input("scales")
    if tensor is None and not isinstance(resize.node.attrs.get("scales"), list):
        raise UnsupportedError(f"{resize.op} without scales", node=resize.name)
    since = resize.opset if resize.opset < 9 or resize.op == "Resize" else 9
    scales = resize.scales
    if scales is None and tensor is not None:
        known = values.of(tensor, resize.scope)
        computed = None if known is None else known.array
        scales = None if computed is None else np.ravel(computed).tolist()
    nearest_mode, split = _rounding(resize, scales)
    if split is not None:
        _refuse_idle_growth(resize, split[0])
        if resize.scales is None and not lengths_agree(resize, np.array(scales, np.float32)):
            raise UnsupportedError(
                "its computed scales would have to become two constants, which runtimes multiply in another way",
                node=resize.name,
                remedy="use --skip upgrade-resize",
            )
    return _Plan(resize, f"{resize.op}-{since}", tensor, nearest_mode, split)


def _refuse_idle_growth(resize: ResizeNode, growing: list[float]) -> None:
    """Refuse to split off a resize that onnxruntime would take for a copy because it lengthens no axis."""
    lengths = resize.input_shape
    if lengths is None or len(lengths) != len(growing):
        return
    pairs = [(n, scale) for n, scale in zip(lengths, growing, strict=True) if scale != 1]
    if all(isinstance(n, int) and int(np.float32(n) * np.float32(scale)) == n for n, scale in pairs):
        scales = ", ".join(f"{scale:g}" for _, scale in pairs)
        raise UnsupportedError(
            f"it shrinks one axis and scales another by {scales} without lengthening it, which one Resize cannot "
            "say, and of two onnxruntime takes one for a copy",
            node=resize.name,
            remedy="use --skip upgrade-resize",
        )


def _rounding(
    resize: ResizeNode, scales: list[float] | None
) -> tuple[str, tuple[list[float], list[float]] | None]:
    if resize.mode != "nearest":
        return "floor", None
    if scales is None:
        return _rounding_from_shapes(resize), None
    shrinking = [scale for scale in scales if scale < 1]
    # Where 1 / scale is whole, i / scale is too: floor and ceiling are the same.
    if all(scale > 0 and (1 / float(scale)).is_integer() for scale in shrinking):
        return "floor", None
    if all(scale <= 1 for scale in scales):
        return "ceil", None
    return "floor", ([max(scale, 1.0) for scale in scales], [min(scale, 1.0) for scale in scales])


def _rounding_from_shapes(resize: ResizeNode) -> str:
    if resize.op == "Upsample":
        return "floor"  # scales below 1 are not allowed
    before, after = resize.input_shape, resize.output_shape
    if before is not None and after is not None and len(before) == len(after):
        pairs = [(n, m) for n, m in zip(before, after, strict=True) if n != m]
        if all(isinstance(n, int) and isinstance(m, int) and m > n for n, m in pairs):
            return "floor"
        if all(isinstance(n, int) and isinstance(m, int) and m < n for n, m in pairs):
            return "ceil"
    raise UnsupportedError(
        "the scales of a nearest Resize-10 are computed in the graph, so whether it rounds up or down is not known",
        node=resize.name,
        remedy="use --skip upgrade-resize",
    )


def _convert(plan: _Plan, names: Names, log: Log) -> None:
    resize, node = plan.resize, plan.resize.node
    old_op, path = node.op, plan.resize.graph_path
    scales = plan.scales
    if scales is None:
        scales = names.constant(f"{node.outputs[0].name}_scales", node.attrs["scales"], np.float32)
    if plan.split is not None:
        scales = _split_off_shrinking(resize, plan.split, names, log)
    node.op = "Resize"
    drop_attributes(node, "scales")
    _set_words(node, resize.mode, plan.nearest_mode)
    _set_resize_inputs(node, resize.opset, scales, names)
    proof = by_definition(
        "legacy operator",
        f"{plan.definition} samples asymmetric, and nearest takes the {plan.nearest_mode}",
        operator=plan.definition,
        scales=plan.split[0] if plan.split is not None else resize.scales,
        words={"mode": resize.mode, "coordinates": "asymmetric", "rounding": plan.nearest_mode},
    )
    why = f"what {plan.definition} does, in the words of Resize"
    for name, old, new in (
        ("op_type", old_op, "Resize"),
        ("coordinate_transformation_mode", None, "asymmetric"),
        ("nearest_mode", None, plan.nearest_mode),
    ):
        if old != new:
            log.change(path, resize.name, name, old, new, why, "respelling", certificate=proof)


def _set_words(node: Node, mode: str, nearest_mode: str) -> None:
    node.attrs["mode"] = mode
    node.attrs["coordinate_transformation_mode"] = "asymmetric"
    node.attrs["nearest_mode"] = nearest_mode


def _set_resize_inputs(node: Node, opset: int, scales: Tensor, names: Names) -> None:
    # Until opset 12 roi is not optional; an empty tensor means that there is none.
    roi = names.constant(f"{node.outputs[0].name}_roi", [], np.float32) if opset < _MODERN else None
    set_inputs(node, [node.inputs[0], roi, scales])


def _split_off_shrinking(
    resize: ResizeNode, split: tuple[list[float], list[float]], names: Names, log: Log
) -> Constant:
    """Insert a Resize behind the node that shrinks with the ceiling; the node itself only enlarges then."""
    growing, shrinking = split
    node, graph = resize.node, resize.scope.graph
    result = node.outputs[0]
    between = Variable(names.fresh(f"{result.name}_enlarged"), result.dtype, _enlarged_shape(resize, growing))
    node.outputs = [between]
    second = Node("Resize", names.fresh(f"{resize.name}_shrink"), inputs=[between], outputs=[result])
    _set_words(second, "nearest", "ceil")
    scales = names.constant(f"{result.name}_shrinking_scales", shrinking, np.float32)
    _set_resize_inputs(second, resize.scope.opset, scales, names)
    place = position(graph, node)
    graph.nodes.insert(place + 1, second)
    log.change(
        resize.graph_path,
        second.name,
        "node",
        None,
        "Resize nearest asymmetric ceil",
        f"'{resize.name}' enlarges some axes (floor) and shrinks others (ceiling): one Resize has one nearest_mode",
        "respelling",
        certificate=by_definition(
            "separable",
            "a nearest resize of several axes is the product of resizes of single axes",
            first=growing,
            second=shrinking,
        ),
    )
    return names.constant(f"{result.name}_enlarging_scales", growing, np.float32)


def _enlarged_shape(resize: ResizeNode, scales: list[float]) -> list[int | str | None] | None:
    before, after = resize.input_shape, resize.declared_output_shape
    if before is None:
        return None
    lengths: list[int | str | None] = []
    for axis, (length, scale) in enumerate(zip(before, scales, strict=True)):
        declared = after[axis] if after is not None and scale > 1 else None
        computed = int(np.float32(length) * np.float32(scale)) if isinstance(length, int) else None
        lengths.append(length if scale == 1 else declared if isinstance(declared, int) else computed)
    return lengths

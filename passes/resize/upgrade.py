"""Upsample and Resize-10 become Resize, in an opset that has its present form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from onnx_graphsurgeon import Constant, Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names, drop_attributes, set_inputs
from passes.opset.raising import blocker, raise_opset
from passes.resize.proof import by_definition
from rewriter.errors import UnsupportedError

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
        resizes = model.resizes()
        legacy = [resize for resize in resizes if resize.is_legacy]
        outdated = [resize for resize in resizes if resize.opset < _MODERN]
        if not legacy and not outdated:
            return log.result()
        plans = [(resize, _plan(resize)) for resize in legacy]
        target = _target(model, legacy, outdated, log)
        names = Names(model)
        if target is not None:
            raise_opset(model, target, names, log)
        for resize, rounding in plans:
            _convert(resize, rounding, names, log)
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
class _Rounding:
    """How a legacy node is written: one nearest_mode, or floor for the axes that grow and ceil for the rest."""

    nearest_mode: str
    split: tuple[list[float], list[float]] | None = None


def _plan(resize: ResizeNode) -> _Rounding:
    """Decide on the rounding before anything is edited.

    Raises:
        UnsupportedError: the scales of a nearest resize are computed, so its rounding is not known.
    """
    if resize.is_parametric:
        raise UnsupportedError(
            f"{resize.op} takes its attributes from the function around it",
            node=resize.name,
            remedy="use --skip upgrade-resize",
        )
    if resize.mode != "nearest":
        return _Rounding("floor")
    scales = resize.scales
    if scales is None:
        return _Rounding(_rounding_from_shapes(resize))
    growing = [scale for scale in scales if scale > 1]
    shrinking = [scale for scale in scales if scale < 1]
    # i / scale is a whole number there: floor and ceiling are the same.
    if all((1 / np.float64(scale)).is_integer() for scale in shrinking):
        return _Rounding("floor")
    if not growing:
        return _Rounding("ceil")
    return _Rounding("floor", ([max(s, 1.0) for s in scales], [min(s, 1.0) for s in scales]))


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


def _convert(resize: ResizeNode, rounding: _Rounding, names: Names, log: Log) -> None:
    node = resize.node
    old_op, old_opset = node.op, resize.opset
    scales = _scales_input(resize, names)
    if rounding.split is not None:
        scales = _split_off_shrinking(resize, rounding.split, names, log)
    node.op = "Resize"
    drop_attributes(node, "scales", "width_scale", "height_scale")
    _set_words(node, resize.mode, rounding.nearest_mode)
    _set_resize_inputs(node, resize.scope.opset, scales, names)
    certificate = by_definition(f"{old_op}-{old_opset} samples asymmetric, nearest {rounding.nearest_mode}")
    why = f"{old_op} samples asymmetric; written as Resize it says so"
    for attribute, old, new in (
        ("op_type", old_op, "Resize"),
        ("coordinate_transformation_mode", None, "asymmetric"),
        ("nearest_mode", None, rounding.nearest_mode),
    ):
        if old != new:
            log.change(
                resize.graph_path,
                resize.name,
                attribute,
                old,
                new,
                why,
                "respelling",
                certificate=certificate,
            )


def _set_words(node: Node, mode: str, nearest_mode: str) -> None:
    node.attrs["mode"] = mode
    node.attrs["coordinate_transformation_mode"] = "asymmetric"
    node.attrs["nearest_mode"] = nearest_mode


def _scales_input(resize: ResizeNode, names: Names) -> Tensor:
    if "scales" in resize.node.attrs:
        return names.constant(
            f"{resize.node.outputs[0].name}_scales", resize.node.attrs["scales"], np.float32
        )
    tensor = resize.input("scales")
    if tensor is None:
        raise UnsupportedError(f"{resize.op} without scales", node=resize.name)
    return tensor


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
    between = Variable(names.fresh(f"{result.name}_enlarged"), dtype=result.dtype)
    node.outputs = [between]
    second = Node("Resize", names.fresh(f"{resize.name}_shrink"), inputs=[between], outputs=[result])
    _set_words(second, "nearest", "ceil")
    scales = names.constant(f"{result.name}_shrinking_scales", shrinking, np.float32)
    _set_resize_inputs(second, resize.scope.opset, scales, names)
    position = next(i for i, other in enumerate(graph.nodes) if other is node)
    graph.nodes.insert(position + 1, second)
    log.change(
        resize.graph_path,
        second.name,
        "node",
        None,
        "Resize nearest asymmetric ceil",
        f"'{resize.name}' enlarges some axes (floor) and shrinks others (ceiling): one Resize has one nearest_mode",
        "respelling",
        certificate=by_definition(
            "a nearest resize of several axes is the product of resizes of single axes"
        ),
    )
    return names.constant(f"{result.name}_enlarging_scales", growing, np.float32)

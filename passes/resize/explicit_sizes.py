"""Write `sizes` instead of `scales`: a length times a float32 scale is not always the length that was meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Constant, Node, Tensor

from passes.base import Effect, Log, Pass, PassContext, PassResult
from passes.editing import Names, set_inputs
from passes.resize.parameters import resolved_resizes
from passes.resize.proof import by_definition, same
from passes.resize.size_graphs import Length, SizeGraphs, Times, is_whole
from passes.shapes.current import CurrentShapes
from passes.shapes.evaluation import ShapeValues
from passes.shapes.fold import fold_known, remove_idle
from rewriter.errors import UnsupportedError

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode
    from rewriter.resampling import OnnxResize

__all__ = ["ExplicitSizes"]

_AXES_SINCE, _OPTIONAL_SCALES_SINCE = 18, 13
_UNKNOWN = "the length of an axis is not known"


@dataclass(frozen=True)
class ExplicitSizes(Pass):
    """Replace constant `scales` by `sizes` where nothing else changes.

    A known length is the one that the file declares for the output, else the one that onnxruntime computes. Where
    the input's length is open, its product with the scale is computed in the graph. Axes that are only copied are
    left out through `axes` from opset 18 on.

    Given `sizes`, runtimes sample with output length / input length; given `scales`, with the scale itself. The two
    are the same where the scale is that quotient, which at an open length is only certain for whole scales, and in
    `align_corners`, which samples by the lengths alone (without antialias, whose kernel is as wide as the scale
    says; and for scales above 1, because onnxruntime refuses a size of 0). Every other node keeps its scales, and a
    note says why.
    """

    name: ClassVar[str] = "explicit-sizes"
    summary: ClassVar[str] = "sizes instead of scales, with the declared lengths"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        if not any(resize.given_by("scales") for resize in resolved_resizes(model, log)):
            return log.result()
        shapes = CurrentShapes(model, pending=True)
        idle: list[Node] = []
        is_first = True
        while True:
            notes = len(log.notes)
            graphs = SizeGraphs(Names(model))
            written = _write_all(model, shapes, graphs, idle, log)
            graphs.edits.apply()
            if len(log.notes) == notes:
                break  # no scales are left
            # Sizes that are known now may tell the lengths that the others wait for.
            written |= fold_known(model, shapes, log)
            if not (written or is_first) or not _is_outdated(shapes, model):
                break
            is_first = False
            del log.notes[notes:]
            shapes.refresh()
        remove_idle(model, idle, log)
        return log.result()


def _is_outdated(shapes: CurrentShapes, model: Model) -> bool:
    return shapes.has_doubts or any(shapes.is_stale(resize) for resize in model.resizes())


def _write_all(model: Model, shapes: CurrentShapes, graphs: SizeGraphs, idle: list[Node], log: Log) -> bool:
    """Rewrite what can be; whether anything was. `idle` takes the nodes whose use has gone."""
    values = ShapeValues(shapes)
    written = False
    for resize in model.resizes():
        if not resize.is_legacy and not resize.is_parametric and resize.given_by("scales"):
            resize = replace(resize, input_shape=shapes.of_input(resize))
            written |= _write(model, resize, values, graphs, idle, log)
        shapes.settle(model.resize(resize.node, resize.scope))
    return written


def _write(
    model: Model, resize: ResizeNode, values: ShapeValues, graphs: SizeGraphs, idle: list[Node], log: Log
) -> bool:
    computed, shape = resize.input("scales"), resize.input_shape
    if resize.scales is None and computed is not None:
        known = values.of(computed, resize.scope)
        if known is not None and known.array is not None:
            constant = Constant(computed.name, known.array)
            resize = replace(_with_scales(model, resize, constant), input_shape=shape)
    try:
        plan: _Plan | str = _plan(resize)
    except UnsupportedError as error:
        plan = str(error)
    is_replaced = computed is not None and resize.input("scales") is not computed
    if isinstance(plan, str):
        log.note(resize.graph_path, resize.name, f"keeps its scales: {plan}")
        if is_replaced and computed is not None:
            _with_scales(model, resize, computed)
        return False
    if is_replaced and computed is not None:
        idle.append(computed.inputs[0])
    _apply(resize, plan, graphs, log)
    return True


def _with_scales(model: Model, resize: ResizeNode, scales: Tensor) -> ResizeNode:
    """Let the node read other scales, and look at it again."""
    inputs = list(resize.node.inputs)
    inputs[2] = scales
    resize.node.inputs = inputs
    return model.resize(resize.node, resize.scope)


@dataclass(frozen=True)
class _Plan:
    """Output length by axis, the scales that gave it, and the proof; no certificate where a length is repaired."""

    lengths: dict[int, Length]
    scales: list[float]
    certificate: dict[str, Any] | None
    why: str


def _plan(resize: ResizeNode) -> _Plan | str:
    """What to write, or why the node keeps its scales."""
    spelling = resize.spelling()
    if resize.scales is None or spelling is None:
        return "they are computed in the graph"
    lengths: dict[int, Length] = {}
    repaired = []
    for axis, scale in zip(_axes(resize, spelling), resize.scales, strict=True):
        before = _input_length(resize, axis)
        if before is None:
            if scale < 1 and resize.coordinate_transformation_mode == "align_corners":
                return f"{_UNKNOWN}, and {scale:g} may shrink it to nothing, which onnxruntime only takes from scales"
            lengths[axis] = Times(float(np.float32(scale)))
            continue
        computed = Times(scale).of(before)
        after = _declared(resize, axis)
        after = computed if after is None else after
        if abs(after - before * scale) >= 1:
            return f"the file declares {after} for a length of {before} × {scale:g}"
        if after < 1:
            return f"it shrinks a length of {before} to {after}"
        if after != computed:
            repaired.append(f"{before} × {scale!r} is {computed} in float32, the file declares {after}")
        lengths[axis] = after
    if all(scale == 1 for scale in resize.scales) and any(isinstance(m, Times) for m in lengths.values()):
        return "all are 1, so it copies its input (drop-identity-resize removes it)"
    proof = _proof(resize, spelling, lengths)
    if isinstance(proof, str):
        return proof
    why = "; ".join(repaired) or "a length times a float32 scale is not always the length that was meant"
    return _Plan(lengths, resize.scales, None if repaired else proof, why)


def _axes(resize: ResizeNode, spelling: OnnxResize) -> tuple[int, ...]:
    """The axes that the scales speak of; negative ones stay so where the rank is not known."""
    assert resize.scales is not None
    if resize.input_shape is not None:
        return spelling.named_axes(len(resize.input_shape))
    axes = spelling.axes
    if axes is None:
        return tuple(range(len(resize.scales)))
    if len(axes) != len(resize.scales):
        raise UnsupportedError(f"it has {len(resize.scales)} scales for {len(axes)} axes")
    return axes


def _input_length(resize: ResizeNode, axis: int) -> int | None:
    length = None if resize.input_shape is None else resize.input_shape[axis]
    return length if isinstance(length, int) else None


def _declared(resize: ResizeNode, axis: int) -> int | None:
    declared = resize.declared_output_shape
    length = declared[axis] if declared is not None and axis < len(declared) else None
    return length if isinstance(length, int) else None


def _proof(resize: ResizeNode, spelling: OnnxResize, lengths: dict[int, Length]) -> dict[str, Any] | str:
    """Certificate that the sizes sample as the scales did, or why they do not."""
    assert resize.scales is not None
    places = list(zip(lengths.items(), resize.scales, strict=True))
    if spelling.coordinate_transformation_mode == "tf_crop_and_resize" and any(
        scale != 1 and after == _input_length(resize, axis) for (axis, after), scale in places
    ):
        return "onnxruntime copies an axis whose size stays, and crops it where its scale is not 1"
    inexact = [
        (axis, scale) for (axis, after), scale in places if not _is_quotient(resize, axis, after, scale)
    ]
    if not inexact:
        return _quotients_certificate(resize, places)
    if spelling.coordinate_transformation_mode == "align_corners" and not spelling.antialias:
        return by_definition(
            "no scale enters",
            "align_corners samples by i (n - 1) / (m - 1): the lengths, and no scale, enter",
            words={"mode": resize.mode, "coordinates": "align_corners", "rounding": resize.nearest_mode},
            scales=[float(scale) for _, scale in places],
        )
    scales = ", ".join(f"{scale:g}" for _, scale in inexact)
    if any(isinstance(lengths[axis], Times) for axis, _ in inexact):
        return f"{_UNKNOWN}, and at some lengths {scales} is not output length / input length"
    kept = f"{scales} take part in the sampling and are not output length / input length"
    if resize.mode == "nearest" or any(isinstance(after, Times) for after in lengths.values()):
        # Equal in exact arithmetic is not enough: float32 decides ties of i / scale in another way than i * n / m.
        return kept
    assert resize.input_shape is not None
    shape = [n if isinstance(n, int) else 1 for n in resize.input_shape]
    after = [m if isinstance(m := lengths.get(axis), int) else n for axis, n in enumerate(shape)]
    axes = spelling.named_axes(len(shape))
    sized = replace(spelling, scales=None, sizes=tuple(after[axis] for axis in axes))
    return same(spelling.semantics(shape, after), sized.semantics(shape, after)) or kept


def _is_quotient(resize: ResizeNode, axis: int, after: Length, scale: float) -> bool:
    """Whether output length / input length, in float32 as runtimes divide, is the scale."""
    if isinstance(after, Times):
        return is_whole(scale)
    return bool(np.float32(after) / np.float32(_input_length(resize, axis)) == np.float32(scale))


def _quotients_certificate(
    resize: ResizeNode, places: list[tuple[tuple[int, Length], float]]
) -> dict[str, Any]:
    quotients = [
        {"axis": axis, "n_in": _input_length(resize, axis), "n_out": after, "scale": scale}
        for (axis, after), scale in places
        if not isinstance(after, Times)
    ]
    whole = [{"axis": axis, "scale": scale} for (axis, after), scale in places if isinstance(after, Times)]
    reason = "each scale is the float32 quotient of the lengths, which runtimes compute from sizes"
    if whole:
        reason = "a whole scale is output length / input length at every length"
    return {
        "equal": True,
        "arithmetic": "float32" if quotients else "by definition",
        "kind": "quotients",
        "reason": reason,
        "quotients": quotients,
        "whole": whole,
    }


def _apply(resize: ResizeNode, plan: _Plan, graphs: SizeGraphs, log: Log) -> None:
    node, base = resize.node, resize.node.outputs[0].name
    proof: dict[str, Any] = {"certificate": plan.certificate} if plan.certificate else {"max_shift_px": 0.0}
    effect: Effect = "respelling" if plan.certificate else "correction"

    def record(name: str, old: Any, new: Any) -> None:
        log.change(resize.graph_path, resize.name, name, old, new, plan.why, effect, **proof)

    roi = resize.input("roi") if resize.coordinate_transformation_mode == "tf_crop_and_resize" else None
    lengths = plan.lengths
    if resize.opset >= _AXES_SINCE and roi is None and any(isinstance(m, Times) for m in lengths.values()):
        lengths = _resized_only(plan)
        record("axes", node.attrs.get("axes"), list(lengths))
        node.attrs["axes"] = list(lengths)
    sizes = graphs.sizes(resize, lengths, [_input_length(resize, axis) for axis in lengths])
    scales = None
    if resize.opset < _OPTIONAL_SCALES_SINCE:
        # roi and scales are not optional yet; empty tensors mean that they are not used.
        scales = graphs.names.constant(f"{base}_unused", [], np.float32)
        roi = resize.input("roi") or scales
    set_inputs(node, [node.inputs[0], roi, scales, sizes])
    record("sizes", None, [length if isinstance(length, int) else str(length) for length in lengths.values()])
    record("scales", plan.scales, None)


def _resized_only(plan: _Plan) -> dict[int, Length]:
    """The axes that are not merely copied; where all that are known are, those."""
    scales = dict(zip(plan.lengths, plan.scales, strict=True))
    resized = {axis: length for axis, length in plan.lengths.items() if scales[axis] != 1}
    return resized or {axis: length for axis, length in plan.lengths.items() if isinstance(length, int)}

"""Write `sizes` instead of `scales`: a length times a float32 scale is not always the length that was meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.base import Effect, Log, Pass, PassContext, PassResult
from passes.editing import Names, set_inputs
from passes.resize.proof import same
from rewriter.errors import UnsupportedError
from rewriter.model.nodelist import position

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode
    from rewriter.resampling import OnnxResize

__all__ = ["ExplicitSizes"]

_AXES_SINCE, _OPTIONAL_SCALES_SINCE = 18, 13


@dataclass(frozen=True)
class ExplicitSizes(Pass):
    """Replace constant `scales` by `sizes` where the lengths are known and nothing else changes.

    The length is the one that the file declares for the output, else the one that onnxruntime computes. Axes of
    unknown length that are only copied (a batch axis) are left out through `axes` from opset 18 on, and taken from
    the input's shape before. A scale that is not output length / input length takes part in the sampling itself, so
    such a node keeps its scales, unless its grid does not depend on them (align_corners).
    """

    name: ClassVar[str] = "explicit-sizes"
    summary: ClassVar[str] = "sizes instead of scales, with the declared lengths"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        names: Names | None = None
        for resize in model.resizes():
            if resize.is_legacy or resize.is_parametric or not resize.given_by("scales"):
                continue
            try:
                plan = _plan(resize)
            except UnsupportedError as error:
                log.note(resize.graph_path, resize.name, str(error))
                continue
            if isinstance(plan, str):
                log.note(resize.graph_path, resize.name, f"keeps its scales: {plan}")
                continue
            names = names or Names(model)
            _apply(resize, plan, names, log)
        return log.result()


@dataclass(frozen=True)
class _Plan:
    """Output length by axis (None: the input's, whatever it is), and the proof."""

    lengths: dict[int, int | None]
    scales: list[float]
    certificate: dict[str, Any] | None
    why: str


def _plan(resize: ResizeNode) -> _Plan | str:
    """What to write, or why the node keeps its scales."""
    spelling = resize.spelling()
    if resize.scales is None or spelling is None:
        return "they are computed in the graph"
    if resize.input_shape is None:
        return "the rank of its input is not known"
    lengths: dict[int, int | None] = {}
    repaired = []
    for place, axis in enumerate(spelling.named_axes(len(resize.input_shape))):
        before, scale = resize.input_shape[axis], resize.scales[place]
        if not isinstance(before, int):
            if scale != 1:
                return "the length of an axis is not known, and scales serve every length"
            lengths[axis] = None
            continue
        computed = int(np.float32(before) * np.float32(scale))
        after = _declared(resize, axis)
        after = computed if after is None else after
        if abs(after - before * scale) >= 1:
            return f"the file declares {after} for a length of {before} × {scale:g}"
        if after < 1:
            return f"it shrinks a length of {before} to {after}"
        if after != computed:
            repaired.append(f"{before} × {scale!r} is {computed} in float32, the file declares {after}")
        lengths[axis] = after
    proof = _proof(resize, spelling, lengths)
    if isinstance(proof, str):
        return proof
    why = "; ".join(repaired) or "a length times a float32 scale is not always the length that was meant"
    return _Plan(lengths, resize.scales, None if repaired else proof, why)


def _declared(resize: ResizeNode, axis: int) -> int | None:
    declared = resize.declared_output_shape
    length = declared[axis] if declared is not None and axis < len(declared) else None
    return length if isinstance(length, int) else None


def _proof(resize: ResizeNode, spelling: OnnxResize, lengths: dict[int, int | None]) -> dict[str, Any] | str:
    """Certificate that the sizes sample as the scales did, or why they do not."""
    assert resize.scales is not None and resize.input_shape is not None
    if all(
        after is None or np.float32(after) / np.float32(resize.input_shape[axis]) == np.float32(scale)
        for (axis, after), scale in zip(lengths.items(), resize.scales, strict=True)
    ):
        return {
            "equal": True,
            "arithmetic": "float32",
            "reason": "each scale is the float32 quotient of the lengths, which runtimes compute from sizes",
        }
    ratios = ", ".join(f"{scale:g}" for scale in resize.scales)
    kept = f"{ratios} take part in the sampling and are not output length / input length"
    if resize.mode == "nearest" and resize.coordinate_transformation_mode != "align_corners":
        # Equal in exact arithmetic is not enough: float32 decides ties of i / scale in another way than i * n / m.
        return kept
    shape = [1 if isinstance(n, str) or n is None else n for n in resize.input_shape]
    after = [lengths.get(axis) or n for axis, n in enumerate(shape)]
    axes = spelling.named_axes(len(shape))
    sized = replace(spelling, scales=None, sizes=tuple(after[axis] for axis in axes))
    return same(spelling.semantics(shape, after), sized.semantics(shape, after)) or kept


def _apply(resize: ResizeNode, plan: _Plan, names: Names, log: Log) -> None:
    node, base = resize.node, resize.node.outputs[0].name
    proof: dict[str, Any] = {"certificate": plan.certificate} if plan.certificate else {"max_shift_px": 0.0}
    effect: Effect = "respelling" if plan.certificate else "correction"
    old_axes, lengths = node.attrs.get("axes"), plan.lengths
    roi = resize.input("roi") if resize.coordinate_transformation_mode == "tf_crop_and_resize" else None
    if None in lengths.values() and resize.opset >= _AXES_SINCE and roi is None:
        lengths = _resized_only(resize, plan)
        node.attrs["axes"] = list(lengths)
        log.change(resize.graph_path, resize.name, "axes", old_axes, list(lengths), plan.why, effect, **proof)
    if None in lengths.values():
        sizes = _sizes_in_graph(resize, lengths, names)
    else:
        sizes = names.constant(f"{base}_sizes", list(lengths.values()), np.int64)
    scales = None
    if resize.opset < _OPTIONAL_SCALES_SINCE:
        # roi and scales are not optional yet; empty tensors mean that they are not used.
        scales = names.constant(f"{base}_unused", [], np.float32)
        roi = resize.input("roi") or scales
    set_inputs(node, [node.inputs[0], roi, scales, sizes])
    new = list(lengths.values())
    log.change(resize.graph_path, resize.name, "sizes", None, new, plan.why, effect, **proof)
    log.change(resize.graph_path, resize.name, "scales", plan.scales, None, plan.why, effect, **proof)


def _resized_only(resize: ResizeNode, plan: _Plan) -> dict[int, int | None]:
    """The axes whose length is known, without those that are merely copied if any other is left."""
    known = {axis: length for axis, length in plan.lengths.items() if length is not None}
    scales = dict(zip(plan.lengths, plan.scales, strict=True))
    return {axis: length for axis, length in known.items() if scales[axis] != 1} or dict(known)


def _sizes_in_graph(resize: ResizeNode, lengths: dict[int, int | None], names: Names) -> Tensor:
    """A sizes tensor whose unknown lengths are read from the input's shape."""
    node, graph = resize.node, resize.scope.graph
    base = node.outputs[0].name
    shape = Variable(names.fresh(f"{base}_input_shape"), dtype=np.int64)
    added = [Node("Shape", names.fresh(f"{resize.name}_Shape"), inputs=[node.inputs[0]], outputs=[shape])]
    parts: list[Tensor] = []
    for axes in _runs(lengths):
        if lengths[axes[0]] is not None:
            parts.append(names.constant(f"{base}_lengths", [lengths[axis] for axis in axes], np.int64))
            continue
        part = Variable(names.fresh(f"{base}_copied_lengths"), dtype=np.int64)
        start = names.constant(f"{base}_start", [axes[0]], np.int64)
        stop = names.constant(f"{base}_stop", [axes[-1] + 1], np.int64)
        added.append(
            Node("Slice", names.fresh(f"{resize.name}_Slice"), inputs=[shape, start, stop], outputs=[part])
        )
        parts.append(part)
    sizes = Variable(names.fresh(f"{base}_sizes"), dtype=np.int64)
    added.append(Node("Concat", names.fresh(f"{resize.name}_Concat"), {"axis": 0}, parts, [sizes]))
    place = position(graph, node)
    graph.nodes[place:place] = added
    return sizes


def _runs(lengths: dict[int, int | None]) -> list[list[int]]:
    """Axes in order, grouped into neighbours whose length is known, or is not."""
    runs: list[list[int]] = []
    for axis, length in lengths.items():
        follows = runs and runs[-1][-1] + 1 == axis and (lengths[runs[-1][-1]] is None) == (length is None)
        if follows:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs

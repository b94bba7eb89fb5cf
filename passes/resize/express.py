"""Any Resize in the words of a runtime that knows linear align_corners only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names
from passes.patterns import Replacements, unused_without, wanted_outputs
from passes.resize.candidates import Spelling, resize_node
from passes.resize.proof import spelled_out
from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisResize

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["ExpressAsAlignCorners"]

_FLOATS = ("float16", "float32", "float64")
_DETOUR = 4
"""The grid between Pad and Slice may be this many times as long as the longer of input and output."""


@dataclass(frozen=True)
class ExpressAsAlignCorners(Pass):
    """Write each Resize with align_corners, Pad, Slice, constant matrices and Gather; exactly, or not at all.

    A linear grid x(i) = x0 + i·b with rational x0 and b lies on the align_corners grid that divides the edge-padded
    input into steps of 1/D, D the common denominator of x0 and b: Pad, align_corners Resize to (N-1)·D + 1, Slice
    from (x0 + padding)·D with step b·D. Where that grid is too long, and for cubic, antialias and irregular grids, a
    constant matrix per axis; for nearest, Gather.
    """

    name: ClassVar[str] = "express-as-align-corners"
    summary: ClassVar[str] = (
        "every Resize through align_corners, Pad and Slice, or constant matrices, or Gather"
    )

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        replacements = Replacements()
        names: Names | None = None
        wanted: set[int] = set()
        for resize in model.resizes():
            if _is_plain(resize):
                continue
            try:
                plan = _plan(model, resize)
            except UnsupportedError as error:
                plan = str(error)
            if isinstance(plan, str):
                log.note(resize.graph_path, resize.name, f"stays: {plan}")
                continue
            names = names or Names(model)
            wanted = wanted or wanted_outputs(model)
            new = _Writer(resize, plan, names).nodes()
            dead = unused_without(resize.node, wanted | {id(resize.node.inputs[0])})
            old, path, name = dict(resize.node.attrs), resize.graph_path, resize.name
            replacements.put(new, resize.node, dead.values())
            why = "written for a runtime that knows align_corners only"
            certificate = _certificate(plan)
            new_ops = [node.op for node in new]
            log.change(path, name, "node", old, new_ops, why, "respelling", certificate=certificate)
        for scope in list(model.scopes()):
            replacements.sweep(scope.graph)
        return log.result()


def _is_plain(resize: ResizeNode) -> bool:
    words = (resize.mode, resize.coordinate_transformation_mode)
    return (
        not resize.is_legacy
        and words == ("linear", "align_corners")
        and not resize.node.attrs.get("antialias")
    )


@dataclass(frozen=True)
class _Detour:
    """Pad by (before, after) edge pixels, align_corners to `length`, then every `step`-th from `start`."""

    before: int
    after: int
    length: int
    start: int
    step: int


@dataclass(frozen=True)
class _AxisPlan:
    axis: int
    target: AxisResize
    detour: _Detour | None


def _plan(model: Model, resize: ResizeNode) -> list[_AxisPlan] | str:
    """How to write each axis that is resized, or why the node must stay."""
    spelling = spelled_out(resize)
    semantics = None if spelling is None else resize.semantics_of(spelling)
    if semantics is None:
        return "its lengths or scales are not known"
    if semantics.extrapolates and semantics.extrapolation_value != 0:
        return "it fills with a value other than 0 outside its input"
    blends = any(semantics.axes[axis].selection is None for axis in semantics.resized_axes)
    dtype = model.dtype(resize.node.inputs[0], resize.scope)
    if blends and (dtype is None or str(np.dtype(dtype)) not in _FLOATS):
        return (
            "its element type is not known" if dtype is None else f"matrices of {np.dtype(dtype)} would round"
        )
    plans = []
    for axis in semantics.resized_axes:
        target = semantics.axes[axis]
        detour = None if target.selection is not None and target.kernel == "nearest" else _detour(target)
        plans.append(_AxisPlan(axis, target, detour))
    detours = {plan.axis: (1, plan.detour.length) for plan in plans if plan.detour is not None}
    shape = resize.input_shape or ()
    is_open = any(not isinstance(n, int) for n in shape)
    if detours and (resize.opset < 11 or (resize.opset < 18 and is_open)):
        # No coordinate mode before 11, no sizes of some axes only before 18; a matrix needs neither.
        plans = [_AxisPlan(plan.axis, plan.target, None) for plan in plans]
    return plans if plans else "it copies its input: use drop-identity-resize"


def _detour(target: AxisResize) -> _Detour | None:
    """The way through align_corners that gives exactly `target`, None where there is none or it is long."""
    if target.kernel != "linear" or any(not row for row in target.rows):
        return None
    n, m = target.n_in, target.n_out
    grid = target.source_coordinates()
    step = grid[1] - grid[0] if m > 1 else Fraction(1)
    if step <= 0 or any(x != grid[0] + i * step for i, x in enumerate(grid)):
        return None
    before, after = max(0, math.ceil(-grid[0])), max(0, math.ceil(grid[-1] - (n - 1)))
    padded = n + before + after
    divisor = math.lcm(grid[0].denominator, step.denominator)
    length = (padded - 1) * divisor + 1
    if padded < 2 or length > _DETOUR * max(n, m):
        return None
    detour = _Detour(before, after, length, int((grid[0] + before) * divisor), int(step * divisor))
    return detour if _rows_of(detour, n, m) == [dict(row) for row in target.rows] else None


def _rows_of(detour: _Detour, n: int, m: int) -> list[dict[int, Fraction]]:
    """The exact matrix of Pad, Resize and Slice."""
    resized = AxisResize(n + detour.before + detour.after, detour.length, "linear", "align_corners")
    rows = []
    for i in range(m):
        total: dict[int, Fraction] = {}
        for j, weight in resized.rows[detour.start + i * detour.step]:
            source = min(max(j - detour.before, 0), n - 1)
            total[source] = total.get(source, Fraction(0)) + weight
        rows.append({j: weight for j, weight in total.items() if weight})
    return rows


class _Writer:
    """Writes the nodes of one plan."""

    def __init__(self, resize: ResizeNode, plan: list[_AxisPlan], names: Names) -> None:
        self.resize, self.plan, self.names = resize, plan, names
        self.rank = len(resize.input_shape or ())
        self.current: Tensor = resize.node.inputs[0]
        self.made: list[Node] = []

    def nodes(self) -> list[Node]:
        detours = {plan.axis: plan for plan in self.plan if plan.detour is not None}
        if detours:
            self._through_align_corners(detours)
        for plan in self.plan:
            if plan.detour is None and plan.target.selection is not None:
                indices = self._integers("indices", list(plan.target.selection))
                self._add("Gather", [self.current, indices], {"axis": plan.axis})
            elif plan.detour is None:
                self._through_matrix(plan)
        return self.made

    def _add(self, op: str, inputs: list[Tensor], attributes: dict[str, Any]) -> None:
        self._link(Node(op, self.names.fresh(f"{self.resize.name}_{op}"), attributes, inputs))

    def _link(self, node: Node) -> None:
        out = Variable(self.names.fresh(f"{node.name}_output"), dtype=self.resize.node.outputs[0].dtype)
        node.outputs = [out]
        self.made.append(node)
        self.current = out

    def _integers(self, what: str, values: list[int]) -> Tensor:
        return self.names.constant(f"{self.resize.name}_{what}", values, np.int64)

    def _through_align_corners(self, plans: dict[int, _AxisPlan]) -> None:
        detours = {axis: plan.detour for axis, plan in plans.items() if plan.detour is not None}
        pads = [0] * (2 * self.rank)
        shape = [n if isinstance(n, int) else None for n in self.resize.input_shape or ()]
        pairs = {}
        for axis, d in detours.items():
            pads[axis], pads[axis + self.rank] = d.before, d.after
            shape[axis] = plans[axis].target.n_in + d.before + d.after
            pairs[axis] = (plans[axis].target.n_in + d.before + d.after, d.length)
        if any(pads):
            self._add("Pad", [self.current, self._integers("pads", pads)], {"mode": "edge"})
        words = Spelling("linear", "align_corners")
        opset, name = self.resize.opset, f"{self.resize.name}_align_corners"
        node = resize_node(self.current, self.rank, pairs, shape, words, opset, name, self.names)
        if isinstance(node, str):
            raise UnsupportedError(node, node=self.resize.name)
        self._link(node)
        crop = [
            axis
            for axis, d in detours.items()
            if (d.start, d.step, plans[axis].target.n_out) != (0, 1, d.length)
        ]
        if crop:
            starts = [detours[axis].start for axis in crop]
            steps = [detours[axis].step for axis in crop]
            stops = [
                s + (plans[a].target.n_out - 1) * t + 1 for s, t, a in zip(starts, steps, crop, strict=True)
            ]
            parts = zip(("starts", "ends", "axes", "steps"), (starts, stops, crop, steps), strict=True)
            self._add("Slice", [self.current, *(self._integers(what, values) for what, values in parts)], {})

    def _through_matrix(self, plan: _AxisPlan) -> None:
        dtype = self.resize.node.inputs[0].dtype or self.resize.node.outputs[0].dtype or np.float32
        matrix = plan.target.matrix()
        perm = [axis for axis in range(self.rank) if axis != plan.axis] + [plan.axis]
        inverse = [perm.index(axis) for axis in range(self.rank)]
        if plan.axis == self.rank - 2:
            weights = self.names.constant(f"{self.resize.name}_matrix", matrix, dtype)
            self._add("MatMul", [weights, self.current], {})
            return
        weights = self.names.constant(f"{self.resize.name}_matrix", matrix.T, dtype)
        if plan.axis != self.rank - 1:
            self._add("Transpose", [self.current], {"perm": perm})
        self._add("MatMul", [self.current, weights], {})
        if plan.axis != self.rank - 1:
            self._add("Transpose", [self.current], {"perm": inverse})


def _certificate(plans: list[_AxisPlan]) -> dict[str, Any]:
    return {
        "equal": True,
        "arithmetic": "exact rational; matrices rounded once",
        "kind": "composition",
        "axes": [_axis_certificate(plan) for plan in plans],
    }


def _axis_certificate(plan: _AxisPlan) -> dict[str, Any]:
    target = plan.target
    steps: list[dict[str, Any]]
    if plan.detour is not None:
        d = plan.detour
        padded = target.n_in + d.before + d.after
        steps = [
            {"op": "Pad", "mode": "edge", "before": d.before, "after": d.after},
            {
                "op": "Resize",
                "mode": "linear",
                "coordinates": "align_corners",
                "n_in": padded,
                "n_out": d.length,
            },
            {"op": "Slice", "start": d.start, "step": d.step, "count": target.n_out},
        ]
    elif target.selection is not None:
        steps = [{"op": "Gather", "indices": list(target.selection)}]
    else:
        steps = [{"op": "MatMul", "matrix": target.matrix().tolist()}]
    return {
        "axis": plan.axis,
        "n_in": target.n_in,
        "n_out": target.n_out,
        "semantics": target.to_json(),
        "steps": steps,
    }

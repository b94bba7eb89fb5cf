"""Random ONNX resizes, and running many of them at once in onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from rewriter.resampling import OnnxResize
from rewriter.resampling.readings import formula_scales

MODES = ("nearest", "linear", "cubic")
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


@dataclass(frozen=True)
class Case:
    """One node and the shape of its input."""

    op: str
    opset: int
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    scales: tuple[float, ...] | None = None
    sizes: tuple[int, ...] | None = None
    roi: tuple[float, ...] | None = None

    def node(self) -> OnnxResize:
        """Spelled out."""
        return OnnxResize.from_attributes(
            self.op, self.opset, self.attributes, scales=self.scales, sizes=self.sizes, roi=self.roi
        )


def random_case(rng: np.random.Generator) -> Case:
    """A node of any version and mode; lengths are small, so that ties and borders are common."""
    while True:
        case = _any_case(rng)
        # An aspect ratio that is kept can make a volume of a thousand pixels a side.
        if math.prod(case.node().output_shape(case.shape)) <= 60_000:
            return case


def _any_case(rng: np.random.Generator) -> Case:
    if rng.uniform() < 0.12:
        return _legacy(rng)
    opset = int(rng.choice([11, 12, 13, 17, 18, 19, 21]))
    mode = str(rng.choice(MODES))
    coordinates = str(rng.choice([c for c in COORDINATES if opset >= 19 or c != "half_pixel_symmetric"]))
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest" and rng.uniform() < 0.9:
        attributes["nearest_mode"] = str(rng.choice(ROUNDINGS))
    if mode == "cubic" and rng.uniform() < 0.9:
        attributes["cubic_coeff_a"] = float(rng.choice([-0.5, -0.75, -0.6]))
    antialias = opset >= 18 and mode != "nearest" and rng.uniform() < 0.4
    if antialias:
        attributes["antialias"] = 1
    if (mode == "cubic" or antialias) and rng.uniform() < 0.5:
        attributes["exclude_outside"] = 1
    if coordinates == "tf_crop_and_resize":
        attributes["extrapolation_value"] = float(rng.choice([0.0, -7.0]))
    rank, spatial = _layout(rng, mode)
    shape = tuple(
        int(rng.integers(1, 24)) if axis in spatial else int(rng.integers(1, 4)) for axis in range(rank)
    )
    named = tuple(range(rank))
    if opset >= 18 and rng.uniform() < 0.5:
        # Any order, a negative number now and then.
        named = tuple(int(axis) for axis in rng.permutation(spatial))
        attributes["axes"] = [a - rank if rng.uniform() < 0.3 else a for a in named]
        if rng.uniform() < 0.3:
            attributes["keep_aspect_ratio_policy"] = str(rng.choice(["not_larger", "not_smaller"]))
    return _with_lengths(rng, Case("Resize", opset, shape, attributes), named, spatial)


def _layout(rng: np.random.Generator, mode: str) -> tuple[int, tuple[int, ...]]:
    """Rank and resized axes, among those that onnxruntime runs."""
    choices: list[tuple[int, tuple[int, ...]]] = [(2, (0, 1)), (4, (2, 3)), (4, (2, 3)), (4, (1, 2))]
    if mode != "cubic":
        choices += [(3, (0, 1, 2)), (3, (1, 2)), (5, (2, 3, 4))]
    if mode == "nearest":
        choices += [(1, (0,)), (4, (0, 1, 2, 3)), (5, (1, 2, 3)), (6, (3, 5))]
    return choices[int(rng.integers(len(choices)))]


def _with_lengths(
    rng: np.random.Generator, case: Case, named: tuple[int, ...], spatial: tuple[int, ...]
) -> Case:
    """Scales or sizes, and the roi where the mode crops."""
    sizes, scales = [], []
    for axis in named:
        n = case.shape[axis]
        kind = rng.uniform()
        m = n if axis not in spatial else int(rng.integers(1, 40))
        if axis in spatial and kind < 0.15:
            m = n * int(rng.integers(1, 5))
        sizes.append(m)
        # Ratios of whole lengths, halves and quarters, and anything: each is wrong in its own way.
        factor = (
            m / n if kind < 0.6 else float(rng.integers(1, 17)) / 4 if kind < 0.8 else rng.uniform(0.1, 3)
        )
        factor = 1.0 if axis not in spatial else max(factor, 1.001 / n)
        scales.append(float(np.float32(factor)))
    roi = None
    if case.attributes["coordinate_transformation_mode"] == "tf_crop_and_resize":
        pairs = [_region(rng) if axis in spatial or rng.uniform() < 0.1 else (0.0, 1.0) for axis in named]
        roi = tuple(float(np.float32(v)) for v in [p[0] for p in pairs] + [p[1] for p in pairs])
    attributes = dict(case.attributes)
    if rng.uniform() < 0.5 and "keep_aspect_ratio_policy" not in attributes:
        return Case(case.op, case.opset, case.shape, attributes, scales=tuple(scales), roi=roi)
    return Case(case.op, case.opset, case.shape, attributes, sizes=tuple(sizes), roi=roi)


def _region(rng: np.random.Generator) -> tuple[float, float]:
    kind = rng.uniform()
    if kind < 0.3:
        return 0.0, 1.0
    start, end = sorted(rng.uniform(-0.3, 1.3, size=2))
    if kind < 0.4:
        return float(end), float(start)  # flipped
    return (float(start), 1.0) if kind < 0.6 and start < 1 else (float(start), float(end))


def _legacy(rng: np.random.Generator) -> Case:
    """Upsample 7, 8 and 9, Resize 10."""
    op, opset = [("Upsample", 7), ("Upsample", 8), ("Upsample", 9), ("Resize", 10)][int(rng.integers(4))]
    mode = str(rng.choice(["nearest", "linear"]))
    shape = (
        int(rng.integers(1, 3)),
        int(rng.integers(1, 4)),
        int(rng.integers(1, 24)),
        int(rng.integers(1, 24)),
    )
    low = 0.1 if op == "Resize" else 1.0
    factors = [
        float(np.float32(rng.integers(1, 5) if rng.uniform() < 0.4 else rng.uniform(low, 4)))
        for _ in range(2)
    ]
    factors = [max(factor, 1.001 / n, low) for factor, n in zip(factors, shape[2:], strict=True)]
    return Case(op, opset, shape, {"mode": mode}, scales=(1.0, 1.0, *factors))


def refused_by_onnxruntime(case: Case) -> bool:
    """Documented limits of its CPU kernels: cubic of channels-last shrinks only with antialias; no empty output."""
    shape = case.node().output_shape(case.shape, "onnxruntime")
    if min(shape) < 1:
        return True
    mode = case.attributes["mode"]
    scales = [np.float32(float(scale)) for scale in formula_scales(case.node(), case.shape, "onnxruntime")]
    if mode == "cubic" and len(scales) == 4 and (scales[0], scales[1]) != (1, 1):
        shrinks = scales[1] < 1 or scales[2] < 1
        return (scales[0], scales[3]) != (1, 1) or (shrinks and not case.attributes.get("antialias"))
    if mode == "linear" and len(scales) == 4:
        return (scales[0], scales[1]) != (1, 1) and (scales[0], scales[3]) != (1, 1)
    if mode == "linear" and len(scales) == 5:
        return (scales[0], scales[1]) != (1, 1)
    return False


def run_onnxruntime(cases: Sequence[Case], inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of cases of one opset: one model, one session, optimisations off."""
    (opset,) = {case.opset for case in cases}
    nodes, initializers, sources, targets = [], [], [], []
    for k, (case, x) in enumerate(zip(cases, inputs, strict=True)):
        attributes = dict(case.attributes)
        constants: dict[str, np.ndarray] = {}
        if case.scales is not None and case.opset >= 9:
            constants[f"scales{k}"] = np.array(case.scales, np.float32)
        if case.sizes is not None:
            constants[f"sizes{k}"] = np.array(case.sizes, np.int64)
        if case.roi is not None:
            constants[f"roi{k}"] = np.array(case.roi, np.float32)
        if case.opset < 9:
            attributes["scales"] = list(case.scales or ())
            order: list[str] = []
        elif case.opset < 11:
            order = [f"scales{k}"]
        else:
            if case.opset < 13:
                # Resize-11 has no optional inputs: what is not given is an empty tensor.
                constants.setdefault(f"roi{k}", np.zeros(0, np.float32))
                constants.setdefault(f"scales{k}", np.zeros(0, np.float32))
            order = [name if name in constants else "" for name in (f"roi{k}", f"scales{k}", f"sizes{k}")]
        while order and not order[-1]:
            order.pop()
        nodes.append(helper.make_node(case.op, [f"x{k}", *order], [f"y{k}"], **attributes))
        initializers += [numpy_helper.from_array(value, name) for name, value in constants.items()]
        sources.append(helper.make_tensor_value_info(f"x{k}", TensorProto.FLOAT, x.shape))
        targets.append(helper.make_tensor_value_info(f"y{k}", TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, "cases", sources, targets, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {f"x{k}": x for k, x in enumerate(inputs)})

"""Random valid models: every form of Resize and Upsample, subgraphs, functions, computed sizes, opset 7 to 25."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["random_model"]

OPSETS = (7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23)
_FUNCTIONS_FROM = 15
_LARGEST = 4000
_COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass
class _Builder:
    random: Random
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    functions: list[onnx.FunctionProto] = field(default_factory=list)
    prefix: str = "t"

    def name(self) -> str:
        return f"{self.prefix}{len(self.nodes)}_{len(self.constants)}"

    def constant(self, values: Any, dtype: Any) -> str:
        name = self.name() + "c"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def add(self, op: str, inputs: list[str], shape: list[int], **attributes: Any) -> str:
        output = self.name()
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{output}", **attributes))
        self.shapes[output] = shape
        return output

    def pick(self) -> str:
        return self.random.choice([name for name in self.shapes if len(self.shapes[name]) == 4])


def random_model(seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model that onnxruntime runs, and inputs for it."""
    random = Random(seed)
    builder = _Builder(random, random.choice(OPSETS))
    shape = [random.choice((1, 2)), random.choice((1, 3)), random.randint(2, 9), random.randint(2, 9)]
    builder.shapes["x"] = shape
    for _ in range(random.randint(1, 7)):
        _step(builder)
    read = {name for node in builder.nodes for name in node.input}
    results = [name for name in builder.shapes if name != "x" and name not in read]
    if not results:
        results = [builder.add("Identity", ["x"], shape)]
    open_batch = random.random() < 0.2 and not any(node.op_type == "If" for node in builder.nodes)
    declared = ["N" if open_batch and not index else n for index, n in enumerate(shape)]
    condition = any("c" in node.input for node in builder.nodes)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, declared)]
    if condition:
        inputs.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    graph = helper.make_graph(
        builder.nodes, "random", inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results], builder.constants,
    )  # fmt: skip
    imports = [helper.make_opsetid("", builder.opset)]
    if builder.functions:
        imports.append(helper.make_opsetid("local", 1))
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, functions=builder.functions)
    feeds = {"x": np.random.default_rng(seed).standard_normal(shape).astype(np.float32)}
    if condition:
        feeds["c"] = np.array(random.random() < 0.5)
    return onnx.shape_inference.infer_shapes(model) if not builder.functions else _with_ranks(
        model, builder
    ), feeds


def _with_ranks(model: onnx.ModelProto, builder: _Builder) -> onnx.ModelProto:
    """Shape inference does not look into functions at all opsets: declare the outputs."""
    for output in model.graph.output:
        del output.type.tensor_type.shape.dim[:]
        for length in builder.shapes[output.name]:
            dimension = output.type.tensor_type.shape.dim.add()
            if (
                model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
                or length != builder.shapes["x"][0]
            ):
                dimension.dim_value = length
            else:
                dimension.dim_param = "N" if len(output.type.tensor_type.shape.dim) == 1 else ""
    return model


def _step(b: _Builder) -> None:
    steps = [_resize, _resize, _resize, _elementwise, _pair, _transpose, _pool, _identity_resize]
    if b.prefix == "t":
        steps.append(_branch)
        if b.opset >= _FUNCTIONS_FROM:
            steps.append(_call)
    b.random.choice(steps)(b)


def _elementwise(b: _Builder) -> None:
    source = b.pick()
    b.add(b.random.choice(("Relu", "Neg", "Sigmoid", "Identity", "Abs")), [source], b.shapes[source])


def _pair(b: _Builder) -> None:
    source = b.pick()
    partners = [name for name, shape in b.shapes.items() if shape == b.shapes[source]]
    b.add("Add", [source, b.random.choice(partners)], b.shapes[source])


def _transpose(b: _Builder) -> None:
    source = b.pick()
    perm = b.random.choice(([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2]))
    b.add("Transpose", [source], [b.shapes[source][axis] for axis in perm], perm=perm)


def _pool(b: _Builder) -> None:
    source = b.pick()
    n, c, h, w = b.shapes[source]
    if min(h, w) >= 2:
        b.add("MaxPool", [source], [n, c, h // 2, w // 2], kernel_shape=[2, 2], strides=[2, 2])


def _identity_resize(b: _Builder) -> None:
    source = b.pick()
    if b.opset >= 11:
        ones = b.constant([1.0] * 4, np.float32)
        roi = b.constant([], np.float32) if b.opset < 13 else ""
        b.add("Resize", [source, roi, ones], b.shapes[source], mode=b.random.choice(("nearest", "linear")))


def _resize(b: _Builder) -> None:
    source = b.pick()
    shape = b.shapes[source]
    factors = [1.0, 1.0, *(b.random.choice((0.5, 1.0, 1.5, 2.0, 3.0, 2.5)) for _ in range(2))]
    target = [
        max(1, int(np.floor(np.float32(n) * np.float32(f)))) for n, f in zip(shape, factors, strict=True)
    ]
    if any(int(n * f) < 1 for n, f in zip(shape, factors, strict=True)) or np.prod(target) > _LARGEST:
        return
    if b.opset < 10:
        _upsample(b, source, shape, factors)
    elif b.opset == 10:
        scales = b.constant(factors, np.float32)
        b.add("Resize", [source, scales], target, mode=b.random.choice(("nearest", "linear")))
    else:
        _modern(b, source, shape, target, factors)


def _upsample(b: _Builder, source: str, shape: list[int], factors: list[float]) -> None:
    whole = [1.0, 1.0, *(max(1.0, float(round(f))) for f in factors[2:])]
    target = [int(n * f) for n, f in zip(shape, whole, strict=True)]
    if np.prod(target) > _LARGEST:
        return
    mode = b.random.choice(("nearest", "linear"))
    if b.opset < 9:
        b.add("Upsample", [source], target, mode=mode, scales=whole)
    else:
        b.add("Upsample", [source, b.constant(whole, np.float32)], target, mode=mode)


def _modern(b: _Builder, source: str, shape: list[int], target: list[int], factors: list[float]) -> None:
    random = b.random
    mode = random.choice(("nearest", "linear", "linear", "cubic"))
    attributes: dict[str, Any] = {"mode": mode}
    if random.random() < 0.8:
        attributes["coordinate_transformation_mode"] = random.choice(_COORDINATES)
    if mode == "nearest" and random.random() < 0.8:
        attributes["nearest_mode"] = random.choice(_NEAREST)
    if mode == "cubic" and random.random() < 0.5:
        attributes["cubic_coeff_a"] = random.choice((-0.5, -0.75))
        attributes["exclude_outside"] = random.choice((0, 1))
    roi = "" if b.opset >= 13 else b.constant([], np.float32)
    axes = b.opset >= 18 and random.random() < 0.4
    if axes:
        attributes["axes"] = [2, 3] if random.random() < 0.7 else [-2, -1]
    first = 2 if axes else 0
    if random.random() < 0.5:
        inputs = [source, roi, b.constant(factors[first:], np.float32)]
    else:
        scales = "" if b.opset >= 13 else b.constant([], np.float32)
        inputs = [source, roi, scales, _sizes(b, source, target, first)]
    b.add("Resize", inputs, target, **attributes)


def _sizes(b: _Builder, source: str, target: list[int], first: int) -> str:
    """A constant, or the first lengths of the source and constants behind them."""
    if first or b.random.random() < 0.5:
        return b.constant(target[first:], np.int64)
    shape = b.add("Shape", [source], [4])
    starts, ends = b.constant([0], np.int64), b.constant([2], np.int64)
    head = b.add("Slice", [shape, starts, ends], [2])
    sizes = b.add("Concat", [head, b.constant(target[2:], np.int64)], [4], axis=0)
    for name in (shape, head, sizes):
        del b.shapes[name]
    return sizes


def _branch(b: _Builder) -> None:
    source = b.pick()
    inner = []
    for which in ("then", "else"):
        branch = _Builder(b.random, b.opset, prefix=f"{b.name()}{which}")
        branch.shapes[source] = b.shapes[source]
        _resize(branch)
        if not branch.nodes:
            branch.add("Identity", [source], b.shapes[source])
        # Both give one shape: the largest value of each image.
        last = branch.nodes[-1].output[0]
        branch.add("GlobalMaxPool", [last], [*b.shapes[source][:2], 1, 1])
        result = branch.nodes[-1].output[0]
        info = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        inner.append(helper.make_graph(branch.nodes, which, [], [info], branch.constants))
    b.add("If", ["c"], [*b.shapes[source][:2], 1, 1], then_branch=inner[0], else_branch=inner[1])


def _call(b: _Builder) -> None:
    source = b.pick()
    body = _Builder(b.random, b.opset, prefix=f"f{len(b.functions)}")
    body.shapes["a"] = b.shapes[source]
    _resize(body)
    if not body.nodes:
        body.add("Relu", ["a"], b.shapes[source])
    constants = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in body.constants]
    name = f"Part{len(b.functions)}"
    result = body.nodes[-1].output[0]
    b.functions.append(
        helper.make_function(
            "local", name, ["a"], [result], [*constants, *body.nodes], [helper.make_opsetid("", b.opset)]
        )
    )
    output = b.name()
    b.nodes.append(helper.make_node(name, [source], [output], name=f"call_{output}", domain="local"))
    b.shapes[output] = body.shapes[result]

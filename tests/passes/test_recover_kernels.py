"""recover-resize on Conv, ConvTranspose and DepthToSpace: the kernel of a resize comes back, near misses stay."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import passes
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check_all

node = helper.make_node
A = -0.75


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return (A + 2) * x**3 - (A + 3) * x**2 + 1
    return A * x**3 - 5 * A * x**2 + 8 * A * x - 4 * A if x < 2 else 0.0


def upsampling_kernel(kind: str, s: int) -> tuple[list[float], int, int]:
    """Kernel of a ConvTranspose with stride s that samples half_pixel, its first offset, and the border it needs."""
    if kind == "nearest":
        return [1.0] * s, 0, 0
    reach, weight = (1, triangle) if kind == "linear" else (2, cubic)
    low = math.floor(-reach * s + s / 2 - 0.5) + 1
    high = math.ceil(reach * s + s / 2 - 0.5) - 1
    return [weight((u + 0.5) / s - 0.5) for u in range(low, high + 1)], -low, reach


def weights(lines: list[list[float]], channels: int, dense: bool) -> np.ndarray:
    kernel = np.array(1.0)
    for line in lines:
        kernel = np.multiply.outer(kernel, np.array(line))
    if not dense:
        return np.broadcast_to(kernel, (channels, 1, *kernel.shape)).astype(np.float32)
    return (np.eye(channels)[(..., *[None] * kernel.ndim)] * kernel).astype(np.float32)


def transposed_model(
    kinds: str,
    factors: tuple[int, int],
    shape: list[Any],
    *,
    dense: bool = False,
    sliced: bool = True,
    border: str = "edge",
    change: float = 0.0,
) -> onnx.ModelProto:
    """Pad, ConvTranspose, and a Slice (or pads that do the same)."""
    parts = [upsampling_kernel(kinds, s) for s in factors]
    held = weights([part[0] for part in parts], shape[1], dense)
    held = held + np.float32(change) * (np.arange(held.size).reshape(held.shape) == 0)
    first = [part[1] for part in parts]
    edges = [part[2] for part in parts]
    cut = [edge * s for edge, s in zip(edges, factors, strict=True)]
    ends = [
        len(line) - s - offset for (line, offset, _), s in zip(parts, factors, strict=True)
    ]  # what the kernel adds behind the last pixel
    starts = list(first)
    if not sliced:
        starts = [offset + c for offset, c in zip(first, cut, strict=True)]
        ends = [end + c for end, c in zip(ends, cut, strict=True)]
    constants = [
        tensor("w", held, np.float32),
        tensor("pads", [0, 0, *edges, 0, 0, *edges], np.int64),
        tensor("starts", cut, np.int64),
        tensor("ends", [-c if c else 2**31 for c in cut], np.int64),
        tensor("axes", [2, 3], np.int64),
    ]
    nodes = [node("Pad", ["x", "pads"], ["p"], mode=border)] if any(edges) else []
    nodes.append(
        node(
            "ConvTranspose",
            [nodes[-1].output[0] if nodes else "x", "w"],
            ["c" if sliced else "y"],
            name="up",
            strides=list(factors),
            group=1 if dense else shape[1],
            pads=[*starts, *ends],
        )
    )
    if sliced:
        nodes.append(node("Slice", ["c", "starts", "ends", "axes"], ["y"]))
    return make_model(nodes, [info("x", shape)], [info("y", [None] * 4)], constants)


def recovered(model: onnx.ModelProto) -> onnx.ModelProto:
    view = Model.from_proto(model)
    result = passes.run(view, ["recover-resize"])
    check_all(result.changes)
    after = view.to_proto()
    onnx.checker.check_model(after, full_check=True)
    assert not passes.run(Model.from_proto(after), ["recover-resize"]).changes
    return after


def same_values(before: onnx.ModelProto, after: onnx.ModelProto, shape: list[int]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    a, b = run(before, {"x": x})[0], run(after, {"x": x})[0]
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def ops(model: onnx.ModelProto) -> list[str]:
    return [entry.op_type for entry in model.graph.node]


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["nearest", "linear", "cubic"]),
    st.tuples(st.integers(2, 4), st.integers(2, 5)),
    st.lists(st.integers(1, 6), min_size=4, max_size=4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_transposed_convolutions_come_back(
    kind: str, factors: tuple[int, int], shape: list[int], dense: bool, sliced: bool, open_: bool
) -> None:
    declared = ["n", shape[1], "h", "w"] if open_ else shape
    before = transposed_model(kind, factors, declared, dense=dense, sliced=sliced)
    after = recovered(before)
    assert ops(after) == ["Resize"]
    for n in range(1, 8) if open_ else shape[2:3]:
        same_values(before, after, [*shape[:2], n, shape[3]])


def test_what_zeros_around_the_input_make_of_the_border_is_no_resize() -> None:
    before = transposed_model("linear", (2, 2), [1, 2, 5, 5], border="constant")
    assert ops(recovered(before)) == ops(before)


@pytest.mark.parametrize("change", [1e-4, -1e-6, 3e-8])
def test_a_kernel_that_is_a_little_off_stays(change: float) -> None:
    before = transposed_model("linear", (3, 2), [1, 1, 4, 4], change=change)
    assert ops(recovered(before)) == ops(before)


def test_channels_that_mix_or_differ_stay() -> None:
    for held in (np.ones((2, 2, 2, 2)), np.stack([np.ones((1, 2, 2)), np.full((1, 2, 2), 2.0)])):
        up = node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], group=2 if held.shape[1] == 1 else 1)
        before = make_model(
            [up], [info("x", [1, 2, 3, 3])], [info("y", [None] * 4)], [tensor("w", held, np.float32)]
        )
        assert ops(recovered(before)) == ["ConvTranspose"]


def test_a_bias_stays_and_a_bias_of_zeros_does_not() -> None:
    for bias, wanted in (([0.0, 0.0], "Resize"), ([0.0, 0.1], "ConvTranspose")):
        before = make_model(
            [node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2], group=2)],
            [info("x", [1, 2, 3, 3])],
            [info("y", [None] * 4)],
            [tensor("w", np.ones((2, 1, 2, 2)), np.float32), tensor("b", bias, np.float32)],
        )
        assert ops(recovered(before)) == [wanted]


@pytest.mark.parametrize(
    "shape, wanted", [([1, 3, 8, 6], "Resize"), ([1, 3, 7, 6], "Conv"), (["n", 3, "h", 6], "Conv")]
)
def test_an_averaging_convolution_comes_back_where_its_stride_divides_the_length(
    shape: list[Any], wanted: str
) -> None:
    before = make_model(
        [node("Conv", ["x", "w"], ["y"], strides=[2, 2], group=3)],
        [info("x", shape)],
        [info("y", [None] * 4)],
        [tensor("w", np.full((3, 1, 2, 2), 0.25), np.float32)],
    )
    after = recovered(before)
    assert ops(after) == [wanted]
    if wanted == "Resize":
        same_values(before, after, shape)


def test_a_trained_convolution_stays() -> None:
    held = np.random.default_rng(1).standard_normal((4, 1, 3, 3))
    before = make_model(
        [node("Conv", ["x", "w"], ["y"], strides=[2, 2], group=4, pads=[1, 1, 1, 1])],
        [info("x", [1, 4, 8, 8])],
        [info("y", [None] * 4)],
        [tensor("w", held, np.float32)],
    )
    assert ops(recovered(before)) == ["Conv"]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("joined", ["first", "last"])
def test_depth_to_space_of_copied_channels(mode: str, joined: str) -> None:
    """Copies in front of the channels are what DCR spreads; copies behind each channel what CRD spreads."""
    nodes = [node("Concat", ["x"] * 4, ["k"], axis=1)]
    constants = []
    if joined == "last":
        constants = [
            tensor("axis", [2], np.int64),
            tensor("times", [1, 1, 4, 1, 1], np.int64),
            tensor("target", [0, 8, 3, 5], np.int64),
        ]
        nodes = [
            node("Unsqueeze", ["x", "axis"], ["u"]),
            node("Tile", ["u", "times"], ["t"]),
            node("Reshape", ["t", "target"], ["k"]),
        ]
    nodes.append(node("DepthToSpace", ["k"], ["y"], blocksize=2, mode=mode))
    before = make_model(nodes, [info("x", [2, 2, 3, 5])], [info("y", [None] * 4)], constants)
    after = recovered(before)
    fits = (mode, joined) in {("DCR", "first"), ("CRD", "last")}
    assert (ops(after) == ["Resize"]) is fits
    same_values(before, after, [2, 2, 3, 5])

"""fuse-resizes: only what one Resize equals exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import passes
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
CORNERS = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
HALF = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def chain(
    words: dict[str, Any], steps: list[list[int]], shape: list[Any], perm: list[int] | None = None
) -> onnx.ModelProto:
    nodes, constants, current = [], [], "x"
    for index, sizes in enumerate(steps):
        constants.append(tensor(f"s{index}", sizes, np.int64))
        out = "y" if index == len(steps) - 1 else f"t{index}"
        nodes.append(
            helper.make_node("Resize", [current, "", "", f"s{index}"], [out], name=f"r{index}", **words)
        )
        current = out
        if perm and index == 0:
            nodes.append(helper.make_node("Transpose", [current], ["p"], perm=perm))
            current = "p"
    return make_model(nodes, [info("x", shape)], [info("y", [None] * 4)], constants)


def fused(model: onnx.ModelProto) -> onnx.ModelProto:
    view = Model.from_proto(model)
    result = passes.run(view, ["fuse-resizes"])
    for change in result.changes:
        check(change.certificate or {})
    after = view.to_proto()
    onnx.checker.check_model(after, full_check=True)
    assert not passes.run(Model.from_proto(after), ["fuse-resizes"]).changes
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 5)).astype(np.float32)
    np.testing.assert_allclose(run(model, {"x": x})[0], run(after, {"x": x})[0], rtol=0, atol=1e-5)
    return after


def ops(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_three_repetitions_are_one() -> None:
    model = chain(NEAREST, [[1, 2, 6, 5], [1, 2, 6, 15], [1, 2, 12, 30]], [1, 2, 3, 5])
    assert ops(fused(model)) == ["Resize"]


def test_align_corners_on_a_finer_grid_composes() -> None:
    # 3 -> 5 -> 9 puts the second grid on the knots of the first.
    assert ops(fused(chain(CORNERS, [[1, 2, 5, 5], [1, 2, 9, 5]], [1, 2, 3, 5]))) == ["Resize"]


def test_other_axes_compose() -> None:
    assert ops(fused(chain(HALF, [[1, 2, 7, 5], [1, 2, 7, 9]], [1, 2, 3, 5]))) == ["Resize"]


def test_half_pixel_twice_is_no_resize() -> None:
    assert ops(fused(chain(HALF, [[1, 2, 6, 5], [1, 2, 12, 5]], [1, 2, 3, 5]))) == ["Resize", "Resize"]


def test_a_transpose_between_stays() -> None:
    model = chain(NEAREST, [[1, 2, 6, 10], [1, 6, 20, 2]], [1, 2, 3, 5], perm=[0, 2, 3, 1])
    assert ops(fused(model)) == ["Resize", "Transpose"]


@pytest.mark.parametrize("output", [True, False])
def test_what_others_read_stays(output: bool) -> None:
    model = chain(NEAREST, [[1, 2, 6, 5], [1, 2, 12, 5]], [1, 2, 3, 5])
    if output:
        model.graph.output.append(info("t0", [None] * 4))
    else:
        model.graph.node.append(helper.make_node("Relu", ["t0"], ["z"]))
        model.graph.output.append(info("z", [None] * 4))
    assert ops(fused(model)).count("Resize") == 2


def test_whole_factors_at_open_lengths() -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "a"], ["t"], **NEAREST),
        helper.make_node("Resize", ["t", "", "b"], ["y"], **NEAREST),
    ]
    constants = [tensor("a", [1, 1, 2, 3]), tensor("b", [1, 1, 3, 1])]
    model = make_model(nodes, [info("x", ["n", 2, "h", "w"])], [info("y", [None] * 4)], constants)
    assert ops(fused(model)) == ["Resize"]


def test_integers_are_rounded_between_and_stay() -> None:
    model = chain(CORNERS, [[1, 2, 5, 5], [1, 2, 9, 5]], [1, 2, 3, 5])
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    result = passes.run(Model.from_proto(model), ["fuse-resizes"])
    assert not result.changes and "rounds" in result.notes[0].message

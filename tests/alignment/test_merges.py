"""Gaps where branches meet: their size, and that the change which is said to close them does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rewriter.alignment import analyse
from rewriter.model import Model
from rewriter.resampling.alignment import Grid, gap
from tests.alignment.grid_networks import WIDTH, Builder, measured_centres


def _encoder_decoder(
    length: int, coordinates: str, mode: str = "linear", **padding: object
) -> tuple[Builder, list[str]]:
    """One level down by a strided convolution, up by a resize, added to what was there before."""
    builder = Builder(length)
    down = builder.conv("x", 3, 2, 1, **padding)
    up = builder.resize(down, length, coordinates, mode, nearest_mode="floor")
    return builder, [builder.node("Add", [up, "x"]), up]


@pytest.mark.parametrize("length", [32, 33])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 0]])
def test_the_gap_is_the_one_that_onnxruntime_shows(length: int, coordinates: str, pads: list[int]) -> None:
    builder, (total, up) = _encoder_decoder(length, coordinates, pads=pads)
    found = analyse(Model.from_proto(builder.model(total)))
    centres = measured_centres(builder.model(up), length, margin=3)
    gaps = {row: centre - row for row, centre in centres.items()}
    height = [merge for merge in found.merges if merge.axis == 2]
    if not height:
        assert found.agreeing == 2
        assert max(map(abs, gaps.values())) < 1e-4
        return
    first, second = height[0].grids
    for row, shift in gaps.items():
        assert float(first.at(row) - second.at(row)) == pytest.approx(shift, abs=1e-4)
    assert float(-height[0].gap.left) == pytest.approx(float(first.at(0)), abs=1e-9)


def test_tensorflow_s_same_padding_shifts_by_half_a_pixel() -> None:
    """Stride 2 on an even length pads at the end only; half-pixel upsampling then lies half a pixel to the right."""
    builder, (total, _) = _encoder_decoder(32, "half_pixel", auto_pad="SAME_UPPER")
    (merge,) = analyse(Model.from_proto(builder.model(total))).merges
    assert (merge.gap.left, merge.gap.right) == (-0.5, -0.5)
    assert merge.op == "Add"
    assert not any(closing.left.closed for closing in merge.closings)


def test_symmetric_padding_wants_asymmetric_and_that_closes_it() -> None:
    builder, (total, _) = _encoder_decoder(32, "half_pixel", pads=[1, 0, 1, 0])
    (merge,) = analyse(Model.from_proto(builder.model(total))).merges
    assert merge.gap.largest == 0.5
    best = merge.closings[0]
    assert best.left.closed
    assert (best.mode, best.nodes) == ("asymmetric", (merge.grids[0].resizes[0].node,))
    assert "asymmetric at 'resize_t1' closes it" in merge.remedy()
    repaired, (total, up) = _encoder_decoder(32, best.mode, pads=[1, 0, 1, 0])
    assert analyse(Model.from_proto(repaired.model(total))).merges == []
    centres = measured_centres(repaired.model(up), 32)
    assert max(abs(centre - row) for row, centre in centres.items()) < 1e-4


def test_odd_lengths_with_align_corners_meet_exactly() -> None:
    builder, (total, _) = _encoder_decoder(33, "align_corners", pads=[1, 0, 1, 0])
    found = analyse(Model.from_proto(builder.model(total)))
    assert found.merges == []
    assert found.agreeing == 2


def test_two_resizes_that_must_change_together() -> None:
    builder = Builder(32)
    quarter = builder.conv(builder.conv("x", 3, 2, 1, pads=[1, 0, 1, 0]), 3, 2, 1, pads=[1, 0, 1, 0])
    up = builder.resize(builder.resize(quarter, 16, "half_pixel"), 32, "half_pixel")
    total = builder.node("Sub", ["x", up])
    (merge,) = analyse(Model.from_proto(builder.model(total))).merges
    assert merge.gap.largest == 1.5
    best = merge.closings[0]
    assert best.left.closed
    assert best.mode == "asymmetric"
    assert len(best.nodes) == 2


def test_branches_of_three_and_a_concatenation_of_channels() -> None:
    builder = Builder(30)
    shifted = builder.node("Pad", ["x", builder.constant(np.array([0, 0, 2, 0, 0, 0, 0, 0], np.int64))])
    cropped = builder.node(
        "Slice",
        [shifted, *(builder.constant(np.array([value], np.int64)) for value in (0, 30, 2))],
    )
    joined = builder.node("Concat", ["x", cropped, "x"], axis=1)
    found = analyse(Model.from_proto(builder.model(joined)))
    (merge,) = found.merges
    assert (merge.op, merge.axis, merge.gap.left) == ("Concat", 2, -2)
    assert found.outputs[0].grids.keys() == {2, 3}


def test_a_global_mean_meets_every_grid() -> None:
    builder = Builder(16)
    pooled = builder.node("GlobalAveragePool", ["x"])
    total = builder.node("Mul", ["x", pooled])
    found = analyse(Model.from_proto(builder.model(total)))
    assert found.merges == []
    assert found.outputs[0].grids[2] == Grid(("x", 2))


def test_what_is_not_followed_is_said_and_not_guessed() -> None:
    builder = Builder(16)
    sampled = builder.node("CumSum", ["x", builder.constant(np.array(2, np.int64))])
    total = builder.node("Add", ["x", sampled])
    found = analyse(Model.from_proto(builder.model(total, sampled)))
    assert [entry.op for entry in found.unknown] == ["CumSum"]
    assert found.merges == []
    assert "not followed" in str(found.outputs[1].reason)


def _open_length_model(coordinates: str) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["down"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node(
            "Resize",
            ["down", "", "scales"],
            ["up"],
            name="up",
            mode="linear",
            coordinate_transformation_mode=coordinates,
        ),
        helper.make_node("Add", ["x", "up"], ["y"], name="skip"),
    ]
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 3, 3], [1.0] * 9),
        helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2]),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, None, None])
    graph = helper.make_graph(nodes, "open", [image], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_open_lengths_where_the_formula_does_not_need_them() -> None:
    found = analyse(Model.from_proto(_open_length_model("half_pixel")))
    assert [(merge.axis, merge.gap.left, merge.gap.right) for merge in found.merges] == [
        (2, -0.5, -0.5),
        (3, -0.5, -0.5),
    ]
    assert analyse(Model.from_proto(_open_length_model("asymmetric"))).merges == []


def test_open_lengths_where_the_formula_needs_them() -> None:
    found = analyse(Model.from_proto(_open_length_model("align_corners")))
    assert found.merges == []
    assert found.unknown[0].op == "Resize"
    assert "lengths that are not known" in found.unknown[0].reason


def test_reshapes_to_computed_shapes() -> None:
    """How tf2onnx writes Keras 3's UpSampling2D(nearest) where the batch is open."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "three"], ["one"]),
        helper.make_node("Tile", ["one", "twice"], ["two"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two_"], ["first"]),
        helper.make_node("Slice", ["shape", "three", "four"], ["last"]),
        helper.make_node("Concat", ["first", "sixteen", "last"], ["target"], axis=0),
        helper.make_node("Reshape", ["two", "target"], ["y"]),
    ]
    values = {"zero": [0], "two_": [2], "three": [3], "four": [4], "sixteen": [16], "twice": [1, 1, 1, 2, 1]}
    graph = helper.make_graph(
        nodes,
        "repeat",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    found = analyse(Model.from_proto(model))
    grids = found.outputs[0].grids
    assert found.unknown == []
    assert (grids[2].scale, grids[2].offset, grids[2].shift) == (0.5, -0.25, 0)
    assert (grids[0].source, grids[3].scale) == (("x", 0), 1)


def test_functions_and_branches_of_if_are_followed() -> None:
    shift = helper.make_function(
        "local",
        "Shift",
        ["a", "p"],
        ["b"],
        [helper.make_node("Pad", ["a", "p"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    branches = [
        helper.make_graph(
            [helper.make_node("Identity", ["shifted"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name in ("then", "else")
    ]
    nodes = [
        helper.make_node("Shift", ["x", "pads"], ["shifted"], domain="local"),
        helper.make_node("If", ["flag"], ["chosen"], then_branch=branches[0], else_branch=branches[1]),
    ]
    pads = helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 3, 0, 0, 0, 0, 0])
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, WIDTH]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("chosen", TensorProto.FLOAT, None)],
        [pads],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("local", 1)],
        functions=[shift],
        ir_version=9,
    )
    (output,) = analyse(Model.from_proto(model)).outputs
    assert output.grids[2].offset == -3
    assert output.grids[3].offset == 0


def test_grids_of_different_inputs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different inputs"):
        gap(Grid(("x", 2)), Grid(("y", 2)), 4)

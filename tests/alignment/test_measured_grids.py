"""Predicted pixel grids against the centroids of receptive fields that onnxruntime shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.alignment import analyse
from rewriter.model import Model
from rewriter.resampling.alignment import Grid
from tests.alignment.grid_networks import WIDTH, Builder, measured_centres

LENGTH = 47
LONG, MARGIN = 127, 32


def _predicted(builder: Builder, output: str, axis: int = 2) -> Grid:
    found = analyse(Model.from_proto(builder.model(output)))
    assert not found.unknown, found.unknown
    return found.outputs[0].grids[axis]


def _check(builder: Builder, output: str, at_least: int, margin: int = 2) -> None:
    grid = _predicted(builder, output)
    centres = measured_centres(builder.model(output), builder.length, margin)
    assert len(centres) >= at_least
    for row, centre in centres.items():
        assert float(grid.at(row)) == pytest.approx(centre, abs=2e-4)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Builder, str]:
    """Up to four layers whose centroids are exactly evenly spaced, with the lengths that they leave."""
    builder, x, n = Builder(LONG), "x", LONG
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "pool", "up", "pad", "slice", "resize", "blocks", "layout"]))
        if n < 30:
            kind = draw(st.sampled_from(["up", "resize", "layout", "pad"]))
        if n > 260:
            kind = "pool"
        if kind in ("conv", "pool"):
            kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
            dilation = draw(st.integers(1, 2))
            padding = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID", "pads"]))
            if padding.startswith("SAME"):
                dilation = 1  # onnxruntime refuses both together for Conv, and ignores dilations for pools
            given = (
                {"pads": [draw(st.integers(0, 2)), 0, draw(st.integers(0, 2)), 0]}
                if padding == "pads"
                else {"auto_pad": padding}
            )
            if kind == "pool":
                if padding.startswith("SAME"):
                    stride = min(stride, kernel)
                if padding == "pads":
                    given["pads"] = [min(p, kernel - 1) for p in given["pads"]]
                x = builder.node(
                    "AveragePool",
                    [x],
                    kernel_shape=[kernel, 1],
                    strides=[stride, 1],
                    dilations=[dilation, 1],
                    count_include_pad=1,
                    **given,
                )
            else:
                x = builder.conv(x, kernel, stride, dilation, **given)
        elif kind == "up":
            stride = draw(st.integers(2, 3))
            begin = draw(st.integers(0, 2))
            x = builder.transposed(x, stride, pads=[begin, 0, draw(st.integers(0, 2)), 0])
        elif kind == "pad":
            pads = [0, 0, draw(st.integers(0, 3)), 0, 0, 0, draw(st.integers(0, 3)), 0]
            x = builder.node("Pad", [x, builder.constant(np.array(pads, np.int64))])
        elif kind == "slice":
            start, step = draw(st.sampled_from([0, 1, 2, 1 - n, 2 - n])), draw(st.integers(1, 2))
            arguments = [[start], [2**31 - 1], [2], [step]]
            x = builder.node("Slice", [x, *(builder.constant(np.array(a, np.int64)) for a in arguments)])
        elif kind == "resize":
            coordinates = draw(st.sampled_from(["half_pixel", "align_corners", "asymmetric"]))
            x = builder.resize(x, draw(st.integers(20, 160)), coordinates)
        elif kind == "blocks":
            x = builder.node("Pad", [x, builder.constant(np.array([0, 0, 0, 0, 0, 0, n % 2, 1], np.int64))])
            x = builder.node("SpaceToDepth", [x], blocksize=2)
            mean = builder.constant(np.full((1, 4, 1, 1), 0.25, np.float32))
            x = builder.node("Conv", [x, mean])
            x = builder.node("Resize", [x, "", builder.constant(np.array([1, 1, 1, 1.5], np.float32))])
        else:
            x = builder.node("Transpose", [x], perm=[0, 2, 3, 1])
            x = builder.node("Relu", [x])
            x = builder.node("Transpose", [x], perm=[0, 3, 1, 2])
        shape = builder.model(x).graph.output[0].type.tensor_type.shape
        n = shape.dim[2].dim_value
    return builder, x


@settings(max_examples=40, deadline=None)
@given(chains())
def test_random_chains_lie_where_they_are_predicted(chain: tuple[Builder, str]) -> None:
    builder, output = chain
    _check(builder, output, 1, MARGIN)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(chains())
def test_many_random_chains_lie_where_they_are_predicted(chain: tuple[Builder, str]) -> None:
    builder, output = chain
    _check(builder, output, 1, MARGIN)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_a_max_pool_takes_its_window_s_centre(stride: int, kernel: int, auto_pad: str) -> None:
    builder = Builder(LENGTH)
    output = builder.node("MaxPool", ["x"], kernel_shape=[kernel, 1], strides=[stride, 1], auto_pad=auto_pad)
    _check(builder, output, at_least=5)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ({"kernel_shape": [1, 1], "strides": [3, 1]}, "stride skips pixels"),
        ({"kernel_shape": [2, 1], "dilations": [2, 1]}, "dilated"),
    ],
)
def test_auto_pad_where_implementations_disagree_is_not_guessed(layer: dict, reason: str) -> None:
    """onnxruntime pads a pool of stride 3 and kernel 1 by -2, and refuses the same for MaxPool."""
    builder = Builder(126)
    output = builder.node("AveragePool", ["x"], auto_pad="SAME_UPPER", **layer)
    found = analyse(Model.from_proto(builder.model(output)))
    assert reason in found.unknown[0].reason
    assert found.outputs[0].grids.keys() == {3}


def test_rounding_a_pool_s_length_up_leaves_its_grid() -> None:
    builder = Builder(LENGTH)
    output = builder.node("AveragePool", ["x"], kernel_shape=[3, 1], strides=[3, 1], ceil_mode=1)
    _check(builder, output, at_least=13)


@pytest.mark.parametrize(
    "padding",
    [
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "VALID"},
        {"output_shape": [93, WIDTH]},
        {"pads": [1, 0, 0, 0], "output_padding": [1, 0]},
    ],
)
def test_a_transposed_convolution_by_every_kind_of_padding(padding: dict) -> None:
    builder = Builder(LENGTH)
    _check(builder, builder.transposed("x", 2, **padding), at_least=30)


def test_cubic_kernels_that_reproduce_ramps_lie_on_their_coordinates() -> None:
    builder = Builder(LENGTH)
    _check(builder, builder.resize("x", 61, "half_pixel", "cubic", cubic_coeff_a=-0.5), at_least=40)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize(
    ("coordinates", "nearest_mode"), [("asymmetric", "floor"), ("half_pixel", "round_prefer_ceil")]
)
def test_repeated_pixels_lie_on_half_pixel_centres_on_average(
    factor: int, coordinates: str, nearest_mode: str
) -> None:
    builder = Builder(LENGTH)
    output = builder.resize("x", LENGTH * factor, coordinates, "nearest", nearest_mode=nearest_mode)
    _check_on_average(builder, output, factor)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_and_back(mode: str) -> None:
    builder = Builder(LENGTH)
    x = builder.node("Conv", ["x", builder.constant(np.ones((4, 1, 1, 1), np.float32))])
    output = builder.node("DepthToSpace", [x], blocksize=2, mode=mode)
    _check_on_average(builder, output, 2)


def test_repeats_as_exporters_spell_them() -> None:
    """Unsqueeze, Tile, Reshape: Keras 3's UpSampling2D(nearest)."""
    builder = Builder(LENGTH)
    x = builder.node("Unsqueeze", ["x", builder.constant(np.array([3], np.int64))])
    x = builder.node("Tile", [x, builder.constant(np.array([1, 1, 1, 2, 1], np.int64))])
    shape = builder.constant(np.array([1, 1, 2 * LENGTH, WIDTH], np.int64))
    _check_on_average(builder, builder.node("Reshape", [x, shape]), 2)


def test_repeats_by_gather() -> None:
    builder = Builder(LENGTH)
    indices = builder.constant(np.repeat(np.arange(LENGTH), 2))
    _check_on_average(builder, builder.node("Gather", ["x", indices], axis=2), 2)


def _check_on_average(builder: Builder, output: str, period: int) -> None:
    """Rows repeat: the mean over whole periods lies on the grid, each row within half a step of it."""
    grid = _predicted(builder, output)
    centres = measured_centres(builder.model(output), builder.length)
    first = min(centres) + -min(centres) % period
    rows = [
        row for row in range(first, max(centres)) if row < first + (max(centres) - first) // period * period
    ]
    assert len(rows) >= 20
    errors = [float(grid.at(row)) - centres[row] for row in rows]
    assert np.mean(errors) == pytest.approx(0, abs=1e-4)
    assert np.abs(errors).max() <= 0.5

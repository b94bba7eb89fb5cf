"""Which resizes the layer expresses, its Python twin in the simulator, and the files for Xcode."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from rewriter.coreml.customlayer.cases import expected, random_cases
from rewriter.coreml.customlayer.emitting import emit_sources
from rewriter.coreml.customlayer.golden import golden_json, picture
from rewriter.coreml.customlayer.parameters import (
    COORDINATES,
    KINDS,
    ROUNDINGS,
    LayerParameters,
    parameters_for,
)
from rewriter.coreml.simulator.neuralnetwork.custom import custom
from rewriter.coreml.simulator.neuralnetwork.layer import Layer
from rewriter.errors import InputError, UnsupportedError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.proof import compare

lengths = st.integers(1, 30)


@given(
    st.tuples(lengths, lengths),
    st.tuples(lengths, lengths),
    st.sampled_from(KINDS),
    st.sampled_from([*COORDINATES, "half_pixel_symmetric"]),
    st.sampled_from(ROUNDINGS),
    st.booleans(),
)
def test_parameters_mean_the_resize(
    heights: tuple[int, int],
    widths: tuple[int, int],
    kind: str,
    coordinates: str,
    rounding: str,
    exclude: bool,
) -> None:
    pair = (
        AxisResize(*heights, kind, coordinates, rounding, exclude_outside=exclude),
        AxisResize(*widths, kind, coordinates, rounding, exclude_outside=exclude),
    )
    layer = parameters_for(pair)
    assert layer is not None
    for axis, own in zip(pair, layer.axes(heights[0], widths[0]), strict=True):
        assert compare(axis, own).equal


def test_a_fractional_scale_is_stated() -> None:
    axis = AxisResize(5, 8, "linear", "half_pixel", scale=Fraction(float(np.float32(1.7))))
    layer = parameters_for((axis, AxisResize.identity(4)))
    assert layer is not None
    assert (layer.scale_height, layer.scale_width) == (float(np.float32(1.7)), 0.0)
    # A scale that float32 cannot hold is not rounded silently.
    assert parameters_for((AxisResize(5, 8, "linear", "half_pixel", scale=Fraction(17, 10)),) * 2) is None


def test_what_the_layer_cannot_compute_is_none() -> None:
    crop = AxisResize(5, 8, "linear", "tf_crop_and_resize", roi=(Fraction(1, 10), Fraction(9, 10)))
    mixed = (AxisResize(5, 8, "linear", "align_corners"), AxisResize(5, 8, "linear", "half_pixel"))
    assert parameters_for((crop, crop)) is None
    assert parameters_for(mixed) is None


def message_of(parameters: LayerParameters) -> SimpleNamespace:
    """Parameters as the simulator finds them in a file."""

    def value(content: object) -> SimpleNamespace:
        return SimpleNamespace(value=content, WhichOneof=lambda _: "value")

    values = {name: value(content) for name, content in parameters.to_dict().items()}
    return SimpleNamespace(className="RWAlignedResize", parameters=values)


def test_twin_equals_the_algebra() -> None:
    for case in random_cases(120, seed=3):
        found = custom(Layer("custom", "node", message_of(case.parameters), [case.image]))
        np.testing.assert_allclose(found, expected(case), rtol=0, atol=2e-6)


def test_twin_refuses_other_classes() -> None:
    message = message_of(LayerParameters(target_height=2, target_width=2))
    message.className = "SomebodysLayer"
    with pytest.raises(UnsupportedError, match="SomebodysLayer"):
        custom(Layer("custom", "node", message, [np.zeros((1, 2, 2), np.float32)]))


def resize_by_onnxruntime(parameters: dict, image: np.ndarray, shape: list[int]) -> np.ndarray:
    node = helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        mode=parameters["kind"],
        coordinate_transformation_mode=parameters["coordinates"],
        nearest_mode=parameters["rounding"],
        cubic_coeff_a=parameters["cubic_a"],
    )
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *image.shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.array([1, *shape]), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": image[None]})[0][0]


def test_golden_values_are_onnxruntimes(tmp_path: Path) -> None:
    own = (LayerParameters("linear", "align_corners", target_height=33, target_width=17), (9, 5))
    entries = json.loads(golden_json([own]))
    assert entries[0]["input_shape"] == [2, 9, 5]
    assert len(entries) == 5
    for entry in entries:
        image = picture(*entry["input_shape"])
        wanted = resize_by_onnxruntime(entry["parameters"], image, entry["output_shape"])
        assert entry["positions"][-1] == wanted.size - 1
        np.testing.assert_allclose(
            np.array(entry["values"]), wanted.ravel()[entry["positions"]], rtol=0, atol=1e-5
        )


def test_emitted_directory_is_complete(tmp_path: Path) -> None:
    entry = {
        "kind": "custom",
        "input_shape": [1, 3, 5, 6],
        "axis_order": [0, 1, 2, 3],
        "parameters": LayerParameters(target_height=9, target_width=11).to_dict(),
    }
    native = {**entry, "kind": "native"}
    written = emit_sources(tmp_path / "new", [entry, native])
    assert {path.name for path in written} == {
        "RWAlignedResize.h",
        "RWAlignedResize.m",
        "RWAlignedResize.metal",
        "RWAlignedResizeModel.swift",
        "RWAlignedResizeTests.m",
        "RWGolden.json",
        "rw_resize.c",
        "rw_resize.h",
        "rw_resize_index.h",
    }
    goldens = json.loads((tmp_path / "new" / "RWGolden.json").read_text())
    assert goldens[0]["name"] == "linear align_corners 5x6 to 9x11"
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError):
        emit_sources(blocked / "sub")

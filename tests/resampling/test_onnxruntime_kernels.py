"""The ONNX vocabulary against onnxruntime's kernels and the node tests of the onnx wheel."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from rewriter.resampling import OnnxResize, TensorResize

# onnxruntime itself and the text of the specification agree against these two: their expected values use the
# fractional output width (length × scale) where the text says length_resized.
CONTRADICT_THE_TEXT = {
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
}


def _node_tests() -> list:
    prefixes = ("test_resize", "test_upsample")
    return [case for case in load_model_tests(kind="node") if case.name.startswith(prefixes)]


@pytest.mark.parametrize("case", _node_tests(), ids=lambda case: case.name)
def test_node_tests_of_the_onnx_wheel(case) -> None:  # type: ignore[no-untyped-def]
    model = case.model
    node = model.graph.node[0]
    given, expected = case.data_sets[0]
    arrays = dict(zip([value.name for value in model.graph.input], given, strict=True))
    inputs = [arrays.get(name) if name else None for name in node.input] + [None] * 4
    roi, scales, sizes = (
        (None, inputs[1], None) if node.op_type == "Upsample" else (inputs[1], inputs[2], inputs[3])
    )
    spelled = OnnxResize.from_attributes(
        node.op_type,
        model.opset_import[0].version,
        {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
        scales=None if scales is None else scales.tolist(),
        sizes=None if sizes is None else sizes.tolist(),
        roi=None if roi is None else roi.tolist(),
    )
    (wanted,) = expected
    result = spelled.semantics(inputs[0].shape).apply(inputs[0])
    assert result.shape == wanted.shape
    if case.name in CONTRADICT_THE_TEXT:
        assert np.abs(result - wanted).max() > 0.5
        return
    np.testing.assert_allclose(result, wanted, atol=1e-5)


def _onnxruntime(attributes: dict, x: np.ndarray, sizes: list[int]) -> np.ndarray:
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(np.array(sizes, np.int64), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
def test_random_sizes_agree_with_onnxruntime(mode: str, coordinates: str) -> None:
    rng = np.random.default_rng(sum(map(ord, mode + coordinates)))
    compared = 0
    for _ in range(25):
        h, w, out_h, out_w = (int(v) for v in rng.integers(2, 33, size=4))
        x = rng.normal(size=(1, 2, h, w)).astype(np.float32)
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
        sizes = [1, 2, out_h, out_w]
        resize = OnnxResize.from_attributes("Resize", 18, attributes, sizes=sizes).semantics(x.shape)
        y = _onnxruntime(attributes, x, sizes)
        decided = _decided(resize) if mode == "nearest" else np.ones(y.shape, dtype=bool)
        np.testing.assert_allclose(resize.apply(x)[decided], y[decided], atol=1e-4)
        compared += int(decided.sum())
    assert compared >= 5000


def _decided(resize: TensorResize) -> np.ndarray:
    """Pixels whose coordinate is not within 1e-5 of an integer, where float32 may floor to the other side."""
    masks = []
    for axis in resize.axes:
        coordinates = np.array([float(x) for x in axis.source_coordinates()])
        tie = np.abs(coordinates - np.round(coordinates)) < 1e-5
        masks.append(~tie | axis.is_identity)
    return functools.reduce(np.multiply.outer, masks)

"""`scales` of inputs whose lengths are open become sizes that are computed in the graph, where that is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import passes
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, resize_model, run, tensor

PASS = ["explicit-sizes"]


def sized(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[Any, ...]]:
    """The model after the pass, and the notes, having checked what every rewrite has to keep."""
    model = Model.from_proto(proto)
    result = passes.run(model, PASS)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    assert all(change.effect == "respelling" and change.certificate for change in result.changes)
    again = Model.from_proto(written)
    assert passes.run(again, PASS).changes == ()
    assert again.to_bytes() == written.SerializeToString()
    return written, result.notes


def _ops(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def dynamic(
    scales: list[float], opset: int = 18, shape: list[Any] | None = None, **words: Any
) -> onnx.ModelProto:
    return resize_model(shape or ["N", 2, "H", "W"], [None] * 4, scales=scales, opset=opset, **words)


def same_numbers(before: onnx.ModelProto, after: onnx.ModelProto, lengths: range = range(1, 14)) -> None:
    random = np.random.default_rng(0)
    for height in lengths:
        for width in (1, 5, height):
            x = random.standard_normal((2, 2, height, width)).astype(np.float32)
            np.testing.assert_array_equal(run(after, {"x": x})[0], run(before, {"x": x})[0])


MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("opset", [11, 13, 18, 19])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_whole_scales_become_a_product_of_lengths(opset: int, mode: str) -> None:
    for grid in (*MODES, *(["half_pixel_symmetric"] if opset >= 19 else [])):
        proto = dynamic([1, 1, 2, 3], opset, mode=mode, coordinate_transformation_mode=grid)
        written, notes = sized(proto)
        assert _ops(written) == ["Shape", "Mul", "Resize"] and not notes
        same_numbers(proto, written, range(1, 8))


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("scale", [1.05, 1.5, 2.6, float(np.float32(5 / 3))])
def test_fractional_scales_of_align_corners_take_the_float32_product(
    opset: int, mode: str, scale: float
) -> None:
    proto = dynamic([1, 1, scale, 2], opset, mode=mode, coordinate_transformation_mode="align_corners")
    written, _ = sized(proto)
    assert _ops(written) == ["Shape", "Cast", "Mul", "Cast", "Resize"]
    same_numbers(proto, written, range(1, 24))


@pytest.mark.parametrize("grid", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_fractional_scales_that_sample_stay(grid: str, scale: float) -> None:
    proto = dynamic([1, 1, scale, 2], mode="linear", coordinate_transformation_mode=grid)
    written, notes = sized(proto)
    assert written == proto
    assert "length of an axis is not known" in notes[0].message and f"{scale:g}" in notes[0].message
    # Not out of caution: at odd lengths the sizes that these scales give sample another grid.
    lengths = [1, 2, int(5 * scale), 10]
    words = {"mode": "linear", "coordinate_transformation_mode": grid}
    by_sizes = resize_model([1, 2, 5, 5], lengths, sizes=lengths, **words)
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 5)).astype(np.float32)
    assert np.abs(run(proto, {"x": x})[0] - run(by_sizes, {"x": x})[0]).max() > 1e-3


def test_scales_that_are_computed_from_the_shape_become_the_size_that_they_aim_at() -> None:
    # target / length, as exporters write it for opset 10: 5 × float32(9/5) is 9 in float32, and 8 in float64.
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["lengths"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Div", ["target", "lengths"], ["scales"]),
        helper.make_node("Resize", ["x", "", "scales"], ["y"], name="up", mode="linear"),
    ]
    shape, target = [1, 2, 4, 5], [1, 2, 7, 9]
    proto = make_model(nodes, [info("x", shape)], [info("y", target)], [tensor("target", target)])
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for wanted in (
        PASS,
        ["fold-size-constants"],
        ["fold-size-constants", *PASS],
        [*PASS, "fold-size-constants"],
    ):
        model = Model.from_proto(proto)
        passes.run(model, wanted)
        written = model.to_proto()
        onnx.checker.check_model(written, full_check=True)
        np.testing.assert_array_equal(run(proto, {"x": x})[0], run(written, {"x": x})[0])
        assert _ops(written) == (["Resize"] if PASS[0] in wanted else _ops(proto))


def test_an_open_length_that_may_shrink_to_nothing_keeps_its_scale() -> None:
    words = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    proto = dynamic([1, 1, 0.3, 0.5], **words)
    written, notes = sized(proto)
    assert written == proto and "shrink it to nothing" in notes[0].message
    # From scales onnxruntime makes an empty image of one pixel, a size of 0 it refuses.
    x = np.zeros((1, 2, 1, 4), np.float32)
    assert run(proto, {"x": x})[0].shape == (1, 2, 0, 2)
    with pytest.raises(Exception, match="greater than 0"):
        run(resize_model([1, 2, 1, 4], [None] * 4, sizes=[1, 2, 0, 2], **words), {"x": x})


def test_an_antialiased_kernel_is_as_wide_as_the_scale_says() -> None:
    words = {"mode": "linear", "antialias": 1, "coordinate_transformation_mode": "align_corners"}
    written, notes = sized(dynamic([1, 1, 0.3, 0.3], **words))
    assert _ops(written) == ["Resize"] and "length of an axis is not known" in notes[0].message


def test_resizes_of_one_tensor_share_a_shape() -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "two"], ["a"], name="a", mode="linear"),
        helper.make_node("Resize", ["x", "", "two"], ["b"], name="b", mode="nearest"),
        helper.make_node("Resize", ["a", "", "two"], ["c"], name="c", mode="nearest"),
    ]
    image = info("x", ["N", 2, "H", "W"])
    proto = make_model(
        nodes, [image], [info(n, [None] * 4) for n in "bc"], [tensor("two", [1, 1, 2, 2])], opset=13
    )
    written, _ = sized(proto)
    assert _ops(written).count("Shape") == 2  # of x, and of a
    proto.graph.node.insert(0, helper.make_node("Shape", ["x"], ["there"]))
    proto.graph.output.append(info("there", [4], onnx.TensorProto.INT64))
    assert _ops(sized(proto)[0]).count("Shape") == 2  # the one that is there serves


def test_known_and_open_lengths_in_one_node() -> None:
    # 7 × float32(31/7) is 30 in float32: the declared 31 has to be a number of its own beside the open height.
    scale = float(np.float32(31 / 7))
    words = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    for opset in (13, 18):
        proto = resize_model([1, 2, "H", 7], [1, 2, None, 31], scales=[1, 1, 2, scale], opset=opset, **words)
        model = Model.from_proto(proto)
        passes.run(model, PASS)
        written = model.to_proto()
        onnx.checker.check_model(written, full_check=True)
        x = np.random.default_rng(0).standard_normal((1, 2, 4, 7)).astype(np.float32)
        assert run(written, {"x": x})[0].shape == (1, 2, 8, 31)


def test_identities_keep_their_scales_for_the_pass_that_removes_them() -> None:
    written, notes = sized(dynamic([1, 1, 1, 1], mode="linear"))
    assert _ops(written) == ["Resize"] and "drop-identity-resize" in notes[0].message


@pytest.mark.parametrize("axes", [[2, 3], [-2, -1], [3, 1]])
def test_unknown_ranks_inside_functions(axes: list[int]) -> None:
    words: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "axes": axes}
    body = [
        helper.make_node("Constant", [], ["k"], value=tensor("", [2, 3])),
        helper.make_node("Resize", ["a", "", "k"], ["o"], name="up", **words),
    ]
    function = helper.make_function("local", "Up", ["a"], ["o"], body, [helper.make_opsetid("", 18)])
    proto = make_model(
        [helper.make_node("Up", ["x"], ["y"], domain="local")],
        [info("x", [2, 3, 4, 5])],
        [info("y", [None] * 4)],
        functions=[function],
        domains={"local": 1},
    )
    written, _ = sized(proto)
    assert [n.op_type for n in written.functions[0].node if n.op_type != "Constant"][-2:] == ["Mul", "Resize"]
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(proto, {"x": x})[0], run(written, {"x": x})[0])


def test_a_crop_that_keeps_the_length_of_an_axis_stays() -> None:
    # Given sizes, onnxruntime copies an axis whose length stays and does not crop it.
    words = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    proto = resize_model([1, 1, 4, 7], [None] * 4, scales=[1, 1, 2, 1.05], **words)
    proto.graph.initializer.append(tensor("roi", [0, 0, 0.1, 0.2, 1, 1, 0.7, 0.8]))
    proto.graph.node[0].input[1] = "roi"
    model = Model.from_proto(proto)
    result = passes.run(model, PASS)
    assert not model.is_edited and "copies an axis" in result.notes[0].message


# -- shapes that cannot be relied on --------------------------------------------------------------------------


def chain(*nodes: onnx.NodeProto, shape: list[Any], constants: dict[str, Any]) -> onnx.ModelProto:
    """Resize A by float32(5/3), a Relu, and `nodes` from ``b`` to ``y``; no shape but the input's is declared."""
    head = [
        helper.make_node("Resize", ["x", "", "five_thirds"], ["a"], name="A", mode="linear"),
        helper.make_node("Relu", ["a"], ["b"]),
    ]
    tensors = [tensor("five_thirds", [1, 1, 5 / 3, 5 / 3])]
    tensors += [tensor(k, v, np.float32 if k.startswith("f") else np.int64) for k, v in constants.items()]
    return make_model([*head, *nodes], [info("x", shape)], [info("y", [None] * 4)], tensors)


def up(name: str, source: str, target: str, *controls: str, mode: str = "linear") -> onnx.NodeProto:
    return helper.make_node("Resize", [source, *controls], [target], name=name, mode=mode)


TAILS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    # 3 × float32(5/3) is 5 in onnxruntime; inference says 4. What follows must not be computed from the 4.
    "scales": ([up("B", "b", "y", "", "f2")], {"f2": [1, 1, 2, 2]}),
    "fractional scales": ([up("B", "b", "y", "", "f15")], {"f15": [1, 1, 1.4, 1.4]}),
    "its shape": (
        [
            helper.make_node("Shape", ["b"], ["n"]),
            helper.make_node("Mul", ["n", "k"], ["z"]),
            up("B", "b", "y", "", "", "z"),
        ],
        {"k": [1, 1, 2, 2]},
    ),
    "computed scales": (
        [
            helper.make_node("Shape", ["b"], ["n"]),
            helper.make_node("Cast", ["n"], ["m"], to=1),
            helper.make_node("Div", ["ft", "m"], ["s"]),
            up("B", "b", "y", "", "s"),
        ],
        {"ft": [1, 1, 7, 7]},
    ),
    "an identity by the wrong length": ([up("B", "b", "y", "", "", "z4")], {"z4": [1, 1, 4, 4]}),
    "three in a row": (
        [up("B", "b", "c", "", "five_thirds"), up("C", "c", "d", "", "f2"), up("D", "d", "y", "", "f2")],
        {"f2": [1, 1, 2, 2]},
    ),
}


@pytest.mark.parametrize(
    "wanted", [*((name,) for name in passes.DEFAULT), passes.DEFAULT], ids=lambda n: n[-1]
)
@pytest.mark.parametrize("tail", TAILS)
def test_lengths_behind_a_disputed_resize_are_not_believed(tail: str, wanted: tuple[str, ...]) -> None:
    nodes, constants = TAILS[tail]
    proto = chain(*nodes, shape=[1, 1, 3, 3], constants=constants)
    x = np.random.default_rng(0).standard_normal((1, 1, 3, 3)).astype(np.float32)
    model = Model.from_proto(proto)
    passes.run(model, wanted, intent="preserve")
    written = model.to_proto()
    np.testing.assert_array_equal(run(written, {"x": x})[0], run(proto, {"x": x})[0])
    again = Model.from_proto(written)
    assert passes.run(again, wanted, intent="preserve").changes == ()
    assert again.to_bytes() == written.SerializeToString()


def test_a_disputed_resize_inside_a_function_or_branch() -> None:
    body = [
        helper.make_node("Constant", [], ["k"], value=tensor("", [1, 1, 5 / 3, 1.1])),
        up("A", "i", "o", "", "k", mode="nearest"),
    ]
    function = helper.make_function("local", "Up", ["i"], ["o"], body, [helper.make_opsetid("", 18)])
    call = helper.make_node("Up", ["x"], ["a"], domain="local")
    tail = [helper.make_node("Relu", ["a"], ["b"]), up("B", "b", "y", "", "f2")]
    constants = [tensor("f2", [1, 1, 2, 2])]
    image, result = [info("x", [1, 1, 3, 4])], [info("y", [None] * 4)]
    proto = make_model([call, *tail], image, result, constants, functions=[function], domains={"local": 1})
    x = np.random.default_rng(0).standard_normal((1, 1, 3, 4)).astype(np.float32)
    for wanted in (PASS, passes.DEFAULT):
        model = Model.from_proto(proto)
        passes.run(model, wanted, intent="preserve")
        np.testing.assert_array_equal(run(model.to_proto(), {"x": x})[0], run(proto, {"x": x})[0])


def test_nothing_is_proved_at_lengths_that_are_not_believed() -> None:
    # Inference says that B keeps a length of 4, where every mode is the same; onnxruntime runs it from 5 to 4.
    proto = chain(up("B", "b", "y", "", "", "z4"), shape=[1, 1, 3, 3], constants={"z4": [1, 1, 4, 4]})
    result = passes.run(
        Model.from_proto(proto), ["normalize-resize"], rules=["B=align_corners", "A=preserve"]
    )
    (change,) = result.changes
    assert change.effect == "correction" and change.max_shift_px is None
    # What the file declares for A is what A will have after explicit-sizes.
    proto.graph.value_info.extend([info("a", [1, 1, 5, 5]), info("b", [1, 1, 5, 5])])
    result = passes.run(
        Model.from_proto(proto), ["normalize-resize"], rules=["B=align_corners", "A=preserve"]
    )
    assert result.changes[0].max_shift_px is not None

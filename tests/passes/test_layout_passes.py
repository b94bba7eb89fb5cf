"""Cancelling and sinking Transposes: bit-identical values, never more Transposes, nothing to do twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import passes
from passes.layout.permutation import behind, compose, inverse
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check_all

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
SHAPE = [2, 4, 5, 3]
BOTH = ["cancel-transposes", "sink-transposes"]


def t(source: str, target: str, perm: list[int]) -> onnx.NodeProto:
    return helper.make_node("Transpose", [source], [target], name=f"t_{target}", perm=perm)


def up(source: str, target: str, controls: list[str], **attributes: Any) -> onnx.NodeProto:
    words = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", **attributes}
    return helper.make_node("Resize", [source, *controls], [target], name=f"up_{target}", **words)


def transposes(proto: onnx.ModelProto) -> int:
    graphs, count = [proto.graph, *proto.functions], 0
    while graphs:
        for node in graphs.pop().node:
            count += node.op_type == "Transpose"
            graphs += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return count


def after(proto: onnx.ModelProto, wanted: list[str], feeds: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model after the passes, having checked what the passes promise."""
    model = Model.from_proto(proto)
    result = passes.run(model, wanted)
    check_all(result.changes)
    written = model.to_proto()
    onnx.checker.check_model(written, full_check=True)
    for a, b in zip(run(proto, feeds), run(written, feeds), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert [o.name for o in written.graph.output] == [o.name for o in proto.graph.output]
    assert transposes(written) <= transposes(proto)
    assert all(change.effect != "correction" and change.certificate for change in result.changes)
    again = Model.from_proto(written)
    assert passes.run(again, wanted).changes == ()
    assert again.to_bytes() == written.SerializeToString()
    return written


def model_of(
    nodes: list[onnx.NodeProto],
    *constants: onnx.TensorProto,
    outputs: tuple[str, ...] = ("y",),
    shape: list[Any] = SHAPE,
    **more: Any,
) -> onnx.ModelProto:
    declared = [info(name, [None] * 4) for name in outputs]
    return make_model(nodes, [info("x", shape)], declared, list(constants), opset=18, **more)


X = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
SCALES = tensor("s", [1, 1, 2, 3])
SIZES = tensor("z", [2, 3, 8, 7], np.int64)


def _ops(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def test_permutations() -> None:
    a = np.arange(24).reshape(2, 3, 4)
    for p in ((0, 1, 2), (1, 2, 0), (2, 1, 0)):
        for q in ((0, 1, 2), (1, 2, 0), (0, 2, 1)):
            np.testing.assert_array_equal(a.transpose(p).transpose(q), a.transpose(compose(p, q)))
        np.testing.assert_array_equal(a.transpose(p).transpose(inverse(p)), a)
        assert behind(p, a.transpose(p).shape) == list(a.shape)


# -- cancel-transposes ----------------------------------------------------------------------------------------


def test_inverse_pairs_rows_and_identities_disappear() -> None:
    nodes = [
        t("x", "a", TO_NCHW),
        t("a", "b", TO_NHWC),
        helper.make_node("Relu", ["b"], ["c"]),
        t("c", "d", [0, 1, 2, 3]),
        t("d", "e", TO_NHWC),
        t("e", "f", [3, 2, 1, 0]),
        helper.make_node("Neg", ["f"], ["y"]),
    ]
    written = after(model_of(nodes), ["cancel-transposes"], {"x": X})
    assert _ops(written) == ["Relu", "Transpose", "Neg"]


def test_a_transpose_with_other_readers_is_not_copied() -> None:
    nodes = [t("x", "a", TO_NCHW), t("a", "b", [0, 2, 1, 3]), helper.make_node("Neg", ["a"], ["c"])]
    written = after(model_of(nodes, outputs=("b", "c")), ["cancel-transposes"], {"x": X})
    assert transposes(written) == 2
    nodes = [t("x", "a", TO_NCHW), t("a", "b", TO_NHWC), helper.make_node("Neg", ["a"], ["c"])]
    written = after(model_of(nodes, outputs=("b", "c")), ["cancel-transposes"], {"x": X})
    assert _ops(written) == ["Transpose", "Identity", "Neg"]


def test_outputs_keep_their_names() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), t("r", "a", TO_NCHW), t("a", "y", TO_NHWC)]
    written = after(model_of(nodes, outputs=("y", "a")), ["cancel-transposes"], {"x": X})
    assert [(n.op_type, list(n.output)) for n in written.graph.node] == [
        ("Relu", ["y"]),
        ("Transpose", ["a"]),
    ]


def test_a_merged_transpose_that_undoes_another_is_seen_once() -> None:
    nodes = [t("x", "a", TO_NCHW), t("a", "y", [0, 2, 1, 3]), t("a", "z", TO_NHWC)]
    written = after(model_of(nodes, outputs=("y", "z")), ["cancel-transposes"], {"x": X})
    assert _ops(written) == ["Transpose", "Identity"]


# -- sink-transposes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("controls", "constant"),
    [(["", "s"], SCALES), (["", "", "z"], SIZES)],
    ids=["scales", "sizes"],
)
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_the_pair_around_a_resize(controls: list[str], constant: onnx.TensorProto, mode: str) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        t("r", "a", TO_NCHW),
        up("a", "b", controls, mode=mode),
        t("b", "c", TO_NHWC),
        helper.make_node("Neg", ["c"], ["y"]),
    ]
    written = after(model_of(nodes, constant), ["sink-transposes"], {"x": X})
    assert _ops(written) == ["Relu", "Resize", "Neg"]


def test_axes_and_roi_follow() -> None:
    words = {"mode": "nearest", "coordinate_transformation_mode": "tf_crop_and_resize"}
    for attributes, roi, sizes in (
        ({"axes": [2, -1]}, [0.1, 0.2, 0.7, 0.9], [6, 7]),
        ({}, [0, 0, 0.1, 0.2, 1, 1, 0.7, 0.9], [2, 3, 6, 7]),
    ):
        resize = up("a", "b", ["roi", "", "z"], **words, **attributes)
        nodes = [t("x", "a", TO_NCHW), resize, t("b", "y", TO_NHWC)]
        proto = model_of(nodes, tensor("roi", roi), tensor("z", sizes, np.int64))
        written = after(proto, ["sink-transposes"], {"x": X})
        assert _ops(written) == ["Resize"]
        if attributes:
            (axes,) = (a.ints for a in written.graph.node[0].attribute if a.name == "axes")
            assert list(axes) == [1, 2]


def test_computed_sizes_are_permuted_in_the_graph() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["nhwc"]),
        helper.make_node("Gather", ["nhwc", "order"], ["nchw"]),
        helper.make_node("Mul", ["nchw", "two"], ["z"]),
        t("x", "a", TO_NCHW),
        up("a", "b", ["", "", "z"], mode="nearest"),
        t("b", "y", TO_NHWC),
    ]
    proto = model_of(
        nodes, tensor("order", [0, 3, 1, 2], np.int64), tensor("two", [1, 1, 2, 2], np.int64),
        shape=["N", "H", "W", 3],
    )  # fmt: skip
    written = after(proto, ["sink-transposes"], {"x": X})
    assert _ops(written) == ["Shape", "Gather", "Mul", "Gather", "Resize"]


@pytest.mark.parametrize(
    ("attributes", "scales", "why"),
    [
        ({"mode": "cubic"}, [1, 1, 2, 2], "another order"),
        ({"mode": "linear", "antialias": 1}, [1, 1, 0.5, 0.5], "another order"),
        # The height keeps its length: onnxruntime takes its NCHW kernel for [1, 1, s, 1], with other last bits.
        ({"mode": "linear"}, [1, 1, 1, 2], "no kernel"),
    ],
)
def test_resizes_that_would_round_differently_stay(
    attributes: dict[str, Any], scales: list[float], why: str
) -> None:
    nodes = [t("x", "a", TO_NCHW), up("a", "b", ["", "s"], **attributes), t("b", "y", TO_NHWC)]
    proto = model_of(nodes, tensor("s", scales))
    model = Model.from_proto(proto)
    result = passes.run(model, ["sink-transposes"])
    assert not model.is_edited
    assert any(why in note.message for note in result.notes)


def test_elementwise_operators_constants_and_partners() -> None:
    nodes = [
        t("x", "a", TO_NCHW),
        helper.make_node("Mul", ["a", "gain"], ["m"]),
        helper.make_node("Relu", ["m"], ["r"]),
        up("r", "u", ["", "s"]),
        up("a", "v", ["", "s"], mode="nearest"),
        helper.make_node("Add", ["u", "v"], ["w"]),
        helper.make_node("Concat", ["w", "u"], ["k"], axis=1),
        helper.make_node("Clip", ["k", "low"], ["l"]),
        t("l", "y", TO_NHWC),
    ]
    proto = model_of(nodes, tensor("gain", [[[2.0]], [[3.0]], [[4.0]]]), SCALES, tensor("low", -0.5))
    written = after(proto, ["sink-transposes"], {"x": X})
    assert transposes(written) == 0


def test_two_become_one_before_a_convolution() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["x2"]),
        t("x", "a", TO_NCHW),
        t("x2", "b", TO_NCHW),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Conv", ["c", "w"], ["y"]),
    ]
    written = after(model_of(nodes, tensor("w", np.ones((1, 3, 1, 1)))), ["sink-transposes"], {"x": X})
    assert _ops(written) == ["Relu", "Add", "Transpose", "Conv"]


@pytest.mark.parametrize(
    "nodes",
    [
        # Nothing behind undoes it.
        [t("x", "a", TO_NCHW), up("a", "b", ["", "s"]), helper.make_node("Conv", ["b", "w"], ["y"])],
        # Others need both sides: as many would come as go.
        [
            t("x", "a", TO_NCHW),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w"], ["d"]),
            helper.make_node("Conv", ["a", "w"], ["e"]),
            helper.make_node("Add", ["d", "e"], ["f"]),
            t("b", "c", TO_NHWC),
            helper.make_node("ReduceMax", ["c"], ["g"], keepdims=0),
            helper.make_node("Add", ["f", "g"], ["y"]),
        ],
    ],
)
def test_nothing_is_moved_where_nothing_is_saved(nodes: list[onnx.NodeProto]) -> None:
    model = Model.from_proto(model_of(nodes, SCALES, tensor("w", np.ones((1, 3, 1, 1)))))
    passes.run(model, ["sink-transposes"])
    assert not model.is_edited


def test_a_large_constant_is_not_rearranged() -> None:
    nodes = [t("x", "a", TO_NCHW), helper.make_node("Mul", ["a", "w"], ["b"]), t("b", "y", TO_NHWC)]
    weights = np.random.default_rng(1).standard_normal((1, 3, 64, 64))
    model = Model.from_proto(model_of(nodes, tensor("w", weights), shape=[1, 64, 64, 3]))
    passes.run(model, ["sink-transposes"])
    assert not model.is_edited


def test_operators_whose_last_bits_depend_on_the_place_stay() -> None:
    for op in ("Elu", "Softplus", "Log"):
        nodes = [t("x", "a", TO_NCHW), helper.make_node(op, ["a"], ["b"]), t("b", "y", TO_NHWC)]
        model = Model.from_proto(model_of(nodes))
        passes.run(model, ["sink-transposes"])
        assert not model.is_edited


def test_branches_and_functions_too() -> None:
    def body(x: str, y: str, prefix: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Constant", [], [f"{prefix}s"], value=SCALES),
            t(x, f"{prefix}a", TO_NCHW),
            up(f"{prefix}a", f"{prefix}b", ["", f"{prefix}s"], mode="nearest"),
            t(f"{prefix}b", y, TO_NHWC),
        ]

    then = helper.make_graph(body("x", "t", "t"), "then", [], [info("t", [2, 8, 15, 3])])
    other = helper.make_graph(
        [helper.make_node("Up", ["x"], ["e"], domain="local")], "else", [], [info("e", [2, 8, 15, 3])]
    )
    function = helper.make_function(
        "local", "Up", ["i"], ["o"], body("i", "o", "f"), [helper.make_opsetid("", 18)]
    )
    proto = make_model(
        [helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        [info("x", SHAPE), info("c", [], TensorProto.BOOL)],
        [info("y", [2, 8, 15, 3])],
        functions=[function],
        domains={"local": 1},
    )
    for value in (True, False):
        written = after(proto, ["sink-transposes"], {"x": X, "c": np.array(value)})
    assert transposes(written) == 0


def _random_network(random: np.random.Generator) -> onnx.ModelProto:
    """A random graph of Transposes, resizes and element-wise nodes, and sometimes one that needs a layout."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = [tensor("gain", [1.5, -2.0, 0.5]), tensor("one", 1.0)]
    layouts = {"x": "NHWC"}
    shapes = {"x": SHAPE}
    orders = {"NHWC": TO_NCHW, "NCHW": TO_NHWC}
    for index in range(int(random.integers(3, 14))):
        source = str(random.choice(list(layouts)))
        layout, shape, target = layouts[source], shapes[source], f"v{index}"
        kind = str(random.choice(["t", "t", "t", "unary", "up", "gain", "pair", "concat", "elu"]))
        if kind == "t":
            perm = orders[layout] if random.random() < 0.85 else [0, 2, 1, 3]
            nodes.append(t(source, target, perm))
            shapes[target] = [shape[a] for a in perm]
            layouts[target] = "NCHW" if perm == TO_NCHW else "NHWC" if perm == TO_NHWC else layout
            continue
        if kind in ("pair", "concat"):
            partners = [name for name in shapes if shapes[name] == shape]
            other = str(random.choice(partners))
            if kind == "pair":
                nodes.append(helper.make_node("Add", [source, other], [target]))
                shapes[target] = shape
            else:
                axis = int(random.integers(1, 4))
                nodes.append(helper.make_node("Concat", [source, other], [target], axis=axis - 4))
                shapes[target] = [n * (2 if a == axis else 1) for a, n in enumerate(shape)]
        elif kind == "up":
            height = 1 if layout == "NHWC" else 2
            factors = [1.0, 1.0, 1.0, 1.0]
            factors[height], factors[height + 1] = (float(f) for f in random.choice([1, 2, 3], 2))
            if max(shape) * max(factors) > 40:
                factors = [1.0] * 4
            constants.append(tensor(f"s{index}", factors))
            mode = str(random.choice(["linear", "nearest"]))
            nodes.append(up(source, target, ["", f"s{index}"], mode=mode))
            shapes[target] = [int(n * f) for n, f in zip(shape, factors, strict=True)]
        elif kind == "gain" and shape[-1] == 3:
            nodes.append(helper.make_node("Mul", [source, "gain"], [target]))
            shapes[target] = shape
        else:
            op = "Elu" if kind == "elu" else str(random.choice(["Relu", "Neg", "Sigmoid"]))
            nodes.append(helper.make_node(op, [source], [target]))
            shapes[target] = shape
        layouts[target] = layout
    read = {name for node in nodes for name in node.input}
    results = [name for name in layouts if name != "x" and (name not in read or random.random() < 0.15)]
    return make_model(nodes, [info("x", SHAPE)], [info(n, shapes[n]) for n in results], constants, opset=18)


def _sweep(count: int, seed: int) -> int:
    random = np.random.default_rng(seed)
    saved = 0
    for _ in range(count):
        proto = _random_network(random)
        for wanted in (["cancel-transposes"], ["sink-transposes"], BOTH, BOTH[::-1]):
            written = after(proto, wanted, {"x": X})
            saved += transposes(proto) - transposes(written)
    return saved


def test_random_networks_keep_every_bit() -> None:
    assert _sweep(120, seed=1) > 100


@pytest.mark.slow
def test_random_networks_keep_every_bit_in_a_long_sweep() -> None:
    assert _sweep(3000, seed=2) > 2500

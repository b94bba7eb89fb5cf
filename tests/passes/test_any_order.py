"""Every pass alone and in any order: values stay under --intent preserve, and a pass run twice finds nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import passes
from rewriter.errors import UnsupportedError
from rewriter.model import Model
from tests.model.onnx_models import info, make_model, run, tensor
from tests.passes.independent_checker import check_all

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
GRIDS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


def _block(
    random: np.random.Generator, source: str, target: str, key: str, opset: int
) -> list[onnx.NodeProto]:
    """A resize in NHWC, with its size or scale given in one of the ways that exporters know."""
    mode = str(random.choice(["nearest", "linear", "cubic"]))
    words: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": str(random.choice(GRIDS))}
    if random.random() < 0.3:
        del words["coordinate_transformation_mode"]
    if mode == "nearest" and random.random() < 0.5:
        words["nearest_mode"] = str(random.choice(["floor", "ceil", "round_prefer_ceil"]))
    if mode == "nearest" and opset < 13 and random.random() < 0.5:
        words |= {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}
    if opset < 11:
        words = {"mode": "nearest" if mode == "cubic" else mode}

    def value(name: str, values: Any, dtype: Any) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [f"{key}{name}"], value=tensor("", values, dtype))

    def node(op: str, inputs: list[str], name: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(op, [f"{key}{each}" for each in inputs], [f"{key}{name}"], **attributes)

    nodes = [helper.make_node("Transpose", [source], [f"{key}a"], perm=TO_NCHW)]
    kind = str(
        random.choice(["scales", "product", "sizes", "fractional"] if opset >= 11 else ["scales", "product"])
    )
    if kind in ("scales", "fractional"):
        factors = [1, 1, 2, 3] if kind == "scales" else [1, 1, 1.5, 1.5]
        nodes += [value("s", factors, np.float32)]
    elif kind == "product":
        nodes += [value("k", [1, 1, 2, 1], np.float32), value("l", [1, 1, 1, 2], np.float32)]
        nodes += [node("Mul", ["k", "l"], "s")]
    else:
        nodes += [
            helper.make_node("Shape", [source], [f"{key}n"]),
            value("o", [0, 3, 1, 2], np.int64),
            value("t", [1, 1, 2, 2], np.int64),
            node("Gather", ["n", "o"], "c"),
            node("Mul", ["c", "t"], "z"),
        ]
    inputs = [f"{key}a", f"{key}s"]
    if opset >= 11:
        nodes.append(value("e", [], np.float32))
        inputs = (
            [f"{key}a", f"{key}e", f"{key}s"]
            if kind != "sizes"
            else [f"{key}a", f"{key}e", f"{key}e", f"{key}z"]
        )
    nodes.append(helper.make_node("Resize", inputs, [f"{key}r"], name=f"{key}up", **words))
    return [*nodes, helper.make_node("Transpose", [f"{key}r"], [target], perm=TO_NHWC)]


def network(random: np.random.Generator) -> onnx.ModelProto:
    """Two resizes in the main graph, one in a branch, one in a function."""
    opset = int(random.choice([10, 11, 13, 18]))
    shape = [1, 3, 4, 2] if random.random() < 0.5 else ["N", "H", "W", 2]
    function = helper.make_function(
        "local", "Up", ["i"], ["o"], _block(random, "i", "o", "f", opset), [helper.make_opsetid("", opset)]
    )
    rank4 = [None] * 4
    then = helper.make_graph(_block(random, "m", "t", "t", opset), "then", [], [info("t", rank4)])
    call = helper.make_node("Up", ["m"], ["e"], domain="local")
    other = helper.make_graph([call], "else", [], [info("e", rank4)])
    nodes = [
        *_block(random, "x", "p", "a", opset),
        helper.make_node("Relu", ["p"], ["q"]),
        *_block(random, "q", "m", "b", opset),
        helper.make_node("If", ["c"], ["y"], name="if", then_branch=then, else_branch=other),
    ]
    inputs = [info("x", shape), info("c", [], TensorProto.BOOL)]
    return make_model(
        nodes, inputs, [info("y", rank4)], opset=opset, functions=[function], domains={"local": 1}
    )


def _sweep(count: int, seed: int) -> int:
    random = np.random.default_rng(seed)
    ours = [name for name in passes.names() if passes.get(name).__module__.startswith("passes.")]
    changes = 0
    for _ in range(count):
        proto = network(random)
        feeds = [
            {"x": random.standard_normal((1, 3, 4, 2)).astype(np.float32), "c": np.array(branch)}
            for branch in (True, False)
        ]
        expected = [run(proto, feed)[0] for feed in feeds]
        order = [str(name) for name in random.permutation(ours)]
        # Each pass on a file, as the command runs it; then the default ones at once.
        written = proto
        for wanted in (*([name] for name in order), passes.DEFAULT):
            model = Model.from_proto(written)
            try:
                made = passes.run(model, wanted, intent="preserve").changes
            except UnsupportedError:
                continue
            check_all(made)
            changes += len(made)
            written = model.to_proto()
            again = Model.from_proto(written)
            assert passes.run(again, wanted, intent="preserve").changes == (), (wanted, order)
            assert again.to_bytes() == written.SerializeToString(), (wanted, order)
        onnx.checker.check_model(written, full_check=True)
        for feed, wanted in zip(feeds, expected, strict=True):
            found = run(written, feed)[0]
            assert found.shape == wanted.shape, order
            # Fusing and recovering passes may add in another order; all others keep every bit.
            # Expressed through matrices the same sum is taken in another order; the promise is 1e-5.
            atol = 1e-5 if "express-as-align-corners" in order else 2e-6
            np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, err_msg=str(order))
        model = Model.from_proto(proto)
        passes.run(model, intent="preserve")
        first = model.to_proto()
        again = Model.from_proto(first)
        assert passes.run(again, intent="preserve").changes == ()
        assert again.to_bytes() == first.SerializeToString()
        for feed, wanted in zip(feeds, expected, strict=True):
            np.testing.assert_array_equal(run(first, feed)[0], wanted)
    return changes


def test_any_order_of_all_passes_keeps_the_values() -> None:
    assert _sweep(40, seed=11) > 1000


@pytest.mark.slow
def test_any_order_of_all_passes_keeps_the_values_in_a_long_sweep() -> None:
    assert _sweep(1500, seed=12) > 30000

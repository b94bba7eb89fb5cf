"""Valid files that the fuzzer damages."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import onnx
from onnx import TensorProto, helper
from onnx.backend.test.loader import load_model_tests

from tests.evidence.random_networks import build
from tests.model.every_field import model_with_every_field
from tests.model.onnx_models import everything, info, make_model, tensor
from tests.passes.recurrent_loops import gru_body, loop_model

__all__ = ["SEEDS", "rules"]

_LARGEST = 20_000
"""Bytes; a small file meets more of its structure per mutation."""


@lru_cache(maxsize=1)
def models() -> tuple[tuple[str, bytes], ...]:
    """ONNX files by name: all Resize and Upsample tests of the onnx wheel, a cut through its others, and our own."""
    found: dict[str, bytes] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, while the wheel makes its expected values
        cases = sorted(load_model_tests(kind="node"), key=lambda case: case.name)
    for number, case in enumerate(cases):
        if "resize" in case.name or "upsample" in case.name or number % 40 == 0:
            proto = case.model if case.model is not None else onnx.load(f"{case.model_dir}/model.onnx")
            data = proto.SerializeToString()
            if len(data) <= _LARGEST:
                found[case.name] = data
    found["every field"] = model_with_every_field().SerializeToString()
    found["everything"] = everything().SerializeToString()
    found["loop"] = loop_model(*gru_body()).SerializeToString()
    found["branches and functions"] = _nested().SerializeToString()
    found["external data"] = _external().SerializeToString()
    for kind in ("unet", "mixed"):
        found[kind] = build(kind, 2, 1).SerializeToString()
    return tuple(found.items())


def _nested() -> onnx.ModelProto:
    resize = helper.make_node("Resize", ["x", "", "s"], ["r"], name="up", mode="linear")
    then = helper.make_graph(
        [resize], "then", [], [info("r", [1, 1, 4, 4])], [tensor("s", [1.0, 1.0, 2.0, 2.0])]
    )
    call = helper.make_node("Up", ["x"], ["f"], domain="local", mode="nearest")
    other = helper.make_graph([call], "else", [], [info("f", [1, 1, 4, 4])])
    body = [
        helper.make_node("Constant", [], ["k"], value_floats=[1.0, 1.0, 2.0, 2.0]),
        helper.make_node("Resize", ["a", "", "k"], ["b"], name="inner"),
    ]
    mode = body[1].attribute.add()
    mode.name, mode.ref_attr_name, mode.type = "mode", "mode", onnx.AttributeProto.STRING
    function = helper.make_function(
        "local", "Up", ["a"], ["b"], body, [helper.make_opsetid("", 18)], attributes=["mode"]
    )
    return make_model(
        [helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        [info("x", [1, 1, 2, 2]), info("c", [], TensorProto.BOOL)],
        [info("y", [1, 1, 4, 4])],
        functions=[function],
        domains={"local": 1},
    )


def _external() -> onnx.ModelProto:
    weights = tensor("w", [1.0] * 4)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", "offset": "0", "length": "16"}.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return make_model(
        [helper.make_node("Mul", ["x", "w"], ["y"])], [info("x", [4])], [info("y", [4])], [weights]
    )


def rules() -> tuple[tuple[str, bytes], ...]:
    """Files of intent rules."""
    texts = {
        "plain": '[[rule]]\nname = "*/up*"\nintent = "half_pixel"\n',
        "two": '[[rule]]\nmode = "linear"\nintent = "align_corners"\n\n[[rule]]\nname = "x"\nintent = "preserve"\n',
    }
    return tuple((name, text.encode()) for name, text in texts.items())


SEEDS: dict[str, Callable[[], tuple[tuple[str, bytes], ...]]] = {
    "reader": models,
    "rewrite": models,
    "rules": rules,
}

"""`--intent preserve` keeps every number that onnxruntime computes, and a second run changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from rewriter.errors import InputError
from rewriter.model import Model
from rewriter.rewriting import rewrite
from tests.model.onnx_models import info, make_model, resize_model, run, tensor
from tests.passes.independent_checker import check_all


def preserve(model: onnx.ModelProto) -> onnx.ModelProto:
    """The rewritten model, checked, after asserting that rewriting it again gives the same bytes."""
    done = rewrite(Model.from_proto(model), intent="preserve")
    done.check()
    check_all(done.changes)
    assert not any(change.effect == "correction" and change.max_shift_px for change in done.changes)
    written = done.model.to_proto()
    again = rewrite(Model.from_proto(written), intent="preserve")
    assert again.changes == ()
    assert again.model.to_bytes() == written.SerializeToString()
    return written


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("constant", [False, True], ids=["inputs", "constants"])
def test_the_resize_node_tests_of_onnx_keep_their_outputs(constant: bool) -> None:
    from onnx.backend.test.case.node import collect_testcases

    cases = [case for case in collect_testcases(None) if "resize" in case.name or "upsample" in case.name]
    assert len(cases) >= 40
    for case in cases:
        values = case.data_sets[0][0]
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        feeds = {entry.name: value for entry, value in zip(model.graph.input, values, strict=True)}
        if constant:
            del model.graph.input[1:]
            for name in list(feeds)[1:]:
                model.graph.initializer.append(numpy_helper.from_array(feeds.pop(name), name))
        expected = run(model, feeds)
        actual = run(preserve(model), feeds)
        for a, b in zip(expected, actual, strict=True):
            assert a.shape == b.shape, case.name
            np.testing.assert_array_equal(a, b, err_msg=case.name)


SCALES = (0.25, 0.3, 1 / 3, 0.5, 0.7, 0.9, 1.0, 1.25, 1.5, 2.0, 2.6, 3.0)


def _old_model(random: np.random.Generator) -> tuple[onnx.ModelProto, str]:
    opset = int(random.choice([7, 8, 9, 10]))
    mode = str(random.choice(["nearest", "linear"]))
    lengths = [int(n) for n in random.integers(1, 14, 2)]
    allowed = SCALES if opset == 10 else tuple(scale for scale in SCALES if scale >= 1)
    scales = [1.0, 1.0, *(float(s) for s in random.choice(allowed, 2))]
    if random.random() < 0.4:  # a quotient of lengths, as exporters write it
        wanted = int(random.integers(1 if opset == 10 else lengths[0], 30))
        scales[2] = wanted / lengths[0]
    inputs, initializers = ["x"], []
    attributes: dict[str, Any] = {"mode": mode}
    if opset < 9:
        attributes["scales"] = scales
    else:
        inputs.append("s")
        initializers.append(tensor("s", scales))
    node = helper.make_node("Resize" if opset == 10 else "Upsample", inputs, ["y"], name="up", **attributes)
    after = [int(np.float32(n) * np.float32(s)) for n, s in zip(lengths, scales[2:], strict=True)]
    declared = [1, 2, *after] if random.random() < 0.5 and min(after) > 0 else [None] * 4
    model = make_model(
        [node],
        [info("x", [1, 2, *lengths])],
        [info("y", declared)],
        initializers,
        opset=opset,
        ir_version=int(random.choice([3, 4, 8])),
    )
    # onnxruntime copies where no length changes, whatever the scales say: it then ignores a scale that is not 1.
    mixed = any(s > 1 and n == m for s, n, m in zip(scales[2:], lengths, after, strict=True))
    return model, "copied" if mixed and mode == "nearest" and min(scales) < 1 else ""


def _sweep(count: int, seed: int) -> dict[str, int]:
    random = np.random.default_rng(seed)
    seen = {
        "equal": 0,
        "copied by onnxruntime": 0,
        "not runnable": 0,
        "declares what onnx no longer infers": 0,
    }
    while sum(seen.values()) < count:
        model, known = _old_model(random)
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        x = random.standard_normal(shape).astype(np.float32)
        try:
            expected = run(model, {"x": x})[0]
        except Exception:
            seen["not runnable"] += 1
            continue
        if known:
            seen["copied by onnxruntime"] += 1
            continue
        try:
            written = preserve(model)
        except InputError as error:
            # A length that the file declares in float32, and onnx's checker since 1.22 infers in float64.
            assert "existing shape differ" in str(error)
            seen["declares what onnx no longer infers"] += 1
            continue
        actual = run(written, {"x": x})[0]
        np.testing.assert_array_equal(expected, actual, err_msg=onnx.printer.to_text(model))
        assert all(node.op_type != "Upsample" for node in written.graph.node)
        assert written.opset_import[0].version == 13
        seen["equal"] += 1
    return seen


def test_old_upsample_and_resize_keep_their_values_exactly() -> None:
    seen = _sweep(250, seed=3)
    assert seen["equal"] > 200, seen


@pytest.mark.slow
def test_old_upsample_and_resize_keep_their_values_exactly_in_a_long_sweep() -> None:
    seen = _sweep(4000, seed=4)
    assert seen["equal"] > 3200, seen


LENGTHS = st.integers(1, 12)


@st.composite
def modern_models(draw: st.DrawFn) -> onnx.ModelProto:
    opset = draw(st.sampled_from([11, 13, 18, 19]))
    mode = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    if opset == 11:
        modes.append("tf_half_pixel_for_nn")
    attributes: dict[str, Any] = {"mode": mode}
    if draw(st.booleans()):
        attributes["coordinate_transformation_mode"] = draw(st.sampled_from(modes))
    if mode == "nearest" and draw(st.booleans()):
        attributes["nearest_mode"] = draw(
            st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
        )
    if mode == "cubic" and draw(st.booleans()):
        attributes |= {"cubic_coeff_a": -0.5, "exclude_outside": 1}
    before = [draw(LENGTHS), draw(LENGTHS)]
    after = [draw(LENGTHS), draw(LENGTHS)]
    batch = draw(st.sampled_from([1, "N"]))
    declared = draw(st.booleans())
    if draw(st.booleans()):
        scales = [1.0, 1.0, *(m / n for n, m in zip(before, after, strict=True))]
        exact = [int(np.float32(n) * np.float32(s)) for n, s in zip(before, scales[2:], strict=True)]
        if exact != after:
            scales = [1.0, 1.0, 2.0, 3.0]
            after = [2 * before[0], 3 * before[1]]
        output = [batch, 2, *after] if declared else [None] * 4
        return resize_model([batch, 2, *before], output, scales=scales, opset=opset, **attributes)
    output = [1, 2, *after] if declared else [None] * 4
    return resize_model([1, 2, *before], output, sizes=[1, 2, *after], opset=opset, **attributes)


@settings(max_examples=120, deadline=None)
@given(model=modern_models(), seed=st.integers(0, 1000))
def test_modern_resizes_keep_their_values(model: onnx.ModelProto, seed: int) -> None:
    shape = [d.dim_value or 2 for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    expected = run(model, {"x": x})[0]
    try:
        written = preserve(model)
    except InputError as error:
        assert "existing shape differ" in str(error)
        return
    actual = run(written, {"x": x})[0]
    assert expected.shape == actual.shape
    np.testing.assert_allclose(expected, actual, rtol=0, atol=1e-5)
    for node in written.graph.node:
        if node.op_type == "Resize":
            words = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            assert {"mode", "coordinate_transformation_mode", "nearest_mode", "exclude_outside"} <= set(words)
            assert not (
                words["coordinate_transformation_mode"] == b"tf_half_pixel_for_nn"
                and words["nearest_mode"] == b"floor"
            )

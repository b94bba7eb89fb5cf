"""express-as-align-corners: certificates that the independent checker accepts, values that onnxruntime confirms."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import passes
from rewriter.model import Model
from tests.model.onnx_models import resize_model, run
from tests.passes.independent_checker import check


def expressed(model: onnx.ModelProto, shape: list[int]) -> list[str]:
    view = Model.from_proto(model)
    result = passes.run(view, ["express-as-align-corners"])
    for change in result.changes:
        check(change.certificate or {})
    after = view.to_proto()
    onnx.checker.check_model(after, full_check=True)
    assert not passes.run(Model.from_proto(after), ["express-as-align-corners"]).changes
    for node in after.graph.node:
        if node.op_type == "Resize" and result.changes:
            words = {a.name: a.s for a in node.attribute}
            assert words["mode"] == b"linear" and words["coordinate_transformation_mode"] == b"align_corners"
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(run(model, {"x": x})[0], run(after, {"x": x})[0], rtol=0, atol=1e-5)
    return [node.op_type for node in after.graph.node]


@st.composite
def resizes(draw: st.DrawFn) -> tuple[onnx.ModelProto, list[int]]:
    mode = draw(st.sampled_from(["linear", "cubic"]))
    coordinates = draw(st.sampled_from(["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"]))
    words: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
    words["antialias"] = draw(st.integers(0, 1))
    words["exclude_outside"] = draw(st.integers(0, 1)) if mode == "cubic" else 0
    h, w = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    sizes = [1, 2, draw(st.integers(1, 14)), draw(st.integers(1, 14))]
    return resize_model([1, 2, h, w], sizes, sizes=sizes, **words), [1, 2, h, w]


@settings(max_examples=80, deadline=None)
@given(resizes())
def test_random_resizes(drawn: tuple[onnx.ModelProto, list[int]]) -> None:
    expressed(*drawn)


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_half_pixel_by_a_whole_factor_is_pad_resize_slice(factor: int) -> None:
    sizes = [1, 2, 4 * factor, 5 * factor]
    model = resize_model(
        [1, 2, 4, 5], sizes, sizes=sizes, mode="linear", coordinate_transformation_mode="half_pixel"
    )
    assert expressed(model, [1, 2, 4, 5]) == ["Pad", "Resize", "Slice"]


def test_nearest_is_gather() -> None:
    model = resize_model([1, 2, 4, 5], [1, 2, 9, 5], sizes=[1, 2, 9, 5], nearest_mode="floor")
    assert expressed(model, [1, 2, 4, 5]) == ["Gather"]


def test_open_lengths_are_refused_with_the_reason() -> None:
    model = resize_model([1, 2, "h", "w"], None, scales=[1, 1, 2, 2], mode="linear")
    result = passes.run(Model.from_proto(model), ["express-as-align-corners"])
    assert not result.changes and "lengths" in result.notes[0].message


def test_the_checker_rejects_a_wrong_certificate() -> None:
    view = Model.from_proto(resize_model([1, 2, 4, 5], [1, 2, 8, 5], sizes=[1, 2, 8, 5], mode="linear"))
    certificate = dict(passes.run(view, ["express-as-align-corners"]).changes[0].certificate or {})
    check(certificate)
    certificate["axes"][0]["steps"][-1]["start"] += 1
    with pytest.raises(AssertionError):
        check(certificate)


def test_the_checker_accepts_respellings_of_normalize_resize() -> None:
    # From one pixel all linear modes copy it.
    model = resize_model(
        [1, 2, 1, 5],
        [1, 2, 4, 5],
        sizes=[1, 2, 4, 5],
        mode="linear",
        coordinate_transformation_mode="asymmetric",
    )
    result = passes.run(Model.from_proto(model), ["normalize-resize"])
    certificates = [change.certificate for change in result.changes if change.effect == "respelling"]
    assert certificates
    for certificate in certificates:
        check(certificate or {})
    wrong = dict(certificates[0] or {}) | {"sizes": [[2, 4]]}
    with pytest.raises(AssertionError):
        check(wrong)

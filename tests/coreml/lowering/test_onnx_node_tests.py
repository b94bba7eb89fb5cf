"""The onnx wheel's node tests: each is right, or refused with a reason; nothing is silently wrong."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from rewriter.errors import UnsupportedError

IN_SCOPE = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}

RIGHT_AT_LEAST = 791
"""Of the 1,006 tests in scope; raise it when more are right."""


@functools.cache
def node_tests() -> dict[str, Any]:
    """Tests of the default domain whose tensors Core ML can hold, without the expanded functions."""
    from onnx.backend.test.case.node import collect_testcases

    return {case.name: case for case in collect_testcases(None) if _in_scope(case)}


def _in_scope(case: Any) -> bool:
    if case.model is None or "_expanded" in case.name:
        return False
    values = [*case.model.graph.input, *case.model.graph.output]
    return all(
        value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in IN_SCOPE
        for value in values
    ) and all(entry.domain in ("", "ai.onnx") for entry in case.model.opset_import)


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def frozen(model: onnx.ModelProto, inputs: list[np.ndarray]) -> onnx.ModelProto:
    """`model` with all inputs but the first made constant, as Core ML wants the parameters of many operators."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value, array in list(zip(model.graph.input, inputs, strict=True))[1:]:
        copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del copy.graph.input[1:]
    return copy


def verdict(case: Any, run_lowered: Any) -> str:
    """``right``, ``right (frozen)`` or ``refused``; an AssertionError where it is wrong.

    Both forms are tried, because constants take other ways through the lowering than values known at run time.
    """
    inputs, outputs = ([_array(value) for value in values] for values in case.data_sets[0])
    attempts = [("right", case.model)]
    if len(inputs) > 1:
        attempts.append(("right (frozen)", frozen(case.model, inputs)))
    succeeded = []
    for attempt, model in attempts:
        arrays = {value.name: array for value, array in zip(model.graph.input, inputs, strict=False)}
        shapes = {name: array.shape for name, array in arrays.items()}
        try:
            results = run_lowered(model, arrays, shapes=shapes)
        except UnsupportedError as error:
            assert error.message
            continue
        for value, expected in zip(model.graph.output, outputs, strict=True):
            _compare(results[value.name], expected, case)
        succeeded.append(attempt)
    return next(iter(succeeded), "refused")


def _compare(result: np.ndarray, expected: np.ndarray, case: Any) -> None:
    assert result.shape == expected.shape or (expected.ndim == 0 and result.shape == (1,))
    if not np.issubdtype(expected.dtype, np.floating):
        np.testing.assert_array_equal(result.reshape(expected.shape), expected.astype(result.dtype))
        return
    rtol, atol = case.rtol, case.atol
    if expected.dtype == np.float16:  # computed in float32 here, in float16 there
        rtol, atol = max(rtol, 2e-3), max(atol, 2e-3)
    np.testing.assert_allclose(result.reshape(expected.shape), expected, rtol=rtol, atol=atol)


def _sampled(name: str) -> bool:
    return hashlib.sha1(name.encode()).digest()[0] % 6 == 0


@pytest.mark.parametrize("name", [name for name in node_tests() if _sampled(name)])
def test_is_right_or_refused(name: str, run_lowered: Any) -> None:
    assert verdict(node_tests()[name], run_lowered) in ("right", "right (frozen)", "refused")


@pytest.mark.slow
def test_scoreboard(run_lowered: Any) -> None:
    counts: Counter[str] = Counter()
    wrong = []
    for name, case in node_tests().items():
        try:
            counts[verdict(case, run_lowered)] += 1
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    print(dict(counts), f"wrong: {len(wrong)}")
    assert not wrong, "\n".join(wrong)
    assert counts["right"] + counts["right (frozen)"] >= RIGHT_AT_LEAST


TWO_READINGS = {
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
}
"""Their data follow onnx's reference implementation; the specification's text and onnxruntime say otherwise."""


@pytest.mark.parametrize(
    "name", [name for name in node_tests() if name.startswith(("test_resize", "test_upsample"))]
)
def test_resizes_are_right(name: str, run_lowered: Any) -> None:
    wanted = {"refused"} if name in TWO_READINGS else {"right", "right (frozen)"}
    assert verdict(node_tests()[name], run_lowered) in wanted

"""Convolution through onnxruntime against the simulator's own matrix products, and what loading imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("coremltools")
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

from rewriter.coreml.simulator import load
from rewriter.coreml.simulator.kernels import convolution
from tests.coreml.simulator.packages import save_program

CASES = {
    "plain": ((1, 3, 9, 8), (4, 3, 3, 3), {"pad_type": "same"}),
    "same, strided, even": ((1, 3, 9, 8), (4, 3, 4, 2), {"pad_type": "same", "strides": (2, 3)}),
    "same_lower": ((1, 3, 9, 8), (4, 3, 4, 2), {"pad_type": "same_lower", "strides": (2, 1)}),
    "custom, dilated": (
        (2, 4, 9, 8),
        (6, 2, 3, 3),
        {"pad_type": "custom", "pad": (1, 2, 0, 3), "dilations": (2, 1), "groups": 2},
    ),
    "depthwise": ((1, 4, 9, 8), (8, 1, 3, 3), {"pad_type": "valid", "groups": 4}),
    "pointwise": ((1, 3, 9, 8), (5, 3, 1, 1), {"pad_type": "valid", "strides": (2, 2)}),
    "one axis": ((1, 3, 9), (5, 3, 4), {"pad_type": "same", "strides": (2,)}),
    "three axes": ((1, 2, 5, 6, 7), (3, 2, 2, 3, 1), {"pad_type": "valid"}),
}


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES)
def test_both_ways_agree(case: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, weight_shape, options = CASES[case]
    draw = np.random.default_rng(3)
    weight = draw.normal(size=weight_shape).astype(np.float32)
    bias = draw.normal(size=weight_shape[0]).astype(np.float32)
    package = save_program(
        tmp_path,
        {"x": shape},
        lambda x: mb.conv(x=x, weight=weight, bias=bias, **options),
        precision=precision,
    )
    feed = {"x": draw.normal(size=shape).astype(np.float32)}
    borrowed: list[bool] = []

    def watched(*args: object) -> object:
        found = convolution_through_onnxruntime(*args)
        borrowed.append(found is not None)
        return found

    convolution_through_onnxruntime = convolution.convolve_constant
    monkeypatch.setattr(convolution, "convolve_constant", watched)
    (fast,) = load(package).predict(feed).values()
    assert borrowed == [True]
    monkeypatch.setattr(convolution, "convolve_constant", lambda *_: None)
    (own,) = load(package).predict(feed).values()
    assert fast.shape == own.shape
    # float16: sums that lie on either side of a tie round to neighbours.
    np.testing.assert_allclose(
        fast,
        own,
        rtol=1e-5 if precision == "float32" else 2e-3,
        atol=2e-5 if precision == "float32" else 4e-3,
    )


def test_sessions_end_with_their_model(tmp_path: Path) -> None:
    import gc

    from rewriter.coreml.simulator import fast_convolution

    weight = np.ones((2, 3, 3, 3), np.float32)
    package = save_program(tmp_path, {"x": (1, 3, 5, 5)}, lambda x: mb.conv(x=x, weight=weight))
    gc.collect()
    before = len(fast_convolution._sessions)
    model = load(package)
    model.predict({"x": np.ones((1, 3, 5, 5), np.float32)})
    assert len(fast_convolution._sessions) == before + 1
    del model
    gc.collect()
    assert len(fast_convolution._sessions) == before


def test_loading_imports_no_training_framework(tmp_path: Path) -> None:
    package = save_program(tmp_path, {"x": (2,)}, lambda x: mb.relu(x=x))
    program = (
        "import sys; from rewriter.coreml.simulator import load; load(sys.argv[1]);"
        "assert 'coremltools' in sys.modules;"
        "print([name for name in ('tensorflow', 'torch') if name in sys.modules]);"
        # Hidden for a moment only: afterwards they are importable.
        "import importlib.util; print(importlib.util.find_spec('tensorflow') is not None)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(package)], capture_output=True, text=True, check=True
    )
    import importlib.util

    assert finished.stdout.split("\n")[:2] == ["[]", str(importlib.util.find_spec("tensorflow") is not None)]

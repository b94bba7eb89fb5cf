"""Convolution and pooling kernels against onnxruntime's, over random geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from rewriter.coreml.simulator.call import Call
from rewriter.coreml.simulator.registry import find_kernel

SEEDS = range(40)


def evaluate(op_type: str, **values: Any) -> np.ndarray:
    kernel = find_kernel(op_type)
    assert kernel is not None
    return kernel(Call(None, values, [np.dtype(np.float32)], lambda block, inputs: []))


def run_onnx(op_type: str, inputs: dict[str, np.ndarray], **attributes: Any) -> np.ndarray:
    """One ONNX node on onnxruntime, graph optimisations off."""
    node = onnx.helper.make_node(op_type, list(inputs), ["y"], **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(name, 1, value.shape) for name, value in inputs.items()],
        [onnx.helper.make_tensor_value_info("y", 1, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)[0]


def interleaved(pads: list[int]) -> np.ndarray:
    """ONNX lists all pads in front, then all behind; MIL lists them axis by axis."""
    rank = len(pads) // 2
    return np.array([pads[axis + side * rank] for axis in range(rank) for side in range(2)], np.int32)


@pytest.mark.parametrize("seed", SEEDS)
def test_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2, 3]))
    per_group = int(rng.integers(1, 4))
    channels, out = groups * per_group, groups * int(rng.integers(1, 4))
    kernel = rng.integers(1, 4, rank)
    strides, dilations = rng.integers(1, 4, rank), rng.integers(1, 3, rank)
    lengths = rng.integers(7, 12, rank)
    pad_type = str(rng.choice(["valid", "same", "same_lower", "custom"]))
    pads = rng.integers(0, 3, 2 * rank).tolist()
    x = rng.standard_normal((2, channels, *lengths)).astype(np.float32)
    weight = rng.standard_normal((out, per_group, *kernel)).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32)
    auto = {"valid": "VALID", "same": "SAME_UPPER", "same_lower": "SAME_LOWER", "custom": "NOTSET"}[pad_type]
    if auto.startswith("SAME"):
        dilations[:] = 1  # onnxruntime ignores dilation where it computes SAME padding
    extra = {"pads": pads} if pad_type == "custom" else {}
    want = run_onnx(
        "Conv",
        {"x": x, "w": weight, "b": bias},
        strides=strides.tolist(),
        dilations=dilations.tolist(),
        group=groups,
        auto_pad=auto,
        **extra,
    )
    got = evaluate(
        "conv",
        x=x,
        weight=weight,
        bias=bias,
        strides=strides,
        dilations=dilations,
        groups=groups,
        pad_type=pad_type,
        pad=interleaved(pads),
    )
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_transposed_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2]))
    channels, out_per_group = groups * int(rng.integers(1, 4)), int(rng.integers(1, 4))
    kernel, strides = rng.integers(2, 5, rank), rng.integers(1, 4, rank)
    dilations, lengths = rng.integers(1, 3, rank), rng.integers(4, 8, rank)
    pads = rng.integers(0, 2, 2 * rank).tolist()
    x = rng.standard_normal((2, channels, *lengths)).astype(np.float32)
    weight = rng.standard_normal((channels, out_per_group, *kernel)).astype(np.float32)
    want = run_onnx(
        "ConvTranspose",
        {"x": x, "w": weight},
        strides=strides.tolist(),
        dilations=dilations.tolist(),
        pads=pads,
        group=groups,
    )
    got = evaluate(
        "conv_transpose",
        x=x,
        weight=weight,
        strides=strides,
        dilations=dilations,
        groups=groups,
        pad_type="custom",
        pad=interleaved(pads),
    )
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_transposed_convolution_same_is_tensorflow_s() -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    for length, taps, stride in [(5, 3, 2), (4, 4, 2), (6, 2, 3), (5, 5, 1), (3, 3, 3)]:
        x = rng.standard_normal((1, length, length, 2)).astype(np.float32)
        weight = rng.standard_normal((taps, taps, 3, 2)).astype(np.float32)
        shape = (1, length * stride, length * stride, 3)
        want = tf.nn.conv2d_transpose(x, weight, shape, stride, "SAME").numpy()
        got = evaluate(
            "conv_transpose",
            x=x.transpose(0, 3, 1, 2),
            weight=weight.transpose(3, 2, 0, 1),
            strides=[stride, stride],
            dilations=[1, 1],
            groups=1,
            pad_type="same",
            pad=[0, 0, 0, 0],
        )
        np.testing.assert_allclose(got.transpose(0, 2, 3, 1), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    kernel, lengths = rng.integers(2, 5, rank), rng.integers(6, 12, rank)
    strides = np.minimum(kernel, rng.integers(1, 4, rank))
    half = [int(rng.integers(0, (taps + 1) // 2)) for taps in kernel]
    pads = half + half  # ceil mode wants symmetric padding
    ceil_mode = bool(rng.integers(2))
    exclude = bool(rng.integers(2))
    if kind == "avg" and not exclude:
        ceil_mode = False  # onnxruntime counts what ceil mode adds, PyTorch and Core ML do not
    x = rng.standard_normal((2, 3, *lengths)).astype(np.float32)
    extra = {"count_include_pad": int(not exclude)} if kind == "avg" else {}
    want = run_onnx(
        "MaxPool" if kind == "max" else "AveragePool",
        {"x": x},
        kernel_shape=kernel.tolist(),
        strides=strides.tolist(),
        pads=pads,
        ceil_mode=int(ceil_mode),
        **extra,
    )
    got = evaluate(
        f"{kind}_pool",
        x=x,
        kernel_sizes=kernel,
        strides=strides,
        pad_type="custom",
        pad=interleaved(pads),
        ceil_mode=ceil_mode,
        exclude_padding_from_average=exclude,
    )
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_large_image_is_gathered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from rewriter.coreml.simulator.kernels import convolution

    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 3, 20, 20)).astype(np.float32)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    fixed = {"strides": [1, 1], "dilations": [1, 1], "groups": 1, "pad_type": "valid", "pad": [0] * 4}
    whole = evaluate("conv", x=x, weight=weight, **fixed)
    monkeypatch.setattr(convolution, "_COLUMN_BYTES", 5000)
    np.testing.assert_allclose(evaluate("conv", x=x, weight=weight, **fixed), whole, atol=1e-5)

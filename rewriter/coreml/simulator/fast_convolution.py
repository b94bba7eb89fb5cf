"""Convolution with constant weights through onnxruntime's kernel, one small session for each operator.

Only the arithmetic is borrowed: where windows lie is decided here, from Core ML's own rules, and handed over as
explicit padding. Sessions live as long as the MIL operation that they belong to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.kernels.windows import Window

__all__ = ["convolve_constant"]

_Key = tuple[tuple[int, ...], ...]

_sessions: WeakKeyDictionary[Any, dict[_Key, Any]] = WeakKeyDictionary()


def convolve_constant(
    operation: Any,
    x: Array,
    weight: Array,
    windows: Sequence[Window],
    groups: int,
    bias: Array | None = None,
) -> Array | None:
    """x [N, C, *D] times weight [C_out, C/groups, *K] plus bias [C_out]; None where onnxruntime has no kernel for it.

    Args:
        operation: the MIL operation; the weights of one operation must not change between calls.
        x: float32, not padded.
        weight: float32 and constant.
        windows: how the window slides along each spatial axis.
        groups: number of groups of channels.
        bias: float32 and constant.
    """
    operands = (x, weight) if bias is None else (x, weight, bias)
    if not _installed() or any(operand.dtype != np.float32 or not operand.size for operand in operands):
        return None
    if any(window.positions < 1 or window.before < 0 or window.after < 0 for window in windows):
        return None
    key: _Key = (
        weight.shape,
        tuple(window.stride for window in windows),
        tuple(window.dilation for window in windows),
        (*(window.before for window in windows), *(window.after for window in windows)),
    )
    sessions = _sessions.setdefault(operation, {})
    if key not in sessions:
        sessions[key] = _session(weight, key, groups, x.ndim, bias)
    return np.asarray(sessions[key].run(None, {"x": np.ascontiguousarray(x)})[0])


@cache
def _installed() -> bool:
    return importlib.util.find_spec("onnxruntime") is not None


def _session(weight: Array, key: _Key, groups: int, rank: int, bias: Array | None) -> Any:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    kernel, strides, dilations, pads = key
    node = helper.make_node(
        "Conv",
        ["x", "weight"] if bias is None else ["x", "weight", "bias"],
        ["y"],
        kernel_shape=kernel[2:],
        strides=strides,
        dilations=dilations,
        pads=pads,
        group=groups,
    )
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None] * rank)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
        [
            numpy_helper.from_array(np.ascontiguousarray(values), name)
            for name, values in (("weight", weight), ("bias", bias))
            if values is not None
        ],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # One thread and no arena: a thread pool for each operator costs more memory and waiting than it saves.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

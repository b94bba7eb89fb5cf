"""Constant folding, only through what is about shapes, or small; everything else stays in the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rewriter.coreml.lowering.node import plain_attributes
from rewriter.errors import UnsupportedError

__all__ = ["NEVER_FOLDED", "fold", "may_fold"]

SMALL = 65536
"""Elements up to which the result of an operator on constants is computed here."""

# Views and casts of weights: folding them copies no more than the file holds.
_REARRANGING = frozenset(
    {
        "Cast",
        "Concat",
        "Flatten",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
        "DequantizeLinear",
    }
)

# Random, or with a body, or of our own making (a resize is expressed and certified, never computed elsewhere).
NEVER_FOLDED = frozenset(
    {
        "Bernoulli",
        "If",
        "Loop",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Resize",
        "Scan",
        "SequenceMap",
        "Upsample",
    }
)


def may_fold(node: onnx.NodeProto) -> bool:
    """Whether `node` can be computed from constants at all."""
    return node.domain in ("", "ai.onnx") and node.op_type not in NEVER_FOLDED


def fold(node: onnx.NodeProto, inputs: Mapping[str, np.ndarray], opset: int) -> Sequence[np.ndarray] | None:
    """The outputs of `node` on constant `inputs`; None where it is neither about shapes nor small.

    `Constant` and the rearranging operators fold at any size.
    """
    if node.op_type == "Constant":
        return [_constant_value(node)]
    size = sum(array.size for array in inputs.values())
    if node.op_type not in _REARRANGING and (size > SMALL or _result_size(node, inputs) > SMALL):
        return None
    return _evaluate(node, inputs, opset)


def _constant_value(node: onnx.NodeProto) -> np.ndarray:
    attributes = plain_attributes(node)
    if "value" in attributes:
        return numpy_helper.to_array(attributes["value"])
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in attributes:
            return np.array(attributes[name], dtype=dtype)
    raise UnsupportedError(
        f"Constant holds {', '.join(attributes) or 'no value'}, which MIL programs lack",
        node=node.name or node.output[0],
    )


def _result_size(node: onnx.NodeProto, inputs: Mapping[str, np.ndarray]) -> int:
    """Elements of the result of operators that can make large arrays from small ones."""
    arrays = [inputs[name] for name in node.input if name]
    if node.op_type in ("ConstantOfShape", "Expand") and arrays:
        return int(np.prod(arrays[-1].astype(np.float64)))
    if node.op_type == "Tile" and len(arrays) == 2:
        return int(arrays[0].size * np.prod(arrays[1].astype(np.float64)))
    if node.op_type == "Pad":
        return sum(array.size for array in arrays) + int(sum(np.abs(arrays[1]))) if len(arrays) > 1 else 0
    if node.op_type == "Range" and len(arrays) == 3:
        start, limit, delta = (float(array.reshape(-1)[0]) for array in arrays)
        return int(abs((limit - start) / delta)) if delta else 0
    if node.op_type in ("OneHot", "EyeLike"):
        return SMALL + 1
    return sum(array.size for array in arrays)


def _evaluate(node: onnx.NodeProto, inputs: Mapping[str, np.ndarray], opset: int) -> Sequence[np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    graph = helper.make_graph(
        [node],
        "fold",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    try:
        results = ReferenceEvaluator(model).run(None, dict(inputs))
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError) as error:
        raise UnsupportedError(
            f"{node.op_type} of constants cannot be computed: {error}", node=node.name or node.output[0]
        ) from error
    by_name = dict(zip((name for name in node.output if name), results, strict=True))
    return [np.asarray(by_name[name]) if name else np.zeros(0) for name in node.output]

"""Which layers of the neuralnetwork format the lowering writes: those whose meaning is documented and tested."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError

__all__ = ["SUPPORTED_LAYERS", "check_integers", "check_layers", "check_scalars"]

# Modules of coremltools whose operators work element by element: a scalar may have an axis too many there.
_ELEMENTWISE = ("activation", "elementwise_binary", "elementwise_unary")
_INDIFFERENT = ("identity", "reshape", "select")

# Every integer up to here is a float32.
_LARGEST_INTEGER = 2**24

# PoolingLayerParams.PoolingType of NeuralNetwork.proto.
_AVERAGE = 1

_LAYERS_BY_FAMILY: dict[str, tuple[str, ...]] = {
    "activation": ("activation", "clampedReLU", "gelu", "softmax", "softmaxND"),
    "functions of one tensor": (
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atanh",
        "ceil",
        "clip",
        "copy",
        "cos",
        "cosh",
        "erf",
        "exp2",
        "floor",
        "logicalNot",
        "round",
        "sign",
        "sin",
        "sinh",
        "tan",
        "tanh",
        "unary",
    ),
    "arithmetic": (
        "add",
        "addBroadcastable",
        "divideBroadcastable",
        "floorDivBroadcastable",
        "max",
        "maxBroadcastable",
        "min",
        "minBroadcastable",
        "modBroadcastable",
        "multiply",
        "multiplyBroadcastable",
        "powBroadcastable",
        "subtractBroadcastable",
    ),
    "comparison and logic": (
        "equal",
        "greaterEqual",
        "greaterThan",
        "lessEqual",
        "lessThan",
        "logicalAnd",
        "logicalOr",
        "logicalXor",
        "notEqual",
        "whereBroadcastable",
    ),
    "windows and products": ("batchedMatmul", "convolution", "innerProduct", "pooling"),
    "normalization": ("batchnorm", "bias", "l2normalize", "layerNormalization", "lrn", "scale"),
    "reduction": (
        "argMax",
        "argMin",
        "reduceL1",
        "reduceL2",
        "reduceLogSum",
        "reduceLogSumExp",
        "reduceMax",
        "reduceMean",
        "reduceMin",
        "reduceProd",
        "reduceSum",
        "reduceSumSquare",
    ),
    "shape": (
        "expandDims",
        "flattenTo2D",
        "rankPreservingReshape",
        "reorganizeData",
        "reshapeStatic",
        "slice",
        "sliceStatic",
        "squeeze",
        "transpose",
    ),
    "joining": (
        "concat",
        "concatND",
        "constantPad",
        "crop",
        "gather",
        "gatherAlongAxis",
        "loadConstantND",
        "padding",
        "splitND",
        "stack",
        "tile",
    ),
    "resizing": ("cropResize", "custom", "resizeBilinear", "upsample"),
}

SUPPORTED_LAYERS = frozenset(layer for family in _LAYERS_BY_FAMILY.values() for layer in family)


def check_layers(spec: Any) -> None:
    """Refuse a network that needs a layer whose meaning is not certain; all of its kinds are named.

    Raises:
        UnsupportedError: such a layer.
    """
    unknown: dict[str, str] = {}
    for layer in spec.neuralNetwork.layers:
        kind = layer.WhichOneof("layer")
        if kind not in SUPPORTED_LAYERS:
            unknown.setdefault(str(kind), layer.name)
        elif kind == "pooling" and _counts_beyond(layer.pooling):
            unknown.setdefault("pooling (average that includes the last pixel)", layer.name)
        elif kind == "slice" and layer.slice.endIndex < 0:
            unknown.setdefault("slice (counted from the end)", layer.name)
    if unknown:
        listing = "; ".join(f"{kind} (first at {name})" for kind, name in sorted(unknown.items()))
        raise UnsupportedError(
            f"the neuralnetwork format would need layers that are not supported here: {listing}",
            remedy="use target iOS15 or newer",
        )


def check_scalars(program: Any) -> None:
    """Refuse computed scalars where their rank matters: the format has no tensors without axes, a scalar has one.

    Args:
        program: the MIL program, before it is converted.

    Raises:
        UnsupportedError: an operator that is not elementwise takes a computed scalar.
    """
    for operation in program.functions["main"].operations:
        family = type(operation).__module__.rsplit(".", 1)[-1]
        if family in _ELEMENTWISE or operation.op_type in _INDIFFERENT:
            continue
        for name, value in operation.inputs.items():
            for var in value if isinstance(value, (list, tuple)) else [value]:
                if var.rank == 0 and var.val is None:
                    raise UnsupportedError(
                        f"{operation.op_type} takes a scalar that is only known at run time ({name}), and the "
                        "neuralnetwork format has no tensors without axes",
                        node=operation.outputs[0].name,
                        remedy="use target iOS15 or newer",
                    )


def check_integers(program: Any) -> None:
    """Refuse arithmetic on integers that float32, the only type of a value in this format, cannot hold.

    Args:
        program: the MIL program, before it is converted.

    Raises:
        UnsupportedError: an elementwise operator works with a constant integer beyond 2²⁴.
    """
    for operation in program.functions["main"].operations:
        if type(operation).__module__.rsplit(".", 1)[-1] not in _ELEMENTWISE:
            continue
        for value in operation.inputs.values():
            constant = getattr(value, "val", None)
            if not isinstance(constant, (np.ndarray, np.generic)) or not np.issubdtype(
                constant.dtype, np.integer
            ):
                continue
            if constant.size and np.abs(constant.astype(np.int64)).max() > _LARGEST_INTEGER:
                raise UnsupportedError(
                    f"{operation.op_type} works with integers beyond 2^24, and values of the neuralnetwork format "
                    "are float32",
                    node=operation.outputs[0].name,
                    remedy="use target iOS15 or newer",
                )


def _counts_beyond(pooling: Any) -> bool:
    return pooling.type == _AVERAGE and pooling.WhichOneof("PoolingPaddingType") == "includeLastPixel"

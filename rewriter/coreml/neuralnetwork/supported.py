"""Which layers of the neuralnetwork format the lowering writes: those whose meaning is documented and tested."""

from __future__ import annotations

from typing import Any

from rewriter.errors import UnsupportedError

__all__ = ["SUPPORTED_LAYERS", "check_layers"]

# PoolingLayerParams.PoolingType of NeuralNetwork.proto.
_AVERAGE = 1

SUPPORTED_LAYERS = frozenset(
    """acos acosh activation add addBroadcastable argMax argMin asin asinh atan atanh batchedMatmul batchnorm bias
    ceil clampedReLU clip concat concatND constantPad convolution copy cos cosh crop cropResize custom
    divideBroadcastable equal erf exp2 expandDims flattenTo2D floor floorDivBroadcastable gather gatherAlongAxis gelu
    greaterEqual greaterThan innerProduct l2normalize layerNormalization lessEqual lessThan loadConstantND logicalAnd
    logicalNot logicalOr logicalXor lrn max maxBroadcastable min minBroadcastable modBroadcastable multiply
    multiplyBroadcastable notEqual padding pooling powBroadcastable rankPreservingReshape reduceL1 reduceL2
    reduceLogSum reduceLogSumExp reduceMax reduceMean reduceMin reduceProd reduceSum reduceSumSquare reorganizeData
    reshapeStatic resizeBilinear round scale sign sin sinh sliceStatic softmax softmaxND splitND squeeze stack
    subtractBroadcastable tan tanh tile transpose unary upsample whereBroadcastable""".split()
)


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
    if unknown:
        listing = "; ".join(f"{kind} (first at {name})" for kind, name in sorted(unknown.items()))
        raise UnsupportedError(
            f"the neuralnetwork format would need layers that are not supported here: {listing}",
            remedy="use target iOS15 or newer",
        )


def _counts_beyond(pooling: Any) -> bool:
    return pooling.type == _AVERAGE and pooling.WhichOneof("PoolingPaddingType") == "includeLastPixel"

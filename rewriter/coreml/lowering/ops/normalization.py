"""Normalisations. Statistics that are constant become MIL's own operators, which fold into convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import reshape, scalar
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.padding import crop_or_pad
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("BatchNormalization")
def batch_normalization(node: Node) -> Var:
    if node.attr("training_mode", 0) or any(node.wants(index) for index in range(1, node.output_count)):
        raise node.refuse("it updates its statistics (training mode)", "export the model for inference")
    if not node.attr("spatial", 1):
        raise node.refuse("it normalises per pixel (spatial=0)")
    epsilon = float(node.attr("epsilon", 1e-5))
    parameters = [node.constant(index) for index in range(1, 5)]
    if any(value is None for value in parameters):
        return _batch_normalization_of_variables(node, epsilon)
    gamma, beta, mean, variance = (np.asarray(value, dtype=np.float32) for value in parameters)
    if 3 <= node.rank() <= 5:
        return mb.batch_norm(
            x=node.var(), mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=np.float32(epsilon)
        )
    factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    scaled = mb.mul(x=node.var(), y=_per_channel(factor.astype(np.float32), node.rank()))
    return mb.add(x=scaled, y=_per_channel((beta - mean * factor).astype(np.float32), node.rank()))


def _batch_normalization_of_variables(node: Node, epsilon: float) -> Var:
    rank = node.rank()
    gamma, beta, mean, variance = (_channels(node.var(index), rank) for index in range(1, 5))
    return _scaled(
        mb.sub(x=node.var(), y=mean),
        mb.sqrt(x=mb.add(x=variance, y=np.float32(epsilon))),
        gamma,
        beta,
    )


def _scaled(centred: Var, deviation: Var, gamma: Var | None, beta: Var | None) -> Var:
    result = mb.real_div(x=centred, y=deviation)
    if gamma is not None:
        result = mb.mul(x=result, y=gamma)
    return result if beta is None else mb.add(x=result, y=beta)


def _per_channel(values: np.ndarray, rank: int) -> np.ndarray:
    return values if rank == 1 else values.reshape(1, -1, *[1] * (rank - 2))


def _channels(values: Var, rank: int) -> Var:
    return reshape(values, (1, int(values.shape[0]), *[1] * (rank - 2)))


@lowering("InstanceNormalization")
def instance_normalization(node: Node) -> Var:
    epsilon, rank = float(node.attr("epsilon", 1e-5)), node.rank()
    gamma, beta = node.constant(1), node.constant(2)
    if gamma is not None and beta is not None and rank in (3, 4):
        return mb.instance_norm(
            x=node.var(),
            gamma=gamma.astype(np.float32),
            beta=beta.astype(np.float32),
            epsilon=np.float32(epsilon),
        )
    centred, deviation, _ = _statistics(node.var(), list(range(2, rank)), epsilon)
    return _scaled(centred, deviation, _channels(node.var(1), rank), _channels(node.var(2), rank))


def _statistics(x: Var, axes: Sequence[int], epsilon: float) -> tuple[Var, Var, Var]:
    """Difference from the mean, standard deviation with epsilon under the root, and the mean; axes kept."""
    mean = mb.reduce_mean(x=x, axes=list(axes), keep_dims=True)
    centred = mb.sub(x=x, y=mean)
    variance = mb.reduce_mean(x=mb.mul(x=centred, y=centred), axes=list(axes), keep_dims=True)
    return centred, mb.sqrt(x=mb.add(x=variance, y=np.float32(epsilon))), mean


@lowering("LayerNormalization")
def layer_normalization(node: Node) -> list[Var | None]:
    axis, rank, epsilon = node.axis(-1), node.rank(), float(node.attr("epsilon", 1e-5))
    axes = list(range(axis, rank))
    gamma, beta = node.constant(1), node.constant(2)
    constant = gamma is not None and (beta is not None or not node.has(2))
    # MIL wants scale and bias of exactly the normalised shape.
    fits = constant and all(value is None or value.shape == node.shape()[axis:] for value in (gamma, beta))
    wants_statistics = node.wants(1) or node.wants(2)
    if fits and not wants_statistics:
        assert gamma is not None
        return [
            mb.layer_norm(
                x=node.var(),
                axes=axes,
                gamma=gamma.astype(np.float32),
                beta=np.zeros_like(gamma, dtype=np.float32) if beta is None else beta.astype(np.float32),
                epsilon=np.float32(epsilon),
            )
        ]
    centred, deviation, mean = _statistics(node.var(), axes, epsilon)
    bias = node.var(2) if node.has(2) else None
    result = _scaled(centred, deviation, node.var(1), bias)
    return [result, mean, mb.real_div(x=scalar(1, deviation), y=deviation) if node.wants(2) else None]


@lowering("RMSNormalization")
def rms_normalization(node: Node) -> Var:
    x, axes = node.var(), list(range(node.axis(-1), node.rank()))
    square = mb.reduce_mean(x=mb.mul(x=x, y=x), axes=axes, keep_dims=True)
    deviation = mb.sqrt(x=mb.add(x=square, y=np.float32(node.attr("epsilon", 1e-5))))
    return mb.mul(x=mb.real_div(x=x, y=deviation), y=node.var(1))


@lowering("GroupNormalization")
def group_normalization(node: Node) -> Var:
    shape, groups = node.shape(), int(node.attributes["num_groups"])
    x = reshape(node.var(), (shape[0], groups, math.prod(shape[1:]) // groups))
    centred, deviation, _ = _statistics(x, [2], float(node.attr("epsilon", 1e-5)))
    normal = mb.real_div(x=centred, y=deviation)
    if node.opset >= 21:
        result = reshape(normal, shape)
        return _affine(result, _channels(node.var(1), len(shape)), _channels(node.var(2), len(shape)))
    # Until opset 20 scale and bias are per group.
    scale, bias = (reshape(node.var(index), (1, groups, 1)) for index in (1, 2))
    return reshape(_affine(normal, scale, bias), shape)


def _affine(x: Var, scale: Var, bias: Var) -> Var:
    return mb.add(x=mb.mul(x=x, y=scale), y=bias)


@lowering("LRN")
def local_response_normalization(node: Node) -> Var:
    size = int(node.attributes["size"])
    alpha, beta, bias = node.attr("alpha", 1e-4), node.attr("beta", 0.75), node.attr("bias", 1.0)
    x, rank = node.var(), node.rank()
    if size % 2 == 1 and rank == 4:
        return mb.local_response_norm(
            x=x, size=size, alpha=np.float32(alpha), beta=np.float32(beta), k=np.float32(bias)
        )
    # Even windows take one channel more after than before; MIL documents neither that nor other ranks than 4.
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    channels = node.shape()[1]
    square = crop_or_pad(mb.mul(x=x, y=x), [(0, 0), (before, after), *[(0, 0)] * (rank - 2)])
    total = None
    for tap in range(size):
        begin, end = [0] * rank, list(square.shape)
        begin[1], end[1] = tap, tap + channels
        part = mb.slice_by_index(x=square, begin=begin, end=end)
        total = part if total is None else mb.add(x=total, y=part)
    base = mb.add(x=mb.mul(x=total, y=np.float32(alpha / size)), y=np.float32(bias))
    return mb.mul(x=x, y=mb.pow(x=base, y=np.float32(-beta)))


@lowering("LpNormalization")
def lp_normalization(node: Node) -> Var:
    order, axis = int(node.attr("p", 2)), node.axis(-1)
    if order not in (1, 2):
        raise node.refuse(f"norm of order {order}")
    x = node.var()
    norm = (mb.reduce_l1_norm if order == 1 else mb.reduce_l2_norm)(x=x, axes=[axis], keep_dims=True)
    # Zero vectors stay zero, as in the specification.
    safe = mb.select(cond=mb.equal(x=norm, y=np.float32(0)), a=np.float32(1), b=norm)
    return mb.real_div(x=x, y=safe)


@lowering("MeanVarianceNormalization")
def mean_variance_normalization(node: Node) -> Var:
    axes = [axis % node.rank() for axis in node.attr("axes", [0, 2, 3])]
    x = node.var()
    mean = mb.reduce_mean(x=x, axes=axes, keep_dims=True)
    centred = mb.sub(x=x, y=mean)
    deviation = mb.sqrt(x=mb.reduce_mean(x=mb.mul(x=centred, y=centred), axes=axes, keep_dims=True))
    return mb.real_div(x=centred, y=mb.add(x=deviation, y=np.float32(1e-9)))

"""Normalisation layers; the channels are axis -3."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, layer, mil_kernel

__all__: list[str] = []


@layer("batchnorm")
def batchnorm(layer: Layer) -> Array:
    """With stored mean and variance, or with those of each channel of each image."""
    p, x = layer.parameters, layer.x
    if p.computeMeanVar != p.instanceNormalization:
        raise layer.refuse("statistics of a batch")
    channels = (p.channels, 1, 1)
    if p.instanceNormalization:
        centred = x - x.mean(axis=(-2, -1), keepdims=True)
        variance = np.square(centred).mean(axis=(-2, -1), keepdims=True)
    else:
        centred = x - layer.weights("mean", channels)
        variance = layer.weights("variance", channels)
    scaled = centred / np.sqrt(variance + np.float32(p.epsilon))
    return scaled * layer.weights("gamma", channels) + layer.weights("beta", channels)


@layer("layerNormalization")
def layer_normalization(layer: Layer) -> Array:
    """Over the last axes, those of `normalizedShape`."""
    p, x = layer.parameters, layer.x
    shape = tuple(p.normalizedShape)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    scaled = centred / np.sqrt(variance + np.float32(p.eps))
    return scaled * layer.weights("gamma", shape) + layer.weights("beta", shape)


@layer("lrn")
def lrn(layer: Layer) -> Array:
    p = layer.parameters
    return mil_kernel("local_response_norm", x=layer.x, size=p.localSize, alpha=p.alpha, beta=p.beta, k=p.k)


@layer("l2normalize")
def l2_normalize(layer: Layer) -> Array:
    return mil_kernel("l2_norm", x=layer.x, epsilon=layer.parameters.epsilon)


@layer("scale")
def scale(layer: Layer) -> Array:
    """Times a constant, plus a constant, both broadcast from the last axis."""
    p = layer.parameters
    result = layer.x * layer.weights("scale", tuple(p.shapeScale))
    return result + layer.weights("bias", tuple(p.shapeBias)) if p.hasBias else result


@layer("bias")
def bias(layer: Layer) -> Array:
    return layer.x + layer.weights("bias", tuple(layer.parameters.shape))

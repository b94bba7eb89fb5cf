"""Matrix products."""

from __future__ import annotations

from rewriter.coreml.simulator.call import Array
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, layer

__all__: list[str] = []


@layer("innerProduct")
def inner_product(layer: Layer) -> Array:
    """x [..., C] times weights [C_out, C] transposed, and a bias."""
    p = layer.parameters
    if layer.x.ndim > 4:
        raise layer.refuse(f"a tensor of rank {layer.x.ndim}")
    if p.int8DynamicQuantize:
        raise layer.refuse("products of 8-bit integers")
    result = layer.x @ layer.weights("weights", (p.outputChannels, p.inputChannels)).T
    return result + layer.weights("bias", (p.outputChannels,)) if p.hasBias else result


@layer("batchedMatmul")
def batched_matmul(layer: Layer) -> Array:
    """Two inputs, or one with a weight matrix, stored transposed: [columns, rows]."""
    p = layer.parameters
    if p.int8DynamicQuantize:
        raise layer.refuse("products of 8-bit integers")
    if len(layer.inputs) == 1:
        rows, columns = p.weightMatrixFirstDimension, p.weightMatrixSecondDimension
        result = layer.x @ layer.weights("weights", (columns, rows)).T
        return result + layer.weights("bias", (columns,)) if p.hasBias else result
    first, second = layer.inputs
    return (first.swapaxes(-1, -2) if p.transposeA else first) @ (
        second.swapaxes(-1, -2) if p.transposeB else second
    )

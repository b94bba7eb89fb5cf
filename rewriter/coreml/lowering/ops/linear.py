"""Matrix products."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("MatMul")
def matrix_product(node: Node) -> Var:
    x, y = node.var(0), node.var(1)
    ranks = (node.rank(0), node.rank(1))
    if ranks[0] == 1:
        x = mb.expand_dims(x=x, axes=[0])
    if ranks[1] == 1:
        y = mb.expand_dims(x=y, axes=[1])
    result = mb.matmul(x=x, y=y)
    # A vector's axis disappears from the result.
    gone = [axis for axis, rank in ((-2, ranks[0]), (-1, ranks[1])) if rank == 1]
    return mb.squeeze(x=result, axes=[result.rank + axis for axis in gone]) if gone else result


@lowering("Gemm")
def general_matrix_product(node: Node) -> Var:
    if not node.is_float():
        raise node.refuse("products of integer matrices")
    alpha, beta = float(node.attr("alpha", 1.0)), float(node.attr("beta", 1.0))
    a = node.var(0)
    if node.attr("transA", 0):
        a = mb.transpose(x=a, perm=[1, 0])
    weight, bias = node.constant(1), node.constant(2)
    if weight is not None:
        rows = weight if node.attr("transB", 0) else weight.T
        rows = (rows * np.float32(alpha)).astype(np.float32) if alpha != 1 else rows.astype(np.float32)
        fits = bias is not None and bias.size == rows.shape[0] and (bias.ndim == 1 or bias.shape[0] == 1)
        if fits:
            assert bias is not None
            vector = bias.reshape(-1).astype(np.float32)
            return mb.linear(x=a, weight=rows, bias=vector * np.float32(beta))
        product = mb.linear(x=a, weight=rows)
    else:
        product = mb.matmul(x=a, y=node.var(1), transpose_y=bool(node.attr("transB", 0)))
        if alpha != 1:
            product = mb.mul(x=product, y=np.float32(alpha))
    if not node.has(2) or beta == 0:
        return product
    addend = node.var(2) if beta == 1 else mb.mul(x=node.var(2), y=np.float32(beta))
    return mb.add(x=product, y=addend)

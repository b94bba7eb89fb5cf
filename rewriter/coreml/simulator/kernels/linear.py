"""Matrix products."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call, widened
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("linear")
def linear(call: Call) -> Array:
    """x [*D, C_in] times weight [C_out, C_in] transposed, plus bias [C_out]."""
    result = call.tensor("x") @ call.tensor("weight").T
    bias = call.optional("bias")
    return result if bias is None else result + bias


@kernel("matmul")
def matmul(call: Call) -> Array:
    """Batched product over the last two axes; vectors as numpy's matmul has them."""
    x, y = call.tensor("x"), call.tensor("y")
    if call.flag("transpose_x") and x.ndim > 1:
        x = x.swapaxes(-1, -2)
    if call.flag("transpose_y") and y.ndim > 1:
        y = y.swapaxes(-1, -2)
    return x @ y


@kernel("einsum")
def einsum(call: Call) -> Array:
    return np.einsum(call.text("equation"), *map(widened, call.tensors("values")), optimize=True)

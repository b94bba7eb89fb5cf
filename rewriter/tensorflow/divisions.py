"""Divisions by constants, which TensorFlow's graph optimiser turns into products with rounded reciprocals.

Eager TensorFlow divides. 9 / (9 / 11) is 11 there; with 9 times float32(1 / 11) it is 10.999999, which becomes a
height of 10 pixels where the network rounds down (`tf.image.resize_with_pad`, Keras' pad_to_aspect_ratio).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["divisor_of", "restore_divisions"]

_SUFFIX = "_recip"
_LARGEST = 2**22
"""Whole numbers below have distinct float32 reciprocals."""


def restore_divisions(graph_def: Any) -> int:
    """Turn products with a reciprocal back into divisions, where the divisor was a whole number.

    Args:
        graph_def: changed in place, with the functions of its library. The optimiser calls the constants
            ``ConstantFolding/<name of the division>_recip``.

    Returns:
        How many divisions were restored.
    """
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    return sum(_restore(body) for body in bodies)


def divisor_of(reciprocal: np.ndarray) -> np.ndarray | None:
    """The whole numbers that have these reciprocals in the reciprocals' dtype; None where any has none."""
    if reciprocal.dtype.kind != "f" or not reciprocal.size:
        return None
    if not np.isfinite(reciprocal).all() or not (np.abs(reciprocal) > 1 / _LARGEST).all():
        return None
    one = reciprocal.dtype.type(1)
    divisor = np.rint(one / reciprocal).astype(reciprocal.dtype)
    same = (divisor != 0).all() and (one / divisor == reciprocal).all()
    return divisor if same else None


def _restore(nodes: Sequence[Any]) -> int:
    from tensorflow import make_ndarray, make_tensor_proto

    constants = {
        node.name: node
        for node in nodes
        if node.op == "Const" and node.name.startswith("ConstantFolding/") and node.name.endswith(_SUFFIX)
    }
    if not constants:
        return 0
    users: dict[str, list[Any]] = {name: [] for name in constants}
    for node in nodes:
        for name in {reference.partition(":")[0] for reference in node.input}:
            if name in users:
                users[name].append(node)
    restored = 0
    for name, constant in constants.items():
        divisor = divisor_of(make_ndarray(constant.attr["value"].tensor))
        if divisor is None or not all(_is_product(node, name) for node in users[name]):
            continue
        constant.attr["value"].tensor.CopyFrom(make_tensor_proto(divisor, divisor.dtype, divisor.shape))
        for node in users[name]:
            node.op = "RealDiv"
            if node.input[0].partition(":")[0] == name:
                node.input[0], node.input[1] = node.input[1], node.input[0]
            restored += 1
    return restored


def _is_product(node: Any, name: str) -> bool:
    """Whether a node multiplies something else by the constant."""
    factors = [reference.partition(":")[0] for reference in node.input[:2]]
    return node.op == "Mul" and factors.count(name) == 1

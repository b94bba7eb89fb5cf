"""TensorFlow ops of single numbers that tf2onnx leaves in the graph, written with ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["HANDLERS"]


def _erfc(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """1 - erf(x), which the exact GELU of Keras is made of: 0.5 x erfc(-x / √2).

    Rounded to float32 it is within 6e-8 of erfc; the relative precision that erfc keeps for large x is lost, and a
    sum or product with numbers of the size of 1 does not see it.
    """
    from tf2onnx import utils

    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, node.output
    one = graph.make_const(
        utils.make_name("one"), np.ones((), utils.map_onnx_to_numpy_type(dtypes[0]))
    ).output[0]
    value = node.input[0]
    graph.remove_node(name)
    erf = graph.make_node("Erf", [value], name=utils.make_name(f"{name}/erf"))
    graph.make_node("Sub", [one, erf.output[0]], name=name, outputs=outputs, shapes=shapes, dtypes=dtypes)


HANDLERS: dict[str, tuple[Any, list[Any]]] = {"Erfc": (_erfc, [])}
"""What tf2onnx takes as ``custom_op_handlers``."""

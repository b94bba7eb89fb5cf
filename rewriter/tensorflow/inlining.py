"""Calls of compiled functions, which TensorFlow's optimiser leaves as they are and tf2onnx does not know.

Keras compiles some layers by themselves (grouped convolutions run under ``jit_compile=True``). The optimiser inlines
no function that must be compiled. What the function computes is the same without the compiler, so the marks go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["inline_compiled"]

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_MARKS = ("_XlaMustCompile", "_noinline")
_DEEPEST = 32


def inline_compiled(graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A frozen graph without calls of compiled functions; the same object where there are none.

    Args:
        graph_def: a frozen `GraphDef` with its library of functions; it may be changed.
        inputs, outputs: names of tensors.
    """
    import tensorflow as tf
    from tf2onnx.tf_loader import tf_optimize

    for _ in range(_DEEPEST):  # one level of calls within calls at a time
        if not any(node.op in _CALLS for node in graph_def.node) or not _unmark(graph_def):
            return graph_def
        with tf.Graph().as_default():
            graph_def = tf_optimize(list(inputs), list(outputs), graph_def)
    return graph_def


def _unmark(graph_def: Any) -> bool:
    """Let the optimiser inline every function; False where it could already."""
    library = graph_def.library.function
    bodies = [graph_def.node, *(function.node_def for function in library)]
    calls = [node for body in bodies for node in body if node.op in _CALLS]
    found = [(each, mark) for each in (*calls, *library) for mark in _MARKS if mark in each.attr]
    for each, mark in found:
        del each.attr[mark]
    return bool(found)

"""Frozen graphs of TensorFlow 1: a `.pb` file with one GraphDef."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewriter.errors import InputError, UnsupportedError, UsageError
from rewriter.tensorflow.environment import import_tensorflow

__all__ = ["FrozenGraph", "load_graph_def"]

_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
_NO_RESULTS = ("Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault", "SaveV2", "RestoreV2")


@dataclass(frozen=True)
class FrozenGraph:
    """A frozen graph as a function.

    Attributes:
        path: the file.
        function: takes the inputs in order, returns the outputs in order.
        inputs, outputs: names of tensors without the ``:0``.
    """

    path: Path
    function: Any
    inputs: list[str]
    outputs: list[str]


def load_graph_def(
    path: str | Path, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> FrozenGraph:
    """Open a frozen graph.

    Args:
        path: a binary GraphDef.
        inputs: names of tensors (``image:0`` or ``image``); by default all placeholders.
        outputs: names of tensors; by default what nothing in the graph reads.

    Raises:
        InputError: no file, or no GraphDef.
        UnsupportedError: the graph has variables, or ops that are not installed.
        UsageError: an input or output that the graph has not.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("no such file", file=file)
    tf = import_tensorflow("to open TensorFlow and Keras models")
    graph_def = _parse(file)
    variables = [node.name for node in graph_def.node if node.op in _VARIABLES]
    if variables:
        raise UnsupportedError(
            f"the graph is not frozen: it has {len(variables)} variables, which lie in a checkpoint",
            file=file,
            node=variables[0],
            remedy="freeze it, or write a SavedModel and convert that",
        )
    wanted_inputs = [_tensor(name) for name in inputs or _placeholders(graph_def)]
    wanted_outputs = [_tensor(name) for name in outputs or _results(graph_def)]
    if not wanted_outputs:
        raise UsageError("the graph has no result", file=file, remedy="name the outputs: --outputs NAME:0")
    try:
        with tf.device("/cpu:0"):
            wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    except Exception as error:  # TensorFlow raises many kinds, none of them documented
        raise UnsupportedError(
            f"TensorFlow cannot load this graph: {_first_line(error)}", file=file
        ) from error
    known = {operation.name for operation in wrapped.graph.get_operations()}
    for name in (*wanted_inputs, *wanted_outputs):
        if name.partition(":")[0] not in known:
            raise UsageError(f"the graph has no tensor '{name}'", file=file)
    function = wrapped.prune(
        [wrapped.graph.as_graph_element(name) for name in wanted_inputs],
        [wrapped.graph.as_graph_element(name) for name in wanted_outputs],
    )
    return FrozenGraph(
        file, function, [_plain(n) for n in wanted_inputs], [_plain(n) for n in wanted_outputs]
    )


def _parse(file: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph_def = GraphDef()
    try:
        graph_def.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise InputError("not a GraphDef: protobuf cannot parse it", file=file) from error
    if not graph_def.node:
        remedy = (
            "give the directory of a SavedModel, not its saved_model.pb"
            if "saved_model" in file.name
            else None
        )
        raise InputError("the file holds no graph", file=file, remedy=remedy)
    return graph_def


def _placeholders(graph_def: Any) -> list[str]:
    return [node.name for node in graph_def.node if node.op == "Placeholder"]


def _results(graph_def: Any) -> list[str]:
    """Nodes that no other node reads."""
    read = {name.lstrip("^").partition(":")[0] for node in graph_def.node for name in node.input}
    return [node.name for node in graph_def.node if node.name not in read and node.op not in _NO_RESULTS]


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _plain(name: str) -> str:
    return name.removesuffix(":0")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")[:300]

"""Names of ops as the network's author knows them, without the suffixes that Keras' tracing adds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

__all__ = ["restore_layer_scopes"]

_SUFFIX = "_1"


def restore_layer_scopes(graph_def: Any, layers: Collection[str]) -> None:
    """Rename ``net_1/up1_1/ResizeBilinear`` to ``net/up1/ResizeBilinear``, in place.

    Keras opens a layer's name scope twice per call, first for an empty build step, so TensorFlow appends ``_1``
    to the scope that holds the ops. A scope loses this suffix when the rest is a layer's name and nothing else
    has that name there; inputs and outputs of the graph, which lie in no scope, keep theirs.

    Args:
        graph_def: a frozen graph; only its main graph is renamed.
        layers: names of the network and of its layers, at every depth.
    """
    taken: dict[str, set[str]] = {}
    for node in graph_def.node:
        parts = node.name.split("/")
        for depth, part in enumerate(parts):
            taken.setdefault("/".join(parts[:depth]), set()).add(part)
    renamed = {node.name: _restored(node.name, taken, layers) for node in graph_def.node}
    for node in graph_def.node:
        node.name = renamed[node.name]
        for index, reference in enumerate(node.input):
            node.input[index] = _renamed_reference(reference, renamed)
        if "_class" in node.attr:
            colocated = node.attr["_class"].list
            colocated.s[:] = [_renamed_location(location, renamed) for location in colocated.s]


def _restored(name: str, taken: dict[str, set[str]], layers: Collection[str]) -> str:
    *scopes, op = name.split("/")
    restored = []
    for depth, scope in enumerate(scopes):
        layer = scope.removesuffix(_SUFFIX)
        free = layer not in taken["/".join(scopes[:depth])]
        restored.append(layer if free and layer in layers else scope)
    return "/".join([*restored, op])


def _renamed_reference(reference: str, renamed: dict[str, str]) -> str:
    """An input is ``op``, ``op:port``, or ``^op`` for a control dependency."""
    control = "^" if reference.startswith("^") else ""
    name, colon, port = reference.removeprefix("^").partition(":")
    return f"{control}{renamed.get(name, name)}{colon}{port}"


def _renamed_location(location: bytes, renamed: dict[str, str]) -> bytes:
    prefix, at, name = location.decode().partition("@")
    return f"{prefix}{at}{renamed.get(name, name)}".encode()

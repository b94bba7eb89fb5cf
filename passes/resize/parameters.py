"""Attributes that a resize inside a function takes from the function's parameters, written out where they are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx_graphsurgeon import Function, Node

from passes.base import Log
from passes.candidates import nodes_of
from passes.resize.proof import by_definition

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode

__all__ = ["resolved_resizes"]

_ABSENT = object()


def resolved_resizes(model: Model, log: Log) -> list[ResizeNode]:
    """Every resize of the model, after writing out the parameters that all calls of a function give one value.

    Where calls differ, or a call passes a parameter of its own on, the reference stays, and the node is
    `is_parametric`.
    """
    resizes = model.resizes()
    parametric = [resize for resize in resizes if resize.is_parametric]
    if not parametric:
        return resizes
    calls = _calls(model)
    changed = False
    for resize in parametric:
        if isinstance(resize.scope.root, Function):
            changed |= _resolve(resize, calls.get(_key(resize.scope.root)), log)
    return model.resizes() if changed else resizes


def _key(function: Function) -> tuple[str, str]:
    return (function.domain or "", function.name)


def _calls(model: Model) -> dict[tuple[str, str], list[Node]]:
    """The nodes that call each function; functions that differ in their overload only are left out."""
    functions = [_key(function) for function in model.graph.functions]
    found: dict[tuple[str, str], list[Node]] = {key: [] for key in functions if functions.count(key) == 1}
    for scope in model.scopes():
        for node in nodes_of(scope, {name for _, name in found}):
            key = (node.domain or "", node.op)
            if key in found:
                found[key].append(node)
    return found


def _resolve(resize: ResizeNode, calls: list[Node] | None, log: Log) -> bool:
    changed = False
    for name, reference in list(resize.node.attrs.items()):
        if not isinstance(reference, Node.AttributeRef) or not calls:
            continue
        default = resize.scope.root.attrs.get(reference.name)
        values = [call.attrs.get(reference.name, _ABSENT if default is None else default) for call in calls]
        value: Any = values[0]
        if any(isinstance(each, Node.AttributeRef) for each in values) or any(
            each != value for each in values
        ):
            continue
        if value is _ABSENT:
            del resize.node.attrs[name]
        else:
            resize.node.attrs[name] = value
        changed = True
        log.change(
            resize.graph_path,
            resize.name,
            name,
            f"parameter {reference.name}",
            None if value is _ABSENT else value,
            "every call of the function gives it this value",
            "respelling",
            certificate=by_definition(
                "parameter",
                "a reference to a parameter stands for what the call gives",
                parameter=reference.name,
                value=None if value is _ABSENT else value,
            ),
        )
    return changed

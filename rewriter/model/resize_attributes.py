"""The types that the attributes of a resize have to have."""

from __future__ import annotations

from typing import Any

from onnx_graphsurgeon import Node

from rewriter.errors import InputError

__all__ = ["check_attributes"]

_TYPES: dict[str, tuple[str, type]] = {
    "antialias": ("an integer", int),
    "axes": ("a list of integers", int),
    "coordinate_transformation_mode": ("a string", str),
    "cubic_coeff_a": ("a number", float),
    "exclude_outside": ("an integer", int),
    "extrapolation_value": ("a number", float),
    "height_scale": ("a number", float),
    "keep_aspect_ratio_policy": ("a string", str),
    "mode": ("a string", str),
    "nearest_mode": ("a string", str),
    "scales": ("a list of numbers", float),
    "width_scale": ("a number", float),
}
_LISTS = ("axes", "scales")


def check_attributes(node: Node, name: str) -> None:
    """Look at the types of a resize's attributes; parameters of the function around the node may be anything.

    Raises:
        InputError: an attribute of another type, which no runtime would load.
    """
    for key, value in node.attrs.items():
        if key in _TYPES and not isinstance(value, Node.AttributeRef) and not _fits(key, value):
            raise InputError(
                f"the attribute '{key}' is not {_TYPES[key][0]}",
                node=name,
                remedy="export the model again; no runtime loads such a node",
            )


def _fits(key: str, value: Any) -> bool:
    kind = _TYPES[key][1]
    if key in _LISTS:
        return isinstance(value, (list, tuple)) and all(_is(entry, kind) for entry in value)
    return _is(value, kind)


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) or (kind is float and isinstance(value, int))

"""What each resize of a model computes, in everybody's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from passes.resize.proof import compare_cached, spelled_out
from rewriter.errors import UnsupportedError
from rewriter.resampling.coreml import TARGETS, express
from rewriter.resampling.tensorflow import habit

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode
    from rewriter.resampling import TensorResize

__all__ = ["DEFAULT_TARGET", "coreml_expression", "inspect_model", "inspect_resize", "semantics_of"]

DEFAULT_TARGET = "iOS17"
_express = lru_cache(maxsize=512)(express)


def inspect_model(model: Model, targets: Sequence[str] = TARGETS) -> list[dict[str, Any]]:
    """Entries of the JSON key ``resizes`` of ``rewriter inspect``, in file order."""
    return [inspect_resize(resize, targets) for resize in model.resizes()]


def inspect_resize(resize: ResizeNode, targets: Sequence[str] = TARGETS) -> dict[str, Any]:
    """What one node computes, as plain data."""
    semantics, problem = semantics_of(resize)
    return {
        "node": resize.name,
        "graph": resize.graph_path,
        "op": resize.op,
        "opset": resize.opset,
        "mode": resize.mode,
        "coordinate_transformation_mode": resize.coordinate_transformation_mode,
        "nearest_mode": resize.nearest_mode if resize.mode == "nearest" else None,
        "input_shape": _shape(resize.input_shape),
        "output_shape": _shape(resize.output_shape),
        "scales": resize.scales,
        "sizes": resize.sizes,
        "semantics": semantics.describe() if semantics is not None else _words(resize),
        "habit": habit(resize.mode, resize.coordinate_transformation_mode, resize.nearest_mode),
        "provenance": None if resize.provenance is None else dict(resize.provenance),
        "shift_against_align_corners": _shift(resize),
        "coreml": {target: coreml_expression(semantics, target) for target in targets},
        "problem": problem,
    }


def semantics_of(resize: ResizeNode) -> tuple[TensorResize | None, str | None]:
    """The exact map at the model's shapes, or why it is not known."""
    if resize.is_parametric:
        return None, "its attributes are parameters of the function around it"
    try:
        spelling = spelled_out(resize)
        if spelling is not None and resize.input_shape is not None:
            spelling.named_axes(len(resize.input_shape))
        semantics = None if spelling is None else resize.semantics_of(spelling)
    except UnsupportedError as error:
        return None, error.message
    if semantics is not None:
        return semantics, None
    return None, "its lengths are not known before it runs"


def coreml_expression(semantics: TensorResize | None, target: str = DEFAULT_TARGET) -> dict[str, Any] | None:
    """How Core ML computes the map: kind, op, parameters and reason; None where the map is not known."""
    if semantics is None:
        return None
    expression = _express(semantics, target)
    return {
        "target": target,
        "kind": expression.kind,
        "op": expression.op,
        "parameters": expression.parameters,
        "reason": expression.reason,
    }


def _shift(resize: ResizeNode) -> dict[str, float] | None:
    """Shift of the node's grid against align_corners, in input pixels; None where the lengths are not known."""
    try:
        spelling = spelled_out(resize)
        own = None if spelling is None else resize.semantics_of(spelling)
        if spelling is None or own is None:
            return None
        aligned = resize.semantics_of(replace(spelling, coordinate_transformation_mode="align_corners"))
    except UnsupportedError:
        return None
    assert aligned is not None
    shift = compare_cached(aligned, own).shift
    return {"left": shift.left, "centre": shift.centre, "right": shift.right, "max": shift.max}


def _words(resize: ResizeNode) -> str:
    words = [resize.mode, resize.coordinate_transformation_mode]
    return " ".join([*words, resize.nearest_mode] if resize.mode == "nearest" else words)


def _shape(shape: Any) -> list[Any] | None:
    return None if shape is None else list(shape)

"""How a Keras model wants its inputs and gives its outputs: one tensor, a list, or a dict."""

from __future__ import annotations

from typing import Any

__all__ = ["input_structure", "layer_names_of_outputs", "output_structure"]


def input_structure(model: Any) -> Any:
    """Symbolic inputs as the model is called with them."""
    return _structure(model, "input")


def output_structure(model: Any) -> Any:
    """Symbolic outputs as a call returns them."""
    return _structure(model, "output")


def _structure(model: Any, which: str) -> Any:
    try:
        return getattr(model, which)
    except AttributeError:  # a Sequential that was never called knows its tensors, but not these two
        tensors = getattr(model, f"{which}s")
        return tensors[0] if len(tensors) == 1 else tensors


def layer_names_of_outputs(model: Any) -> list[str]:
    """The layer of each output; a Sequential has one output, of its last layer."""
    names = getattr(model, "output_names", None)
    return list(names) if names else [model.layers[-1].name]

"""A network as one concrete TensorFlow function in inference mode, and the names its tensors shall keep."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rewriter.errors import UnsupportedError, UsageError
from rewriter.tensorflow.graph_def import FrozenGraph
from rewriter.tensorflow.load import SavedModel
from rewriter.tensorflow.structure import input_structure, layer_names_of_outputs

__all__ = ["Shapes", "Traced", "output_names", "trace"]

Shapes: TypeAlias = Mapping[str, Sequence[int | None]]
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Traced:
    """A concrete function, what its tensors shall be called in ONNX, and the layers that named its scopes."""

    function: Any
    input_names: list[str]
    output_names: list[str]
    renamed: dict[str, str]
    layers: frozenset[str] = frozenset()


def trace(network: Any, shapes: Shapes | None) -> Traced:
    """Trace a Keras model with ``training=False``, or take the function that the network is.

    Args:
        network: a Keras model, a `SavedModel`, a `FrozenGraph`, a concrete function, or a `tf.function` with an input
            signature (also as the ``__call__`` of a `tf.Module`).
        shapes: input name → shape, to pin what the network leaves open.

    Raises:
        UsageError: not a network, or a shape for an unknown input or that does not fit it.
        UnsupportedError: TensorFlow cannot trace the network.
    """
    if isinstance(network, SavedModel):
        return _trace_saved_model(network, shapes)
    if isinstance(network, FrozenGraph):
        return _trace_frozen(network, shapes)
    function = _concrete(network)
    return _trace_keras(network, shapes) if function is None else _trace_function(function, shapes)


def output_names(model: Any) -> list[str]:
    """The names of a Keras model's outputs, each once: Keras repeats a layer's name for each of its outputs."""
    return _distinct(layer_names_of_outputs(model), ())


def _trace_keras(model: Any, shapes: Shapes | None) -> Traced:
    import keras
    import tensorflow as tf

    if not isinstance(model, keras.Model):
        raise UsageError(
            f"cannot convert {type(model).__name__}",
            remedy="give a Keras model, a function with an input signature, or the path of a model",
        )
    if not getattr(model, "inputs", None):
        raise UsageError(
            f"the network '{model.name}' does not say which inputs it takes",
            remedy="make it a functional model, or write a SavedModel with model.export and convert that",
        )
    names = [tensor.name for tensor in model.inputs]
    specs = {name: tuple(tensor.shape) for name, tensor in zip(names, model.inputs, strict=True)}
    _check_shapes(specs, shapes)
    signature = [
        tf.TensorSpec((shapes or {}).get(tensor.name, tensor.shape), tensor.dtype, name=_scoped(tensor.name))
        for tensor in model.inputs
    ]

    structure = input_structure(model)

    @tf.function(input_signature=signature)
    def inference(*tensors: Any) -> Any:
        arguments = keras.tree.pack_sequence_as(structure, list(tensors))
        return keras.tree.flatten(model(arguments, training=False))

    try:
        function = inference.get_concrete_function()
    except Exception as error:  # the layers' own code runs here
        raise _untraceable(model, signature, error) from error
    inputs, outputs = _tensor_names(function)
    named = output_names(model)
    wanted = named if len(named) == len(outputs) else outputs
    layers = frozenset(layer.name for layer in model._flatten_layers(include_self=True, recursive=True))
    return Traced(function, inputs, outputs, _renaming(inputs, names, outputs, wanted), layers)


def _trace_saved_model(saved: SavedModel, shapes: Shapes | None) -> Traced:
    import tensorflow as tf

    function = saved.function
    specs: dict[str, Any] = function.structured_input_signature[1]
    declared = {name: None if spec.shape.rank is None else tuple(spec.shape) for name, spec in specs.items()}
    _check_shapes(declared, shapes)
    if shapes:
        pinned = {
            name: tf.TensorSpec(shapes.get(name, spec.shape), spec.dtype, name=name)
            for name, spec in specs.items()
        }
        original = function
        function = tf.function(lambda **tensors: original(**tensors)).get_concrete_function(**pinned)
    inputs, outputs = _tensor_names(function)
    by_argument = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    wanted_inputs = [name.split(":")[0] for name in by_argument]
    # A signature returns a dict, whose tensors lie in the order of the sorted keys.
    keys = sorted(function.structured_outputs)
    wanted_outputs = keys if len(keys) == len(outputs) else outputs
    # A signature's placeholders are called "<signature>_<argument>"; the arguments come in sorted order.
    if len(wanted_inputs) == len(specs):
        wanted_inputs = _argument_names(wanted_inputs, specs)
    return Traced(function, inputs, outputs, _renaming(inputs, wanted_inputs, outputs, wanted_outputs))


def _trace_frozen(frozen: FrozenGraph, shapes: Shapes | None) -> Traced:
    inputs, outputs = _tensor_names(frozen.function)
    function = _pinned(frozen.function, dict(zip(frozen.inputs, inputs, strict=True)), shapes)
    inputs, outputs = _tensor_names(function)
    return Traced(function, inputs, outputs, _renaming(inputs, frozen.inputs, outputs, frozen.outputs))


def _concrete(network: Any) -> Any:
    """The concrete function that a `tf.function` or `tf.Module` stands for; None for a Keras model."""
    import keras

    if isinstance(network, keras.Model):
        return None
    if hasattr(network, "structured_outputs"):
        return network
    call: Any = network if hasattr(network, "get_concrete_function") else getattr(network, "__call__", None)  # noqa: B004
    if not hasattr(call, "get_concrete_function"):
        return None
    if getattr(call, "input_signature", None) is None:
        raise UsageError(
            "the function does not say which inputs it takes",
            remedy="give tf.function an input_signature, or convert function.get_concrete_function(...)",
        )
    return call.get_concrete_function()


def _trace_function(function: Any, shapes: Shapes | None) -> Traced:
    import keras

    inputs, outputs = _tensor_names(function)
    names = [name.partition(":")[0] for name in inputs]
    structure = function.structured_outputs
    # Dicts come in the order of their sorted keys.
    wanted = sorted(structure) if isinstance(structure, dict) else []
    if len(wanted) != len(keras.tree.flatten(structure)) or len(wanted) != len(outputs):
        wanted = ["output"] if len(outputs) == 1 else [f"output_{index}" for index in range(len(outputs))]
    function = _pinned(function, dict(zip(names, inputs, strict=True)), shapes)
    inputs, outputs = _tensor_names(function)
    return Traced(function, inputs, outputs, _renaming(inputs, names, outputs, wanted))


def _pinned(function: Any, inputs: Mapping[str, str], shapes: Shapes | None) -> Any:
    """The function at fixed shapes.

    Args:
        function: a concrete function.
        inputs: name of the tensor by the name that the user knows.
        shapes: by the latter.
    """
    import tensorflow as tf

    tensors = {tensor.name: tensor for tensor in function.inputs}
    declared = {name: tensors[tensor].shape for name, tensor in inputs.items()}
    _check_shapes(
        {name: None if shape.rank is None else tuple(shape) for name, shape in declared.items()}, shapes
    )
    if not shapes:
        return function
    specs = [
        tf.TensorSpec(shapes.get(name, declared[name]), tensors[tensor].dtype, name=_scoped(name))
        for name, tensor in inputs.items()
    ]
    return tf.function(lambda *values: function(*values)).get_concrete_function(*specs)


def _argument_names(placeholders: list[str], specs: Mapping[str, Any]) -> list[str]:
    names = []
    for placeholder in placeholders:
        fitting = [name for name in specs if placeholder == name or placeholder.endswith(f"_{name}")]
        names.append(max(fitting, key=len) if fitting else placeholder)
    return names if len(set(names)) == len(names) else placeholders


def _tensor_names(function: Any) -> tuple[list[str], list[str]]:
    import tensorflow as tf

    # Captured tensors (variables, and constants such as a Normalization layer's mean) follow the arguments.
    arguments = function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    inputs = [tensor.name for tensor in arguments if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in function.outputs if tensor.dtype != tf.resource]
    return inputs, outputs


def _renaming(
    inputs: list[str], input_names: list[str], outputs: list[str], wanted: Sequence[str]
) -> dict[str, str]:
    # An input and an output of the same name would clash in ONNX.
    apart = [f"{name}_output" if name in input_names else name for name in wanted]
    names = _distinct(apart, input_names)
    return {**dict(zip(inputs, input_names, strict=True)), **dict(zip(outputs, names, strict=True))}


def _distinct(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """`names`, numbered where they repeat: ``a, a, b`` gives ``a, a_1, b``."""
    used = {*names, *taken}
    distinct: list[str] = []
    for name in names:
        number, chosen = 0, name
        while chosen in distinct or (number and chosen in used):
            number += 1
            chosen = f"{name}_{number}"
        distinct.append(chosen)
    return distinct


def _untraceable(model: Any, signature: Sequence[Any], error: Exception) -> UnsupportedError:
    """One sentence from an error inside a layer, which Keras wraps in a page of text."""
    open_inputs = [spec.name for spec in signature if None in tuple(spec.shape)[1:]]
    return UnsupportedError(
        f"TensorFlow cannot trace the network '{model.name}': {_cause(error)}",
        remedy=f"pin the shape of {', '.join(open_inputs)} (--shape)" if open_inputs else None,
    )


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in _TERMINAL_CODES.sub("", str(error)).splitlines()]
    lines = [line for line in lines if line]
    where = next(
        (index for index, line in enumerate(lines) if "Exception encountered when calling" in line), -1
    )
    # Keras says which layer failed, and on the next line why; without that the last line says it.
    told = lines[where : where + 2] if where >= 0 else lines[-1:] or [type(error).__name__]
    layer = told[0].partition("Exception encountered when calling ")[2].removesuffix(".")
    cause = told[-1].split(". ")[0].rstrip(".")[:300]
    return f"{layer}: {cause}" if layer else cause


def _check_shapes(inputs: Mapping[str, Sequence[int | None] | None], shapes: Shapes | None) -> None:
    """Whether each of `shapes` pins what its input leaves open, and nothing else."""
    for name, shape in (shapes or {}).items():
        if name not in inputs:
            raise UsageError(f"the network has no input '{name}'", remedy=f"its inputs: {', '.join(inputs)}")
        if any(length is not None and length < 1 for length in shape):
            raise UsageError(
                f"input '{name}' cannot have shape {','.join(map(str, shape))}", remedy="give lengths from 1"
            )
        declared = inputs[name]
        if declared is None:  # of any rank
            continue
        fits = len(shape) == len(declared) and all(
            known is None or known == length for known, length in zip(declared, shape, strict=True)
        )
        if not fits:
            written = ",".join("?" if length is None else str(length) for length in declared)
            raise UsageError(
                f"input '{name}' cannot have shape {','.join(map(str, shape))}", remedy=f"it is {written}"
            )


def _scoped(name: str) -> str:
    """TensorFlow allows fewer characters in a placeholder's name than Keras in an input's."""
    return "".join(c if c.isalnum() or c in "_./-" else "_" for c in name)

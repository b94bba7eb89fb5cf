"""TensorFlow to ONNX through tf2onnx: names kept, every resize exact and with its provenance, or a refusal."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from rewriter.errors import RewriterError, UnsupportedError, UsageError, require
from rewriter.tensorflow.environment import import_tensorflow
from rewriter.tensorflow.load import SavedModel, load
from rewriter.tensorflow.provenance import attach
from rewriter.tensorflow.scopes import restore_layer_scopes

__all__ = ["DEFAULT_OPSET", "convert"]

DEFAULT_OPSET = 18
"""The first opset whose Resize takes `axes`, so that sizes are exact also where the batch is not known."""

_OPSETS = range(11, 19)
_NO_EXACT_ONNX = {
    "ResizeArea": "area averaging",
    "ScaleAndTranslate": "an antialiased or windowed resize",
    "CropAndResize": "a crop with resize",
}
Shapes = Mapping[str, Sequence[int | None]]


@dataclass(frozen=True)
class _Traced:
    """A concrete function, what its tensors shall be called in ONNX, and the layers that named its scopes."""

    function: Any
    input_names: list[str]
    output_names: list[str]
    renamed: dict[str, str]
    layers: frozenset[str] = frozenset()


def convert(source: Any, *, opset: int = DEFAULT_OPSET, shapes: Shapes | None = None) -> onnx.ModelProto:
    """Convert a network to ONNX, as it computes in inference mode.

    Args:
        source: a Keras model, a `SavedModel`, or the path of a `.keras` or `.h5` file or SavedModel directory.
        opset: ONNX opset, 11 to 18.
        shapes: input name → shape, to pin what the network leaves open.

    Returns:
        A model whose inputs and outputs have the network's own names and layout (NHWC).

    Raises:
        UsageError: an opset out of range, a shape for an unknown input.
        UnsupportedError: an op that has no exact ONNX form, named with its scope.
    """
    if opset not in _OPSETS:
        raise UsageError(f"opset {opset} is not supported", remedy=f"use {_OPSETS[0]} to {_OPSETS[-1]}")
    import_tensorflow("to convert from TensorFlow")
    require("tf2onnx", "to convert from TensorFlow")
    network = load(source) if isinstance(source, (str, Path)) else source
    traced = (
        _trace_saved_model(network, shapes)
        if isinstance(network, SavedModel)
        else _trace_keras(network, shapes)
    )
    with _quiet():
        model = _through_tf2onnx(traced, opset)
    _refuse_leftovers(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _trace_keras(model: Any, shapes: Shapes | None) -> _Traced:
    import keras
    import tensorflow as tf

    if not isinstance(model, keras.Model):
        raise UsageError(
            f"cannot convert {type(model).__name__}",
            remedy="give a Keras model, a .keras or .h5 file or a SavedModel",
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

    @tf.function(input_signature=signature)
    def inference(*tensors: Any) -> Any:
        arguments = keras.tree.pack_sequence_as(model.input, list(tensors))
        return keras.tree.flatten(model(arguments, training=False))

    function = inference.get_concrete_function()
    inputs, outputs = _tensor_names(function)
    wanted = list(model.output_names) if len(model.output_names) == len(outputs) else outputs
    layers = frozenset(layer.name for layer in model._flatten_layers(include_self=True, recursive=True))
    return _Traced(function, inputs, outputs, _renaming(inputs, names, outputs, wanted), layers)


def _trace_saved_model(saved: SavedModel, shapes: Shapes | None) -> _Traced:
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
    return _Traced(function, inputs, outputs, _renaming(inputs, wanted_inputs, outputs, wanted_outputs))


def _argument_names(placeholders: list[str], specs: Mapping[str, Any]) -> list[str]:
    names = []
    for placeholder in placeholders:
        fitting = [name for name in specs if placeholder == name or placeholder.endswith(f"_{name}")]
        names.append(max(fitting, key=len) if fitting else placeholder)
    return names if len(set(names)) == len(names) else placeholders


def _tensor_names(function: Any) -> tuple[list[str], list[str]]:
    import tensorflow as tf

    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in function.outputs if tensor.dtype != tf.resource]
    return inputs, outputs


def _renaming(
    inputs: list[str], input_names: list[str], outputs: list[str], output_names: list[str]
) -> dict[str, str]:
    wanted = [*input_names, *output_names]
    if len(set(wanted)) != len(wanted):  # an input and an output of the same name would clash in ONNX
        output_names = [f"{name}_output" if name in input_names else name for name in output_names]
    return {**dict(zip(inputs, input_names, strict=True)), **dict(zip(outputs, output_names, strict=True))}


def _through_tf2onnx(traced: _Traced, opset: int) -> onnx.ModelProto:
    import tensorflow as tf
    from tf2onnx import tf_loader, utils
    from tf2onnx.convert import _convert_common

    from rewriter.tensorflow.resize_handler import ResizeHandler

    utils.INTERNAL_NAME = (
        1  # numbers in generated names start anew, so that the same network gives the same file
    )
    with tf.device("/cpu:0"):
        frozen = tf_loader.from_function(traced.function, traced.input_names, traced.output_names)
        restore_layer_scopes(frozen, traced.layers)
        _refuse_inexact(frozen)
        handler = ResizeHandler()
        try:
            model, _ = _convert_common(
                frozen,
                name="tensorflow",
                continue_on_error=False,
                opset=opset,
                custom_op_handlers=handler.handlers,
                input_names=traced.input_names,
                output_names=traced.output_names,
                tensors_to_rename=traced.renamed,
            )
        except RewriterError:
            raise
        except Exception as error:  # tf2onnx raises whatever went wrong inside
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UnsupportedError(f"tf2onnx cannot convert this network: {cause}") from error
    attach(model, handler.found)
    return model


def _refuse_inexact(graph_def: Any) -> None:
    """Ops for which tf2onnx writes something else, or nothing valid."""
    nodes = [
        *graph_def.node,
        *(node for function in graph_def.library.function for node in function.node_def),
    ]
    found = [node for node in nodes if node.op in _NO_EXACT_ONNX]
    if not found:
        return
    listed = ", ".join(f"{node.name} ({node.op}, {_NO_EXACT_ONNX[node.op]})" for node in found)
    raise UnsupportedError(
        f"no exact ONNX form is known for {listed}",
        node=found[0].name,
        remedy="resize with tf.image.resize bilinear, nearest or bicubic without antialias",
    )


def _refuse_leftovers(model: onnx.ModelProto) -> None:
    """tf2onnx logs ops that it cannot convert and leaves them in the graph: never hand out such a file."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    unknown = [
        node for node in model.graph.node if not onnx.defs.has(node.op_type, versions.get("", 1), node.domain)
    ]
    if unknown:
        listed = ", ".join(sorted({f"{node.op_type} ({node.name})" for node in unknown}))
        raise UnsupportedError(f"ONNX has no operator for {listed}", node=unknown[0].name)


def _check_shapes(inputs: Mapping[str, Sequence[int | None] | None], shapes: Shapes | None) -> None:
    """Whether each of `shapes` pins what its input leaves open, and nothing else."""
    for name, shape in (shapes or {}).items():
        if name not in inputs:
            raise UsageError(f"the network has no input '{name}'", remedy=f"its inputs: {', '.join(inputs)}")
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx and TensorFlow log progress and recoverable errors as warnings; ours are raised instead."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    kept = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, kept, strict=True):
            logger.setLevel(level)

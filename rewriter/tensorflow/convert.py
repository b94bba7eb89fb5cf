"""TensorFlow to ONNX through tf2onnx: names kept, every resize exact and with its provenance, or a refusal."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from rewriter.batch_statistics import REASON, find_batch_statistics
from rewriter.errors import RewriterError, UnsupportedError, UsageError, require
from rewriter.tensorflow.divisions import restore_divisions
from rewriter.tensorflow.elementary_ops import HANDLERS
from rewriter.tensorflow.environment import import_tensorflow
from rewriter.tensorflow.inlining import inline_compiled
from rewriter.tensorflow.load import load
from rewriter.tensorflow.provenance import Provenance, attach, nodes_of
from rewriter.tensorflow.resize_shapes import declare_resized, name_every_axis
from rewriter.tensorflow.scopes import restore_layer_scopes
from rewriter.tensorflow.tflite import TFLiteModel, check_against_interpreter
from rewriter.tensorflow.tidying import tidy
from rewriter.tensorflow.tracing import Shapes, Traced, trace

__all__ = ["DEFAULT_OPSET", "convert"]

DEFAULT_OPSET = 18
"""The first opset whose Resize takes `axes`: exact constant sizes also where the batch is not known, without the
Shape, Slice and Concat that opsets 11 to 17 need for each Resize."""

_OPSETS = range(11, 19)


def convert(
    source: Any, *, opset: int = DEFAULT_OPSET, shapes: Shapes | None = None, verbose: bool = False
) -> onnx.ModelProto:
    """Convert a network to ONNX, as it computes in inference mode.

    Args:
        source: a Keras model, a `tf.function` or `tf.Module` with an input signature, a concrete function, whatever
            `rewriter.tensorflow.load.load` returns, or the path of a file that it opens.
        opset: ONNX opset, 11 to 18.
        shapes: input name → shape, to pin what the network leaves open.
        verbose: show what TensorFlow and tf2onnx log.

    Returns:
        A model whose inputs and outputs have the network's own names and layout (NHWC).

    Raises:
        UsageError: an opset out of range, a shape for an unknown input.
        UnsupportedError: an op that has no exact ONNX form, named with its scope; a network that TensorFlow
            cannot trace at these shapes.
    """
    if opset not in _OPSETS:
        raise UsageError(f"opset {opset} is not supported", remedy=f"use {_OPSETS[0]} to {_OPSETS[-1]}")
    import_tensorflow("to convert from TensorFlow")
    require("tf2onnx", "to convert from TensorFlow")
    network = load(source) if isinstance(source, (str, Path)) else source
    with contextlib.nullcontext() if verbose else _quiet():
        if isinstance(network, TFLiteModel):
            if shapes:
                raise UsageError(
                    "a TFLite file has fixed shapes", file=network.path, remedy="leave out --shape"
                )
            model, resizes = _from_tflite(network, opset)
        else:
            model, resizes = _from_function(trace(network, shapes), opset)
    _refuse_leftovers(model)
    _refuse_batch_statistics(model)
    records = attach(model, resizes)
    name_every_axis(model)
    declare_resized(model, records)
    _check(model)
    model = tidy(model)
    if isinstance(network, TFLiteModel):
        check_against_interpreter(model, network)
    return model


def _from_function(traced: Traced, opset: int) -> tuple[onnx.ModelProto, list[Provenance]]:
    import tensorflow as tf
    from tf2onnx import tf_loader

    with tf.device("/cpu:0"):
        frozen = tf_loader.from_function(traced.function, traced.input_names, traced.output_names)
        frozen = inline_compiled(frozen, traced.input_names, traced.output_names)
        restore_divisions(frozen)
        restore_layer_scopes(frozen, traced.layers)
        return _through_tf2onnx(
            frozen,
            opset,
            input_names=traced.input_names,
            output_names=traced.output_names,
            tensors_to_rename=traced.renamed,
        )


def _from_tflite(model: TFLiteModel, opset: int) -> tuple[onnx.ModelProto, list[Provenance]]:
    return _through_tf2onnx(
        None,
        opset,
        tflite_path=str(model.path),
        tensors_to_rename={
            tensor: name
            for names in (model.inputs, model.outputs)
            for name, (tensor, _, _) in names.items()
            if tensor != name
        },
    )


def _through_tf2onnx(graph: Any, opset: int, **arguments: Any) -> tuple[onnx.ModelProto, list[Provenance]]:
    from tf2onnx import utils
    from tf2onnx.convert import _convert_common

    from rewriter.tensorflow.resize_handler import ResizeHandler

    # Numbers in generated names start anew, so that the same network gives the same file.
    utils.INTERNAL_NAME = 1
    handler = ResizeHandler()
    try:
        model, _ = _convert_common(
            graph,
            name="tensorflow",
            continue_on_error=False,
            opset=opset,
            custom_op_handlers={**HANDLERS, **handler.handlers},
            **arguments,
        )
    except RewriterError:
        raise
    except Exception as error:  # tf2onnx raises whatever went wrong inside
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnsupportedError(f"tf2onnx cannot convert this network: {cause}") from error
    return model, handler.found


def _refuse_leftovers(model: onnx.ModelProto) -> None:
    """tf2onnx logs ops that it cannot convert and leaves them in the graph: never hand out such a file."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    unknown = [
        node
        for node in nodes_of(model.graph)
        if not onnx.defs.has(node.op_type, versions.get("", 1), node.domain)
    ]
    if unknown:
        first = {node.op_type: node.name for node in reversed(unknown)}
        counts = Counter(node.op_type for node in unknown)
        listed = ", ".join(f"{op} ({_times(counts[op])}{first[op]})" for op in sorted(counts))
        raise UnsupportedError(
            f"ONNX has no operator for {listed}",
            node=unknown[0].name,
            remedy="express the layer with other TensorFlow ops",
        )


def _refuse_batch_statistics(model: onnx.ModelProto) -> None:
    layers = find_batch_statistics(model)
    if layers:
        raise UnsupportedError(
            f"{len(layers)} layer{'s' if len(layers) > 1 else ''} {REASON}",
            node=layers[0],
            remedy="convert the Keras model itself, or export it with training=False",
        )


def _times(count: int) -> str:
    return "" if count == 1 else f"{count} times, first at "


def _check(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        cause = " ".join(str(error).split())[:300]
        raise UnsupportedError(f"tf2onnx wrote an invalid graph for this network: {cause}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx and TensorFlow log progress and recoverable errors as warnings; ours are raised instead."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    kept = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf2onnx uses a class of TFLite that is to move one day
            yield
    finally:
        for logger, level in zip(loggers, kept, strict=True):
            logger.setLevel(level)

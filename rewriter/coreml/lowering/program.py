"""Walks over a prepared graph and builds the MIL program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import coremltools as ct
import numpy as np
import onnx
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Function, Program, Var, types
from coremltools.converters.mil.mil.types.symbolic import is_symbolic

from rewriter.coreml.lowering.environment import Environment
from rewriter.coreml.lowering.folding import fold, may_fold
from rewriter.coreml.lowering.graph import GraphInput, PreparedGraph
from rewriter.coreml.lowering.names import NameTable
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowerings
from rewriter.coreml.lowering.values import MAX_RANK, mil_type, narrow, static_shape
from rewriter.errors import UnsupportedError
from rewriter.resampling.coreml import NETWORK_TARGETS

__all__ = ["BuiltProgram", "Progress", "build_program", "lower_subgraph"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""

Results = Sequence[Any]
"""Per output of a node a MIL variable, a constant array, or None."""


@dataclass(frozen=True)
class BuiltProgram:
    """A MIL program before coremltools' passes.

    Attributes:
        program: the MIL program.
        names: Core ML name by ONNX name, inputs and outputs.
        resizes: how each Resize node was expressed.
    """

    program: Program
    names: dict[str, str]
    resizes: list[dict[str, Any]]


def build_program(
    graph: PreparedGraph,
    target: str,
    *,
    read: Callable[[onnx.TensorProto], np.ndarray],
    reading: str | None = None,
    progress: Progress | None = None,
    custom_layer: str = "never",
) -> BuiltProgram:
    """Lower every node of `graph`.

    Args:
        graph: what to lower.
        target: deployment target, e.g. ``iOS17``.
        read: gives the values of an initializer.
        reading: whose reading of the Resize specification decides where implementations differ; None to refuse.
        progress: called with a phase, steps done and steps in all.
        custom_layer: which resizes become a custom layer (`rewriter.coreml.neuralnetwork`).

    Raises:
        UnsupportedError: a node uses something that MIL cannot express exactly; the node is named.
    """
    if not graph.inputs:
        raise UnsupportedError("the model has no inputs, Core ML models need at least one")
    names = NameTable()
    # Inputs and outputs first, so that they keep their names where inner values collide with them.
    core_ml_names = {item.name: names.claim(item.name) for item in graph.inputs}
    for output in graph.outputs:
        if output not in core_ml_names:
            core_ml_names[output] = names.claim(output)
    environment = Environment(
        opsets=graph.opsets,
        target=target,
        initializers=graph.initializers,
        used=graph.used,
        names=names,
        read=read,
        custom_layer=custom_layer,
        reading=reading,
    )
    placeholders = {
        core_ml_names[item.name]: mb.placeholder(shape=_port_shape(item), dtype=_port_type(item))
        for item in graph.inputs
    }
    program = Program()
    with Function(placeholders, opset_version=getattr(ct.target, target)) as function:
        for item in graph.inputs:
            environment.bind(item.name, _inner_value(item, function.inputs[core_ml_names[item.name]]))
        for index, node in enumerate(graph.nodes):
            if progress is not None:
                progress("lowering", index, len(graph.nodes))
            _lower_node(node, environment)
        function.set_outputs(_outputs(graph, environment, core_ml_names, function))
        program.add_function("main", function)
    return BuiltProgram(program, core_ml_names, environment.resizes)


def lower_subgraph(
    graph: onnx.GraphProto, feeds: Mapping[str, Var | np.ndarray], environment: Environment
) -> list[Var | np.ndarray]:
    """Lower the nodes of a subgraph into the program that is being built; the values of its outputs."""
    outputs = [value.name for value in graph.output]
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    environment.enter(initializers, {name for node in graph.node for name in node.input} | set(outputs))
    for name, value in feeds.items():
        environment.bind(name, value)
    for node in graph.node:
        _lower_node(node, environment)
    return [environment.value(name) for name in outputs]


def _port_shape(item: GraphInput) -> tuple[int, ...]:
    if len(item.shape) > MAX_RANK:
        raise UnsupportedError(f"input '{item.name}' has rank {len(item.shape)}, Core ML allows {MAX_RANK}")
    if 0 in item.shape:
        raise UnsupportedError(f"input '{item.name}' is empty: shape {list(item.shape)}")
    return item.shape or (1,)


def _port_type(item: GraphInput) -> Any:
    """Core ML takes float32 and int32 tensors; truth values come as 0 and 1."""
    inner = mil_type(item.element_type, f"input '{item.name}'")
    return types.int32 if inner == types.bool else inner


def _inner_value(item: GraphInput, var: Var) -> Var:
    if mil_type(item.element_type, item.name) == types.bool:
        var = mb.not_equal(x=var, y=np.int32(0))
    return mb.squeeze(x=var, axes=[0]) if not item.shape else var


def _lower_node(proto: onnx.NodeProto, environment: Environment) -> None:
    known = _known_value(proto, environment)
    outputs: Results = _apply(Node(proto, environment)) if known is None else known
    for name, value in zip(proto.output, outputs, strict=False):
        if not name or value is None:
            continue
        if isinstance(value, Var):
            _check_result(value, proto)
            _rename(value, name, environment)
        environment.bind(name, value)


def _known_value(proto: onnx.NodeProto, environment: Environment) -> Sequence[np.ndarray] | None:
    """The outputs of a node that is constant; None where it has to be computed by the program."""
    given = [name for name in proto.input if name]
    if proto.op_type in ("Shape", "Size"):
        return [_shape_value(Node(proto, environment))]
    if not may_fold(proto) or not all(environment.is_constant(name) for name in given):
        return None
    arrays = {name: environment.constant(name) for name in given}
    return fold(proto, {name: a for name, a in arrays.items() if a is not None}, environment.opset(""))


def _shape_value(node: Node) -> np.ndarray:
    shape = node.shape()
    if node.op == "Size":
        return np.array(int(np.prod(shape)), dtype=np.int64)
    return np.array(shape[slice(node.attr("start", 0), node.attr("end"))], dtype=np.int64)


def _apply(node: Node) -> Results:
    function = lowerings()[(node.proto.domain if node.proto.domain != "ai.onnx" else "", node.op)]
    try:
        result = function(node)
    except UnsupportedError as error:
        if error.node is not None:
            raise
        raise node.refuse(error.message, error.remedy) from error
    except (ValueError, NotImplementedError, TypeError, AssertionError) as error:
        # coremltools' builder checks shapes and types itself; its words are the cause, the node is ours to name.
        raise node.refuse(f"coremltools refuses it: {error}") from error
    except (IndexError, KeyError) as error:
        raise node.refuse("its inputs or attributes are not what the operator takes") from error
    return result if isinstance(result, (list, tuple)) else [result]


def _check_result(var: Var, proto: onnx.NodeProto) -> None:
    where = proto.name or proto.output[0]
    if var.rank > MAX_RANK:
        raise UnsupportedError(
            f"{proto.op_type} gives a tensor of rank {var.rank}, Core ML allows {MAX_RANK}", node=where
        )
    if any(is_symbolic(length) for length in var.shape):
        return  # what reads it needs no fixed shape, or says so
    if 0 in static_shape(var):
        raise UnsupportedError(f"{proto.op_type} gives an empty tensor, Core ML has none", node=where)


def _rename(var: Var, name: str, environment: Environment) -> None:
    """Give the program's value the ONNX name where it is new, so that both can be compared by name."""
    if var.op is None or var.op.op_type == "const" or var in environment.named:
        return
    environment.named.add(var)
    var.name = environment.names.claim(name)
    if len(var.op.outputs) == 1:
        var.op.name = var.name


def _outputs(
    graph: PreparedGraph, environment: Environment, core_ml_names: dict[str, str], function: Function
) -> list[Var]:
    taken: set[Var] = set(function.inputs.values())
    outputs = []
    input_names = {item.name for item in graph.inputs}
    for index, name in enumerate(graph.outputs):
        if name in input_names or name in graph.outputs[:index]:
            # One name cannot be both ports; the mapping keeps the input's, the output gets a number.
            port = environment.names.claim(name)
            core_ml_names[f"{name} (output {index})"] = port
        else:
            port = core_ml_names[name]
        var = _port_value(name, environment, function)
        if var in taken or var.op is None or var.op.op_type == "const":
            var = mb.identity(x=var)
        taken.add(var)
        var.name = port
        if var.op is not None and len(var.op.outputs) == 1:
            var.op.name = port
        outputs.append(var)
    return outputs


def _port_value(name: str, environment: Environment, function: Function) -> Var:
    """An output as Core ML can return it: computed, float32 or int32, of rank 1 at least."""
    value = environment.constant(name)
    var = _computed_constant(value, function) if value is not None else environment.var(name)
    if var.dtype == types.bool:
        var = mb.cast(x=var, dtype="int32")
    # In the neuralnetwork format a tensor without axes has one axis already.
    has_axes = var.rank > 0 or environment.target in NETWORK_TARGETS
    return var if has_axes else mb.expand_dims(x=var, axes=[0])


def _computed_constant(value: np.ndarray, function: Function) -> Var:
    """A constant that depends on an input in form only: Core ML refuses outputs that nothing computes.

    `x < x` is false for every x, NaN included; its count is the zero that is added.
    """
    array = narrow(value, "a constant output")
    if array.size == 0:
        raise UnsupportedError("an output is a constant without elements, Core ML has no empty tensors")
    first = next(iter(function.inputs.values()))
    corner = mb.slice_by_index(
        x=first, begin=[0] * first.rank, end=[1] * first.rank, squeeze_mask=[True] * first.rank
    )
    never = mb.less(x=corner, y=corner)
    if array.dtype == np.bool_:
        return mb.logical_or(x=np.atleast_1d(array), y=mb.expand_dims(x=never, axes=[0]))
    zero = mb.cast(x=never, dtype="fp32" if array.dtype == np.float32 else "int32")
    return mb.add(x=np.atleast_1d(array), y=mb.expand_dims(x=zero, axes=[0]))

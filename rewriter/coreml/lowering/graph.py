"""The ONNX graph made ready for lowering: functions inlined, dead nodes dropped, shapes fixed, support checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import onnx
from onnx import TensorProto

from rewriter.coreml.lowering.folding import may_fold
from rewriter.coreml.lowering.inlining import inline
from rewriter.coreml.lowering.registry import OperatorKey
from rewriter.coreml.lowering.subgraphs import free_names, subgraphs
from rewriter.errors import InputError, UnsupportedError, UsageError

__all__ = ["GraphInput", "PreparedGraph", "prepare"]

OLDEST_OPSET = 7
# Lowered here although no lowering is registered: the value is known.
_VALUE_NODES = ("Constant", "Shape", "Size")


@dataclass(frozen=True)
class GraphInput:
    """A model input with its fixed lengths and its ONNX element type."""

    name: str
    shape: tuple[int, ...]
    element_type: int


@dataclass(frozen=True)
class PreparedGraph:
    """What the lowering walks over.

    Attributes:
        nodes: the nodes that the outputs need, in topological order.
        inputs: model inputs, initializers excluded.
        outputs: names of the model outputs, in order; repeated where the model repeats them.
        initializers: constants of the file by name.
        opsets: version by domain; the default domain is the empty string.
        used: names of values that a node or an output reads.
    """

    nodes: tuple[onnx.NodeProto, ...]
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    initializers: Mapping[str, onnx.TensorProto]
    opsets: Mapping[str, int]
    used: set[str] = field(default_factory=set)


def prepare(
    proto: onnx.ModelProto,
    supported: Collection[OperatorKey],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> PreparedGraph:
    """Check that `proto` can be lowered and put it into the shape that lowering needs.

    Raises:
        InputError: the model has no graph outputs or reads values that nobody computes.
        UnsupportedError: unsupported operators (all of them named), an opset before 7, or open input shapes.
        UsageError: `shapes` names an unknown input or contradicts the model.
    """
    opsets = _opsets(proto)
    inputs = _inputs(proto, shapes or {})
    if not proto.graph.output:
        raise InputError("the model has no outputs")
    graph = inline(proto, supported, {item.name: item.shape for item in inputs})
    initializers = {tensor.name: tensor for tensor in proto.graph.initializer}
    _refuse_initializers(proto.graph)
    nodes = _needed_nodes(graph)
    _refuse_unsupported(nodes, set(initializers), supported)
    outputs = tuple(value.name for value in graph.output)
    used = {name for node in nodes for name in node.input if name} | set(outputs)
    return PreparedGraph(
        nodes=tuple(nodes),
        inputs=inputs,
        outputs=outputs,
        initializers=initializers,
        opsets=opsets,
        used=used,
    )


def _opsets(proto: onnx.ModelProto) -> dict[str, int]:
    opsets = {
        "" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in proto.opset_import
    }
    version = opsets.get("", OLDEST_OPSET)
    if version < OLDEST_OPSET and any(_changed_until_7(node, version) for node in proto.graph.node):
        raise UnsupportedError(
            f"the model uses opset {opsets['']}, whose broadcasting differs from today's",
            remedy=f"export it with opset {OLDEST_OPSET} or newer",
        )
    return opsets


def _changed_until_7(node: onnx.NodeProto, version: int) -> bool:
    """Whether an operator of an old opset means something else in the oldest one that is supported."""
    if _domain(node) or not onnx.defs.has(node.op_type, version, ""):
        return True
    old, new = (onnx.defs.get_schema(node.op_type, opset, "") for opset in (version, OLDEST_OPSET))
    return bool(old.since_version != new.since_version)


def _inputs(proto: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> tuple[GraphInput, ...]:
    constant = {tensor.name for tensor in proto.graph.initializer}
    values = [value for value in proto.graph.input if value.name not in constant]
    unknown = set(shapes) - {value.name for value in values}
    if unknown:
        raise UsageError(
            f"--shape names {', '.join(sorted(unknown))}, which the model does not have",
            remedy=f"its inputs are {', '.join(value.name for value in values) or 'none'}",
        )
    return tuple(_input(value, shapes.get(value.name)) for value in values)


def _input(value: onnx.ValueInfoProto, pinned: tuple[int, ...] | None) -> GraphInput:
    if not value.type.HasField("tensor_type"):
        raise UnsupportedError(f"input '{value.name}' is not a tensor, Core ML models take tensors")
    tensor = value.type.tensor_type
    declared: list[int | str] | None = None
    if tensor.HasField("shape"):
        declared = [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else dim.dim_param or "?"
            for dim in tensor.shape.dim
        ]
    return GraphInput(value.name, _fixed_shape(value.name, declared, pinned), tensor.elem_type)


def _fixed_shape(
    name: str, declared: list[int | str] | None, pinned: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The lengths of an input: what the user pinned, else what the model declares, an open batch being 1."""
    if pinned is not None:
        clash = declared is not None and (
            len(declared) != len(pinned)
            or any(
                isinstance(have, int) and have != want for have, want in zip(declared, pinned, strict=True)
            )
        )
        if clash:
            raise UsageError(
                f"--shape gives input '{name}' the shape {list(pinned)}, the model declares {declared}"
            )
        return tuple(pinned)
    if declared is None:
        raise UnsupportedError(
            f"input '{name}' has no declared rank", remedy=f"give its shape with --shape {name}:1,H,W,3"
        )
    lengths = [
        1 if index == 0 and isinstance(length, str) else length for index, length in enumerate(declared)
    ]
    open_lengths = [length for length in lengths if isinstance(length, str)]
    if open_lengths:
        example = ",".join(str(length) for length in lengths)
        raise UnsupportedError(
            f"input '{name}' has lengths that are not fixed: {declared}",
            remedy=f"fix them with --shape {name}:{example}, each letter replaced by a number",
        )
    return tuple(int(length) for length in lengths)


def _domain(node: onnx.NodeProto) -> str:
    return "" if node.domain == "ai.onnx" else str(node.domain)


def _needed_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in the file's order."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not needed.intersection(name for name in node.output if name):
            continue
        kept.append(node)
        needed.update(name for name in node.input if name)
        for inner in subgraphs(node):
            needed.update(free_names(inner))
    return kept[::-1]


def _refuse_initializers(graph: onnx.GraphProto) -> None:
    if graph.sparse_initializer:
        raise UnsupportedError("the model has sparse initializers, Core ML has none")
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.STRING:
            raise UnsupportedError(f"initializer '{tensor.name}' holds strings, Core ML has none")


def _refuse_unsupported(
    nodes: list[onnx.NodeProto], constant: set[str], supported: Collection[OperatorKey]
) -> None:
    """Name every operator that cannot be lowered, in one message, before any work is done."""
    missing: dict[str, list[str]] = {}
    _collect_missing(nodes, set(constant), supported, "main", missing)
    if missing:
        listing = "; ".join(
            f"{operator} ({len(places)}×, first at {places[0]})"
            for operator, places in sorted(missing.items())
        )
        raise UnsupportedError(
            f"no lowering to Core ML for {listing}", remedy="replace them by other operators when exporting"
        )


def _collect_missing(
    nodes: Iterable[onnx.NodeProto],
    constant: set[str],
    supported: Collection[OperatorKey],
    path: str,
    missing: dict[str, list[str]],
) -> None:
    for node in nodes:
        if node.op_type in _VALUE_NODES and not _domain(node):
            constant.update(node.output)
        elif may_fold(node) and all(name in constant for name in node.input if name):
            constant.update(node.output)
            if (_domain(node), node.op_type) not in supported:
                continue
        if node.op_type in _VALUE_NODES and not _domain(node):
            continue
        if (_domain(node), node.op_type) not in supported:
            label = f"{_domain(node)}::{node.op_type}" if _domain(node) else node.op_type
            missing.setdefault(label, []).append(f"{path}/{node.name or node.output[0]}")
        for inner in subgraphs(node):
            inside = constant | {tensor.name for tensor in inner.initializer}
            _collect_missing(inner.node, inside, supported, f"{path}/{node.name or node.output[0]}", missing)

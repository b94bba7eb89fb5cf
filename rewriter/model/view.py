"""The view that passes edit: protobuf messages as onnx-graphsurgeon objects, each bound to where it came from.

onnx-graphsurgeon's own importer forgets which message an object stems from, drops attribute types that it does not
know, prints warnings, and fails on strings that are not UTF-8; this one builds the same classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    SparseTensorProto,
    TensorProto,
)
from onnx_graphsurgeon import Constant, Function, Graph, Node, Tensor, Variable

from rewriter.model.values import constant_from_proto, plain_attribute, variable_from_proto

__all__ = ["Bindings", "GraphBinding", "NodeBinding", "View", "build_view", "default_opset"]

DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(eq=False)
class NodeBinding:
    """A node of the file: its object, message, scope and place in that scope's list of nodes."""

    node: Node
    proto: NodeProto
    scope: GraphBinding
    index: int
    subgraphs: dict[str, GraphBinding] = field(default_factory=dict)


@dataclass(eq=False)
class ConstantBinding:
    """A tensor of the file: an initializer (then with scope and index) or a tensor attribute."""

    constant: Constant
    proto: TensorProto | SparseTensorProto
    values: Any
    scope: GraphBinding | None = None
    index: int = -1


@dataclass(eq=False)
class GraphBinding:
    """A graph or function of the file, and the objects that passes see of it.

    Attributes:
        graph: the graphsurgeon graph (a `Function` for a model-local function).
        proto: its message.
        parent: the scope around a subgraph; None for the main graph and functions.
        tensors: every tensor that this scope itself names, by name.
        declared: dtype and shape of each declared variable when it was read.
        index: place of a function among the model's functions.
        opset: the graph's `opset` when it was read.
    """

    graph: Graph
    proto: GraphProto | FunctionProto
    parent: GraphBinding | None
    tensors: dict[str, Tensor] = field(default_factory=dict)
    declared: dict[str, tuple[Any, tuple[Any, ...] | None]] = field(default_factory=dict)
    index: int = -1
    opset: int | None = None
    nodes: list[NodeBinding] = field(default_factory=list)
    initializers: list[ConstantBinding] = field(default_factory=list)
    sparse_initializers: list[ConstantBinding] = field(default_factory=list)


@dataclass(eq=False)
class Bindings:
    """Where each object came from, by identity; the bindings hold the objects, so that ids stay theirs."""

    nodes: dict[int, NodeBinding] = field(default_factory=dict)
    constants: dict[int, ConstantBinding] = field(default_factory=dict)
    graphs: dict[int, GraphBinding] = field(default_factory=dict)


@dataclass(eq=False)
class View:
    """The main graph (its functions under `graph.functions`) and the bindings of every object."""

    graph: Graph
    bindings: Bindings


def default_opset(imports: Any) -> int | None:
    """Version of the default domain among opset imports; None where it is not imported."""
    return next((entry.version for entry in imports if entry.domain in DEFAULT_DOMAINS), None)


def build_view(proto: ModelProto, directory: Path | None) -> View:
    """Build the objects for a whole model; no tensor data is read.

    Args:
        proto: the model.
        directory: where external data lies.
    """
    importer = _Importer(directory)
    functions = [importer.function(function, index, proto) for index, function in enumerate(proto.functions)]
    imports = _copies(proto.opset_import)
    graph = importer.graph(proto.graph, None, default_opset(imports), imports)
    graph.producer_name, graph.producer_version = proto.producer_name, proto.producer_version
    graph.ir_version = proto.ir_version
    graph.functions = functions
    return View(graph, importer.bindings)


class _Importer:
    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.bindings = Bindings()

    def function(self, proto: FunctionProto, index: int, model: ModelProto) -> Function:
        imports = _copies(proto.opset_import or model.opset_import)
        opset = default_opset(imports)
        attributes = dict.fromkeys(proto.attribute)
        function = Function(
            proto.name,
            proto.domain,
            doc_string=proto.doc_string,
            opset=opset,
            import_domains=imports,
            attrs=attributes,
        )
        scope = self._bind_graph(function, proto, None)
        scope.index = index
        types = {info.name: info.type for info in proto.value_info}
        for name in [*proto.input, *proto.output, *types]:
            self._declare(scope, name, types.get(name))
        function.inputs = [self._input(scope, name) for name in proto.input]
        function.outputs = [self._input(scope, name) for name in proto.output]
        self._nodes(scope, opset, imports)
        attributes.update(self._attributes(proto.attribute_proto, scope, opset, imports))
        function.attrs = attributes
        return function

    def graph(
        self,
        proto: GraphProto,
        parent: GraphBinding | None,
        opset: int | None,
        imports: list[OperatorSetIdProto],
    ) -> Graph:
        graph = Graph(name=proto.name, doc_string=proto.doc_string, opset=opset, import_domains=imports)
        scope = self._bind_graph(graph, proto, parent)
        self._initializers(scope, proto)
        made_here = {name for node in proto.node for name in node.output}
        for info in proto.input:
            self._declare(scope, info.name, info.type)
        for info in [*proto.output, *proto.value_info]:
            # Exporters also list values of the outer scope in a subgraph; these stay the outer scope's.
            if parent is None or info.name in made_here or _named_around(parent, info.name) is None:
                self._declare(scope, info.name, info.type)
        constants = {name for name, tensor in scope.tensors.items() if isinstance(tensor, Constant)}
        graph.inputs = [self._input(scope, info.name) for info in proto.input if info.name not in constants]
        graph.outputs = [self._input(scope, info.name) for info in proto.output]
        self._nodes(scope, opset, imports)
        return graph

    def _bind_graph(
        self, graph: Graph, proto: GraphProto | FunctionProto, parent: GraphBinding | None
    ) -> GraphBinding:
        scope = GraphBinding(graph, proto, parent, opset=graph.opset)
        self.bindings.graphs[id(graph)] = scope
        return scope

    def _initializers(self, scope: GraphBinding, proto: GraphProto) -> None:
        lists = (
            (proto.initializer, scope.initializers),
            (proto.sparse_initializer, scope.sparse_initializers),
        )
        for tensors, bound in lists:
            for index, tensor in enumerate(tensors):
                constant = constant_from_proto(tensor, self.directory)
                binding = ConstantBinding(constant, tensor, constant._values, scope, index)
                bound.append(binding)
                self.bindings.constants[id(constant)] = binding
                scope.tensors[constant.name] = constant

    def _declare(self, scope: GraphBinding, name: str, type_: Any) -> None:
        """Note what the file says about a tensor of this scope; the first declaration that says something counts."""
        if not name:
            return
        known = scope.tensors.get(name)
        if isinstance(known, Constant):
            return
        if known is None or (known.dtype is None and known.shape is None):
            fresh = variable_from_proto(name, type_)
            if known is None:
                scope.tensors[name] = fresh
            else:
                known.dtype, known.shape, known.type = fresh.dtype, fresh.shape, fresh.type
            scope.declared[name] = (fresh.dtype, None if fresh.shape is None else tuple(fresh.shape))

    def _nodes(self, scope: GraphBinding, opset: int | None, imports: list[OperatorSetIdProto]) -> None:
        tensors, nodes = scope.tensors, scope.graph.nodes
        for index, proto in enumerate(scope.proto.node):
            outputs = []
            inputs = [self._input(scope, name) for name in proto.input]
            attributes = self._attributes(proto.attribute, scope, opset, imports)
            for name in proto.output:
                if name and name not in tensors:
                    tensors[name] = Variable(name)
                outputs.append(tensors[name] if name else Variable.empty())
            node = Node(
                proto.op_type,
                proto.name,
                attributes,
                inputs,
                outputs,
                domain=proto.domain if proto.HasField("domain") else None,
            )
            nodes.append(node)
            subgraphs = {
                name: self.bindings.graphs[id(value)]
                for name, value in attributes.items()
                if isinstance(value, Graph)
            }
            binding = NodeBinding(node, proto, scope, index, subgraphs)
            scope.nodes.append(binding)
            self.bindings.nodes[id(node)] = binding

    def _input(self, scope: GraphBinding, name: str) -> Tensor:
        if not name:
            return Variable.empty()
        found = _named_around(scope, name)
        return scope.tensors.setdefault(name, Variable(name)) if found is None else found

    def _attributes(
        self, protos: Any, scope: GraphBinding, opset: int | None, imports: list[OperatorSetIdProto]
    ) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        for proto in protos:
            if proto.ref_attr_name or proto.type not in (AttributeProto.TENSOR, AttributeProto.GRAPH):
                attributes[proto.name] = plain_attribute(proto)
            elif proto.type == AttributeProto.GRAPH:
                attributes[proto.name] = self.graph(proto.g, scope, opset, imports)
            else:
                constant = constant_from_proto(proto.t, self.directory)
                self.bindings.constants[id(constant)] = ConstantBinding(constant, proto.t, constant._values)
                attributes[proto.name] = constant
        return attributes


def _named_around(scope: GraphBinding | None, name: str) -> Tensor | None:
    """The tensor that a name means in `scope`, looking outwards."""
    while scope is not None:
        if name in scope.tensors:
            return scope.tensors[name]
        scope = scope.parent
    return None


def _copies(imports: Any) -> list[OperatorSetIdProto]:
    """Copies, so that a pass that edits them leaves the original message alone."""
    copies = []
    for entry in imports:
        copy = OperatorSetIdProto()
        copy.CopyFrom(entry)
        copies.append(copy)
    return copies

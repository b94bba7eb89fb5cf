"""The view that passes edit: protobuf messages as onnx-graphsurgeon objects, each bound to where it came from.

onnx-graphsurgeon's own importer forgets which message an object stems from, drops attribute types that it does not
know, prints warnings, and fails on strings that are not UTF-8; this one builds the same classes. It also makes an
object only of what is looked at, so that changing one node of 20,000 costs one node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
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
    TypeProto,
)
from onnx_graphsurgeon import Constant, Function, Graph, Node, Tensor, Variable

from rewriter.model.index import GraphIndex
from rewriter.model.links import UnlinkedConstant, UnlinkedVariable, link
from rewriter.model.nodelist import NodeList
from rewriter.model.storage import Storage
from rewriter.model.values import (
    OpaqueAttribute,
    constant_from_proto,
    describe_type,
    plain_attribute,
    stored_values,
)

__all__ = [
    "Bindings",
    "ConstantBinding",
    "DEFAULT_DOMAINS",
    "GraphBinding",
    "NodeBinding",
    "View",
    "build_view",
    "default_opset",
]

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


@dataclass(eq=False)
class GraphBinding:
    """A graph or function of the file, and the objects that passes see of it.

    Attributes:
        graph: the graphsurgeon graph (a `Function` for a model-local function).
        proto: its message.
        parent: the scope around a subgraph; None for the main graph and functions.
        opset: the graph's `opset` when it was read.
        index: place of a function among the model's functions.
        tensors: every tensor that this scope itself names and that was looked at, by name.
        declared: dtype and shape of each of these that is a declared variable, as they were read.
        nodes: the nodes that were looked at, by their place in the file.
    """

    graph: Graph
    proto: GraphProto | FunctionProto
    parent: GraphBinding | None
    opset: int | None
    imports: list[OperatorSetIdProto]
    storage: Storage
    bindings: Bindings
    index: int = -1
    tensors: dict[str, Tensor] = field(default_factory=dict)
    declared: dict[str, tuple[Any, tuple[Any, ...] | None]] = field(default_factory=dict)
    nodes: dict[int, NodeBinding] = field(default_factory=dict)
    initializers: list[ConstantBinding] = field(default_factory=list)
    sparse_initializers: list[ConstantBinding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bindings.graphs[id(self.graph)] = self

    # -- names --------------------------------------------------------------------------------------------------

    @cached_property
    def file_index(self) -> GraphIndex:
        """Who makes and reads which name, as the file says."""
        return GraphIndex.of(self.proto)

    @cached_property
    def types(self) -> dict[str, list[TypeProto]]:
        """By name, what the file declares in this scope, whoever's tensor it is."""
        found: dict[str, list[TypeProto]] = {}
        for info in [*self._interface, *self.proto.value_info]:
            found.setdefault(info.name, []).append(info.type)
        return found

    @property
    def _interface(self) -> list[Any]:
        return [] if isinstance(self.proto, FunctionProto) else [*self.proto.input, *self.proto.output]

    @cached_property
    def input_names(self) -> set[str]:
        """Names of the graph's or function's inputs."""
        if isinstance(self.proto, FunctionProto):
            return set(self.proto.input)
        return {info.name for info in self.proto.input}

    def defines(self, name: str) -> bool:
        """Whether `name` is a tensor of this scope and not of one around it."""
        if name in self.tensors or name in self.input_names or name in self.file_index.makers:
            return True
        # Exporters also list values of the outer scope in a subgraph; these stay the outer scope's.
        return name in self.types and (self.parent is None or not self.parent.sees(name))

    def sees(self, name: str) -> bool:
        """Whether `name` is a tensor of this scope or of one around it."""
        return self.defines(name) or (self.parent is not None and self.parent.sees(name))

    def tensor(self, name: str) -> Tensor:
        """What `name` means here; a variable of this scope where nothing defines it."""
        scope: GraphBinding | None = self
        while scope is not None:
            found = scope.tensors.get(name)
            if found is not None:
                return found
            if scope.defines(name):
                return scope._variable(name)
            scope = scope.parent
        return self._variable(name)

    def own(self, name: str) -> Tensor:
        """The tensor `name` of this scope; an empty variable for the empty name."""
        if not name:
            return Variable.empty()
        return self.tensors[name] if name in self.tensors else self._variable(name)

    def _variable(self, name: str) -> Tensor:
        declared = [describe_type(type_) for type_ in self.types.get(name, ())]
        # The first declaration that says something counts.
        told = next((entry for entry in declared if entry[0] is not None or entry[1] is not None), None)
        dtype, shape, kind = told or (declared[0] if declared else (None, None, "tensor_type"))
        made = UnlinkedVariable(name, dtype, None if shape is None else list(shape), kind, self.connect)
        if declared:
            self.declared[name] = (dtype, shape)
        self.tensors[name] = made
        return made

    # -- objects ------------------------------------------------------------------------------------------------

    def read_initializers(self) -> None:
        """Make objects of the initializers; their values stay where they are."""
        if isinstance(self.proto, FunctionProto):
            return
        for tensors, bound in (
            (self.proto.initializer, self.initializers),
            (self.proto.sparse_initializer, self.sparse_initializers),
        ):
            for index, tensor in enumerate(tensors):
                values = stored_values(tensor, self.storage)
                name = tensor.values.name if isinstance(tensor, SparseTensorProto) else tensor.name
                constant = UnlinkedConstant(name, values, self.connect)
                binding = ConstantBinding(constant, tensor, values, self, index)
                bound.append(binding)
                self.bindings.constants[id(constant)] = binding
                self.tensors[name] = constant

    def read_nodes(self) -> None:
        """Give the graph its list of nodes."""
        self.graph.nodes = NodeList(self.file_index, self.node, self._leave)

    def node(self, index: int) -> Node:
        """The node at a place of the file."""
        if index in self.nodes:
            return self.nodes[index].node
        proto = self.proto.node[index]
        attributes = self.attributes(proto.attribute)
        node = Node(
            proto.op_type, proto.name, attributes, domain=proto.domain if proto.HasField("domain") else None
        )
        for tensors, names, read in ((node.inputs, proto.input, True), (node.outputs, proto.output, False)):
            for name in names:
                tensor = self.tensor(name) if name and read else self.own(name)
                # Not the synchronised append: it would look up all other nodes that have the tensor.
                list.append(tensors, tensor)
                if not name:
                    list.append(tensor.outputs if read else tensor.inputs, node)
        subgraphs = {
            name: self.bindings.graphs[id(value)]
            for name, value in attributes.items()
            if isinstance(value, Graph)
        }
        self.nodes[index] = NodeBinding(node, proto, self, index, subgraphs)
        self.bindings.nodes[id(node)] = self.nodes[index]
        if isinstance(self.graph.nodes, NodeList):
            self.graph.nodes.made(index, node)
        return node

    def connect(self, tensor: Tensor) -> None:
        """Fill in which nodes of the file make and read a tensor of this scope."""
        name = tensor.name
        for index in self.file_index.makers.get(name, ()):
            list.append(tensor.inputs, self.node(index))
        for node in self._readers(name):
            list.append(tensor.outputs, node)

    def _readers(self, name: str) -> Iterator[Node]:
        own = self.file_index.readers.get(name, [])
        inside = [place for place, names in self.file_index.captured.items() if name in names]
        for place in sorted({*own, *inside}):
            node = self.node(place)
            for subgraph in self.nodes[place].subgraphs.values() if place in inside else ():
                if not subgraph.defines(name):
                    yield from subgraph._readers(name)
            for _ in range(own.count(place)):
                yield node

    def _leave(self, node: Node) -> None:
        """A node leaves the graph: from now on its tensors must know who still has them."""
        binding = self.bindings.nodes.get(id(node))
        names = set() if binding is None else binding.scope.file_index.captured.get(binding.index, set())
        captured = (
            [binding.scope.tensor(name) for name in sorted(names) if name] if binding is not None else []
        )
        for tensor in (*node.inputs, *node.outputs, *captured):
            link(tensor)

    def attributes(self, protos: Any) -> dict[str, Any]:
        """Attributes as passes see them."""
        attributes: dict[str, Any] = {}
        for proto in protos:
            if proto.ref_attr_name or proto.type not in (AttributeProto.TENSOR, AttributeProto.GRAPH):
                attributes[proto.name] = plain_attribute(proto)
            elif not proto.HasField("g" if proto.type == AttributeProto.GRAPH else "t"):
                attributes[proto.name] = OpaqueAttribute(proto)  # it says that it is one, and holds none
            elif proto.type == AttributeProto.GRAPH:
                attributes[proto.name] = self._subgraph(proto.g)
            else:
                constant = constant_from_proto(proto.t, self.storage)
                self.bindings.constants[id(constant)] = ConstantBinding(constant, proto.t, constant._values)
                attributes[proto.name] = constant
        return attributes

    def _subgraph(self, proto: GraphProto) -> Graph:
        return _graph(proto, self, self.opset, self.imports, self.storage, self.bindings)


def default_opset(imports: Any) -> int | None:
    """Version of the default domain among opset imports; None where it is not imported."""
    return next((entry.version for entry in imports if entry.domain in DEFAULT_DOMAINS), None)


def build_view(proto: ModelProto, storage: Storage) -> View:
    """Build the objects for a whole model; no tensor data is read.

    Args:
        proto: the model.
        storage: where its tensors' data is.
    """
    bindings = Bindings()
    functions = [
        _function(function, index, proto, storage, bindings) for index, function in enumerate(proto.functions)
    ]
    imports = _copies(proto.opset_import)
    graph = _graph(proto.graph, None, default_opset(imports), imports, storage, bindings)
    graph.producer_name, graph.producer_version = proto.producer_name, proto.producer_version
    graph.ir_version = proto.ir_version
    graph.functions = functions
    return View(graph, bindings)


def _graph(
    proto: GraphProto,
    parent: GraphBinding | None,
    opset: int | None,
    imports: list[OperatorSetIdProto],
    storage: Storage,
    bindings: Bindings,
) -> Graph:
    graph = Graph(name=proto.name, doc_string=proto.doc_string, opset=opset, import_domains=imports)
    scope = GraphBinding(graph, proto, parent, graph.opset, imports, storage, bindings)
    scope.read_initializers()
    constants = set(scope.tensors)
    graph.inputs = [scope.own(info.name) for info in proto.input if info.name not in constants]
    graph.outputs = [scope.tensor(info.name) for info in proto.output]
    scope.read_nodes()
    return graph


def _function(
    proto: FunctionProto, index: int, model: ModelProto, storage: Storage, bindings: Bindings
) -> Function:
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
    scope = GraphBinding(function, proto, None, function.opset, imports, storage, bindings, index)
    function.inputs = [scope.own(name) for name in proto.input]
    function.outputs = [scope.own(name) for name in proto.output]
    scope.read_nodes()
    function.attrs = {**attributes, **scope.attributes(proto.attribute_proto)}
    return function


def _copies(imports: Any) -> list[OperatorSetIdProto]:
    """Copies, so that a pass that edits them leaves the original message alone."""
    copies = []
    for entry in imports:
        copy = OperatorSetIdProto()
        copy.CopyFrom(entry)
        copies.append(copy)
    return copies

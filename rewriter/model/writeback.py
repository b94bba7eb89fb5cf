"""What passes changed, written back into the original bytes: unchanged messages are copied, not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
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
from onnx_graphsurgeon.ir.tensor import LazyValues

from rewriter.model.values import OpaqueAttribute, attribute_proto, plain_attribute, tensor_proto, value_info
from rewriter.model.view import DEFAULT_DOMAINS, Bindings, ConstantBinding, GraphBinding, View
from rewriter.model.wire import Item, Keep, Rope, Span, WireError, payloads, splice, varint_field

__all__ = ["write_back"]

Edits = dict[int, Sequence[Item]]
_EMPTY = Span(0, 0)


def _numbers(message: Any) -> dict[str, int]:
    return {entry.name: entry.number for entry in message.DESCRIPTOR.fields}


_MODEL, _GRAPH, _FUNCTION = _numbers(ModelProto), _numbers(GraphProto), _numbers(FunctionProto)
_NODE, _ATTRIBUTE, _TENSOR = _numbers(NodeProto), _numbers(AttributeProto), _numbers(TensorProto)
_SPARSE = _numbers(SparseTensorProto)


def write_back(view: View, proto: ModelProto, source: bytes) -> Rope | None:
    """The model with its edits as a rope over `source`; None when nothing differs.

    Args:
        view: the objects that passes edited.
        proto: the original model.
        source: its bytes.

    Raises:
        WireError: `source` splits messages in a way that only a parser can join.
    """
    return _Writer(view, proto, source).model()


class _Writer:
    def __init__(self, view: View, proto: ModelProto, source: bytes) -> None:
        self.view = view
        self.bindings: Bindings = view.bindings
        self.proto = proto
        self.source = source
        self.spans: dict[int, Span] = {}
        self.node_spans: dict[int, list[Span]] = {}
        # Before IR 4 an initializer must also be a graph input, and functions have none: Constant nodes serve both.
        self.initializers_allowed = proto.ir_version >= 4

    @cached_property
    def used(self) -> set[int]:
        """Identities of all tensors that a node reads or a graph gives out, in any scope."""
        found: set[int] = set()
        graphs = [self.view.graph, *self.view.graph.functions]
        while graphs:
            graph = graphs.pop()
            found.update(map(id, graph.outputs))
            for node in graph.nodes:
                found.update(map(id, node.inputs))
                graphs.extend(value for value in node.attrs.values() if isinstance(value, Graph))
        return found

    # -- model ------------------------------------------------------------------------------------------------

    def model(self) -> Rope | None:
        graph = self.view.graph
        edits: Edits = {}
        main = self.graph(graph, frozenset())
        if main is not None:
            edits[_MODEL["graph"]] = [main]
        functions = self._functions()
        if functions is not None:
            edits[_MODEL["functions"]] = functions
        imports = self._opset_imports(graph, self.proto.opset_import)
        if imports is not None:
            edits[_MODEL["opset_import"]] = imports
        if graph.ir_version != self.proto.ir_version:
            edits[_MODEL["ir_version"]] = [varint_field(_MODEL["ir_version"], graph.ir_version)]
        for name in ("producer_name", "producer_version"):
            if getattr(graph, name) != getattr(self.proto, name):
                edits[_MODEL[name]] = [getattr(graph, name).encode()]
        return splice(self.source, Span(0, len(self.source)), edits) if edits else None

    def _functions(self) -> list[Item] | None:
        items: list[Item] = []
        changed = len(self.view.graph.functions) != len(self.proto.functions)
        for place, function in enumerate(self.view.graph.functions):
            rope = self.function(function)
            index = self.bindings.graphs[id(function)].index if id(function) in self.bindings.graphs else -1
            changed |= rope is not None or index != place
            items.append(Keep(index) if rope is None else rope)
        return items if changed else None

    def _opset_imports(self, graph: Graph, original: Iterable[OperatorSetIdProto]) -> list[Item] | None:
        binding = self.bindings.graphs.get(id(graph))
        wanted = {entry.domain: entry.version for entry in graph.import_domains or []}
        if binding is not None and graph.opset != binding.opset:
            default = next((domain for domain in wanted if domain in DEFAULT_DOMAINS), "")
            wanted[default] = graph.opset
        items: list[Item] = []
        changed = False
        for index, entry in enumerate(original):
            version = wanted.pop(entry.domain, None)
            if version == entry.version:
                items.append(Keep(index))
                continue
            changed = True
            if version is not None:
                copy = OperatorSetIdProto()
                copy.CopyFrom(entry)
                copy.version = version
                items.append(copy.SerializeToString())
        for domain, version in wanted.items():
            changed = True
            items.append(OperatorSetIdProto(domain=domain, version=version).SerializeToString())
        return items if changed else None

    # -- graphs and functions ---------------------------------------------------------------------------------

    def graph(self, graph: Graph, placed: frozenset[int]) -> Rope | None:
        """The graph's message, or None when it equals the original. `placed`: constants of the scopes around it."""
        binding = self.bindings.graphs.get(id(graph))
        proto = binding.proto if binding is not None else GraphProto()
        new_constants = self._new_constants(graph, placed)
        as_nodes = not self.initializers_allowed
        edits: Edits = {}
        prefix = [_constant_node(constant) for constant in new_constants] if as_nodes else []
        nodes = self._nodes(graph, binding, placed | {id(c) for c in new_constants}, prefix)
        if nodes is not None:
            edits[_GRAPH["node"]] = nodes
        gone = self._unused_initializers(binding)
        self._initializers(binding, [] if as_nodes else new_constants, gone, edits)
        self._interface(graph, binding, gone, edits)
        self._value_info(graph, binding, _GRAPH["value_info"], edits)
        for name in ("name", "doc_string"):
            if (getattr(graph, name) or "") != getattr(proto, name):
                edits[_GRAPH[name]] = [getattr(graph, name).encode()]
        if binding is not None and not edits:
            return None
        return splice(self.source, self.span_of(binding), edits)

    def function(self, function: Function) -> Rope | None:
        """The function's message, or None when it equals the original."""
        binding = self.bindings.graphs.get(id(function))
        proto = binding.proto if binding is not None else FunctionProto()
        constants = self._new_constants(function, frozenset())
        edits: Edits = {}
        prefix = [_constant_node(constant) for constant in constants]
        nodes = self._nodes(function, binding, frozenset(id(c) for c in constants), prefix)
        if nodes is not None:
            edits[_FUNCTION["node"]] = nodes
        for name, text in (
            ("name", function.name),
            ("domain", function.domain),
            ("doc_string", function.doc_string),
        ):
            if (text or "") != getattr(proto, name):
                edits[_FUNCTION[name]] = [text.encode()]
        for name in ("input", "output"):
            names = [tensor.name for tensor in getattr(function, f"{name}s")]
            if names != list(getattr(proto, name)):
                edits[_FUNCTION[name]] = [entry.encode() for entry in names]
        self._function_attributes(function, proto, edits)
        self._value_info(function, binding, _FUNCTION["value_info"], edits)
        imports = self._opset_imports(function, proto.opset_import)
        if imports is not None and (binding is None or proto.opset_import or function.opset != binding.opset):
            edits[_FUNCTION["opset_import"]] = imports
        if binding is not None and not edits:
            return None
        return splice(self.source, self.span_of(binding), edits)

    def _function_attributes(self, function: Function, proto: FunctionProto, edits: Edits) -> None:
        required = [name for name, value in function.attrs.items() if value is None]
        if required != list(proto.attribute):
            edits[_FUNCTION["attribute"]] = [name.encode() for name in required]
        defaults = {name: value for name, value in function.attrs.items() if value is not None}
        items = self._attributes(defaults, proto.attribute_proto, list, frozenset())
        if items is not None:
            edits[_FUNCTION["attribute_proto"]] = items

    def span_of(self, binding: GraphBinding | None) -> Span:
        """Where the message of a bound graph lies; the empty span for one that a pass made."""
        if binding is None:
            return _EMPTY
        known = self.spans.get(id(binding))
        if known is None:
            self._locate_roots()
            known = self.spans.get(id(binding))
        if known is None:
            self._locate_subgraph(binding)
            known = self.spans[id(binding)]
        return known

    def _locate_roots(self) -> None:
        bound = {binding.index: binding for binding in self.bindings.graphs.values() if binding.index >= 0}
        whole = Span(0, len(self.source))
        functions = payloads(self.source, whole, _MODEL["functions"])
        graphs = payloads(self.source, whole, _MODEL["graph"])
        if len(graphs) != 1 or len(functions) != len(self.proto.functions):
            raise WireError("the file gives its graph in several pieces")
        self.spans[id(self.bindings.graphs[id(self.view.graph)])] = graphs[0]
        for index, span in enumerate(functions):
            self.spans[id(bound[index])] = span

    def _locate_subgraph(self, binding: GraphBinding) -> None:
        """Find the spans of all subgraphs of the scope around `binding`."""
        outer = binding.parent
        assert outer is not None
        spans = self._spans_of_nodes(outer)
        for node in outer.nodes:
            for index, attribute in enumerate(node.proto.attribute):
                if attribute.type != AttributeProto.GRAPH:
                    continue
                inner = node.subgraphs.get(attribute.name)
                if inner is None:
                    continue
                span = payloads(self.source, spans[node.index], _NODE["attribute"])[index]
                graphs = payloads(self.source, span, _ATTRIBUTE["g"])
                if len(graphs) != 1:
                    raise WireError("a subgraph is given in several pieces")
                self.spans[id(inner)] = graphs[0]

    def _spans_of_nodes(self, scope: GraphBinding) -> list[Span]:
        known = self.node_spans.get(id(scope))
        if known is None:
            number = _FUNCTION["node"] if isinstance(scope.proto, FunctionProto) else _GRAPH["node"]
            known = payloads(self.source, self.span_of(scope), number)
            if len(known) != len(scope.proto.node):
                raise WireError("the nodes of a graph do not match its bytes")
            self.node_spans[id(scope)] = known
        return known

    # -- nodes ------------------------------------------------------------------------------------------------

    def _nodes(
        self, graph: Graph, binding: GraphBinding | None, placed: frozenset[int], prefix: list[bytes]
    ) -> list[Item] | None:
        items: list[Item] = list(prefix)
        changed = bool(prefix) or binding is None or len(graph.nodes) != len(binding.nodes)
        for place, node in enumerate(graph.nodes):
            bound = self.bindings.nodes.get(id(node))
            rope = self.node(node, placed)
            here = bound is not None and bound.scope is binding
            if rope is not None:
                items.append(rope)
            elif here:
                assert bound is not None
                items.append(Keep(bound.index))
            else:
                assert bound is not None
                rope = Rope()
                rope.append(self._spans_of_nodes(bound.scope)[bound.index])
                items.append(rope)
            changed |= rope is not None or not here or (bound is not None and bound.index != place)
        return items if changed else None

    def node(self, node: Node, placed: frozenset[int]) -> Rope | None:
        """The node's message, or None when it equals the original."""
        bound = self.bindings.nodes.get(id(node))
        proto = bound.proto if bound is not None else NodeProto()
        edits: Edits = {}
        for field, tensors in (("input", node.inputs), ("output", node.outputs)):
            names = [tensor.name for tensor in tensors]
            if names != list(getattr(proto, field)):
                edits[_NODE[field]] = [name.encode() for name in names]
        for field, text in (("op_type", node.op), ("name", node.name), ("domain", node.domain)):
            if (text or "") != getattr(proto, field):
                edits[_NODE[field]] = [text.encode()] if text else []

        def spans() -> list[Span]:
            assert bound is not None
            span = self._spans_of_nodes(bound.scope)[bound.index]
            return payloads(self.source, span, _NODE["attribute"])

        attributes = self._attributes(node.attrs, proto.attribute, spans, placed)
        if attributes is not None:
            edits[_NODE["attribute"]] = attributes
        if bound is not None and not edits:
            return None
        span = _EMPTY if bound is None else self._spans_of_nodes(bound.scope)[bound.index]
        return splice(self.source, span, edits)

    def _attributes(
        self,
        values: dict[str, Any],
        protos: Sequence[AttributeProto],
        spans: Callable[[], list[Span]],
        placed: frozenset[int],
    ) -> list[Item] | None:
        if not values and not protos:
            return None
        originals = {proto.name: (index, proto) for index, proto in enumerate(protos)}
        items: list[Item] = []
        changed = len(values) != len(protos)
        for place, (name, value) in enumerate(values.items()):
            index, original = originals.get(name, (None, None))
            if isinstance(value, Graph):
                item = self._graph_attribute(name, value, index, spans, placed)
            elif original is not None and self._same(value, original):
                item = None
            else:
                item = attribute_proto(name, value, original).SerializeToString()
            changed |= item is not None or index != place
            if item is not None:
                items.append(item)
            else:
                assert index is not None
                items.append(Keep(index))
        return items if changed else None

    def _graph_attribute(
        self,
        name: str,
        graph: Graph,
        index: int | None,
        spans: Callable[[], list[Span]],
        placed: frozenset[int],
    ) -> Rope | None:
        rope = self.graph(graph, placed)
        if index is not None and id(graph) in self.bindings.graphs:
            return None if rope is None else splice(self.source, spans()[index], {_ATTRIBUTE["g"]: [rope]})
        if rope is None:
            rope = Rope()
            rope.append(self.span_of(self.bindings.graphs[id(graph)]))
        return splice(
            self.source,
            _EMPTY,
            {
                _ATTRIBUTE["name"]: [name.encode()],
                _ATTRIBUTE["g"]: [rope],
                _ATTRIBUTE["type"]: [varint_field(_ATTRIBUTE["type"], AttributeProto.GRAPH)],
            },
        )

    def _same(self, value: Any, original: AttributeProto) -> bool:
        if isinstance(value, OpaqueAttribute):
            return value.proto is original or value.proto == original
        if isinstance(value, Constant):
            binding = self.bindings.constants.get(id(value))
            if binding is None or binding.scope is not None or original.ref_attr_name:
                return False
            same_field = binding.proto is original.t or binding.proto == original.t
            return same_field and _unchanged(value, binding)
        if original.type in (AttributeProto.TENSOR, AttributeProto.GRAPH) and not original.ref_attr_name:
            return False
        if isinstance(value, Node.AttributeRef):
            return bool(original.ref_attr_name) and value == plain_attribute(original)
        if original.ref_attr_name:
            return False
        before = plain_attribute(original)
        if isinstance(before, OpaqueAttribute):
            return False
        return _equal_plain(value, before)

    # -- tensors ----------------------------------------------------------------------------------------------

    def _new_constants(self, graph: Graph, placed: frozenset[int]) -> list[Constant]:
        """Constants that the graph's own nodes use and that are in no list of initializers yet."""
        found: dict[int, Constant] = {}
        for tensors in (graph.outputs, *(node.inputs for node in graph.nodes)):
            for tensor in tensors:
                if not isinstance(tensor, Constant) or id(tensor) in placed or id(tensor) in found:
                    continue
                binding = self.bindings.constants.get(id(tensor))
                if binding is None or binding.scope is None:
                    found[id(tensor)] = tensor
        return list(found.values())

    def _unused_initializers(self, binding: GraphBinding | None) -> set[str]:
        """Initializers that something used in the file and nothing uses now."""
        if binding is None or isinstance(binding.proto, FunctionProto):
            return set()
        bound = [*binding.initializers, *binding.sparse_initializers]
        idle = {b.constant.name for b in bound if id(b.constant) not in self.used}
        if not idle:
            return set()
        if self.initializers_allowed:
            idle -= {info.name for info in binding.proto.input}
        return idle & _names_used(binding.proto)

    def _initializers(
        self, binding: GraphBinding | None, new: list[Constant], gone: set[str], edits: Edits
    ) -> None:
        items: list[Item] = []
        changed = bool(new)
        for bound in binding.initializers if binding is not None else []:
            constant = bound.constant
            if bound.proto.name in gone or not isinstance(constant, Constant):
                changed = True
            elif _unchanged(constant, bound):
                items.append(Keep(bound.index))
            else:
                changed = True
                items.append(tensor_proto(constant, bound.proto).SerializeToString())
        items += [tensor_proto(constant).SerializeToString() for constant in new]
        if changed:
            edits[_GRAPH["initializer"]] = items
        if binding is None:
            return
        sparse = [b for b in binding.sparse_initializers if b.proto.values.name not in gone]
        if len(sparse) != len(binding.sparse_initializers):
            edits[_GRAPH["sparse_initializer"]] = [Keep(b.index) for b in sparse]

    def _interface(self, graph: Graph, binding: GraphBinding | None, gone: set[str], edits: Edits) -> None:
        proto = binding.proto if binding is not None else GraphProto()
        with_values = {b.constant.name for b in binding.initializers} if binding is not None else set()
        with_values |= (
            {b.constant.name for b in binding.sparse_initializers} if binding is not None else set()
        )
        kept = [info.name for info in proto.input if info.name in with_values and info.name not in gone]
        for field, tensors, extra in (("input", graph.inputs, kept), ("output", graph.outputs, [])):
            declared = getattr(proto, field)
            items = self._declarations(tensors, declared, binding, extra)
            if items != [Keep(index) for index in range(len(declared))]:
                edits[_GRAPH[field]] = items

    def _declarations(
        self, tensors: Sequence[Tensor], protos: Any, binding: GraphBinding | None, extra: list[str]
    ) -> list[Item]:
        places = {info.name: index for index, info in enumerate(protos)}
        items: list[Item] = []
        for tensor in tensors:
            index = places.get(tensor.name)
            if index is not None and not self._redeclared(tensor, binding):
                items.append(Keep(index))
            else:
                original = None if index is None else protos[index]
                items.append(value_info(tensor, original).SerializeToString())
        for name in extra:  # overridable initializers keep their place among the inputs
            items.insert(min(places[name], len(items)), Keep(places[name]))
        return items

    @staticmethod
    def _redeclared(tensor: Tensor, binding: GraphBinding | None) -> bool:
        if not isinstance(tensor, Variable) or binding is None or tensor.name not in binding.declared:
            return False
        shape = None if tensor.shape is None else tuple(tensor.shape)
        return (tensor.dtype, shape) != binding.declared[tensor.name]

    def _value_info(self, graph: Graph, binding: GraphBinding | None, number: int, edits: Edits) -> None:
        proto = binding.proto if binding is not None else GraphProto()
        if isinstance(graph, Function) and not proto.value_info:
            return
        now = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs if tensor.name}
        items: list[Item] = []
        changed = False
        before: set[str] | None = None
        for index, info in enumerate(proto.value_info):
            tensor = now.get(info.name)
            if tensor is None and before is None:
                before = {name for node in proto.node for name in node.output}
            if tensor is None and before is not None and info.name in before:
                changed = True
            elif tensor is not None and self._redeclared(tensor, binding):
                changed = True
                items.append(value_info(tensor, info).SerializeToString())
            else:
                items.append(Keep(index))
        if not isinstance(graph, Function):
            fresh = self._fresh_variables(graph, now, binding)
            changed |= bool(fresh)
            items += [value_info(tensor).SerializeToString() for tensor in fresh]
        if changed:
            edits[number] = items

    @staticmethod
    def _fresh_variables(
        graph: Graph, now: dict[str, Tensor], binding: GraphBinding | None
    ) -> list[Variable]:
        """Variables that a pass made and whose type and shape it gave."""
        known = binding.tensors if binding is not None else {}
        outputs = {tensor.name for tensor in graph.outputs}
        return [
            tensor
            for name, tensor in now.items()
            if name not in known
            and name not in outputs
            and isinstance(tensor, Variable)
            and tensor.dtype is not None
            and tensor.shape is not None
        ]


def _names_used(proto: GraphProto) -> set[str]:
    """Every tensor name that a node of the graph or of its subgraphs reads."""
    names: set[str] = set()
    for node in proto.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                names |= _names_used(attribute.g)
    return names


def _unchanged(constant: Constant, binding: ConstantBinding) -> bool:
    proto = binding.proto
    name = proto.values.name if isinstance(proto, SparseTensorProto) else proto.name
    if constant.name != name:
        return False
    if constant._values is binding.values or isinstance(proto, SparseTensorProto):
        return True
    if isinstance(constant._values, LazyValues):
        return False
    stored = binding.values.load()
    now = constant._values
    return stored.dtype == now.dtype and stored.shape == now.shape and _same_bytes(stored, now)


def _same_bytes(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return bool(np.array_equal(a, b))
    return a.tobytes() == b.tobytes()


def _equal_plain(value: Any, before: Any) -> bool:
    """Equality of attribute values in which 1, 1.0 and True are different, and NaN equals itself."""
    if isinstance(before, list):
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, (list, tuple)) or len(value) != len(before):
            return False
        return all(_equal_plain(a, b) for a, b in zip(value, before, strict=True))
    if isinstance(before, float):
        if not isinstance(value, (float, np.floating)):
            return False
        return np.float32(value).tobytes() == np.float32(before).tobytes()
    if isinstance(before, int):
        return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) == before
    return type(value) is type(before) and value == before


def _constant_node(constant: Constant) -> bytes:
    node = NodeProto(op_type="Constant", output=[constant.name])
    attribute = node.attribute.add()
    attribute.name, attribute.type = "value", AttributeProto.TENSOR
    attribute.t.CopyFrom(tensor_proto(constant))
    return bytes(node.SerializeToString())

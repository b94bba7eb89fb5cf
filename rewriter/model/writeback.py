"""What passes changed, written back into the original bytes: unchanged messages are copied, not encoded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto
from onnx_graphsurgeon import Constant, Function, Graph, Node

from rewriter.model.differences import same_attribute
from rewriter.model.locating import EMPTY, Locator
from rewriter.model.nodelist import entries
from rewriter.model.numbers import ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.tensors import (
    Edits,
    edit_initializers,
    edit_interface,
    edit_value_info,
    new_constants,
    unused_initializers,
)
from rewriter.model.values import attribute_proto, tensor_proto
from rewriter.model.view import DEFAULT_DOMAINS, GraphBinding, NodeBinding, View
from rewriter.model.wire import Item, Keep, Rope, splice, varint_field

__all__ = ["write_back"]


def write_back(view: View, proto: ModelProto, source: Source) -> Rope | None:
    """The model with its edits as a rope over `source`; None when nothing differs.

    Args:
        view: the objects that passes edited.
        proto: the original model.
        source: its bytes. One without a file gives the model as the parser saw it, references included.

    Raises:
        WireError: `source` splits messages in a way that only a parser can join.
    """
    return _Writer(view, proto, source).model()


class _Writer:
    def __init__(self, view: View, proto: ModelProto, source: Source) -> None:
        self.view = view
        self.bindings = view.bindings
        self.proto = proto
        self.source = source
        self.locator = Locator(view, proto, source)
        # Before IR 4 an initializer must also be a graph input, and functions have none: Constant nodes serve both.
        self.initializers_allowed = proto.ir_version >= 4

    @cached_property
    def present(self) -> set[int]:
        """Identities of all nodes that are in the model and that somebody looked at, in any scope."""
        found: set[int] = set()
        graphs = [self.view.graph, *self.view.graph.functions]
        while graphs:
            for node in entries(graphs.pop()):
                if isinstance(node, int):
                    continue
                found.add(id(node))
                graphs.extend(value for value in node.attrs.values() if isinstance(value, Graph))
        return found

    # -- model ------------------------------------------------------------------------------------------------

    def model(self) -> Rope | None:
        graph = self.view.graph
        edits: Edits = {}
        main = self.graph(graph, frozenset())
        if main is not None:
            edits[MODEL["graph"]] = [main]
        functions = self._functions()
        if functions is not None:
            edits[MODEL["functions"]] = functions
        imports = self._opset_imports(graph, self.proto.opset_import)
        if imports is not None:
            edits[MODEL["opset_import"]] = imports
        if graph.ir_version != self.proto.ir_version:
            edits[MODEL["ir_version"]] = [varint_field(MODEL["ir_version"], graph.ir_version)]
        for name in ("producer_name", "producer_version"):
            if getattr(graph, name) != getattr(self.proto, name):
                edits[MODEL[name]] = [getattr(graph, name).encode()]
        return splice(self.source, self.source.whole, edits) if edits else None

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
        constants = new_constants(graph, placed, self.bindings)
        as_nodes = not self.initializers_allowed
        edits: Edits = {}
        prefix = [_constant_node(constant, self.source) for constant in constants] if as_nodes else []
        nodes = self._nodes(graph, binding, placed | {id(c) for c in constants}, prefix)
        if nodes is not None:
            edits[GRAPH["node"]] = nodes
        gone = unused_initializers(binding, lambda: self.present, inputs_stay=self.initializers_allowed)

        def locate(index: int) -> Span:
            assert binding is not None
            return self.locator.initializer(binding, index)

        edit_initializers(binding, [] if as_nodes else constants, gone, edits, self.source, locate)
        edit_interface(graph, binding, gone, edits)
        edit_value_info(graph, binding, GRAPH["value_info"], edits)
        for name in ("name", "doc_string"):
            if (getattr(graph, name) or "") != getattr(proto, name):
                edits[GRAPH[name]] = [getattr(graph, name).encode()]
        if binding is not None and not edits:
            return None
        return splice(self.source, self.locator.graph(binding), edits)

    def function(self, function: Function) -> Rope | None:
        """The function's message, or None when it equals the original."""
        binding = self.bindings.graphs.get(id(function))
        proto = binding.proto if binding is not None else FunctionProto()
        constants = new_constants(function, frozenset(), self.bindings)
        edits: Edits = {}
        prefix = [_constant_node(constant, self.source) for constant in constants]
        nodes = self._nodes(function, binding, frozenset(id(c) for c in constants), prefix)
        if nodes is not None:
            edits[FUNCTION["node"]] = nodes
        for name, text in (
            ("name", function.name),
            ("domain", function.domain),
            ("doc_string", function.doc_string),
        ):
            if (text or "") != getattr(proto, name):
                edits[FUNCTION[name]] = [text.encode()]
        for name in ("input", "output"):
            names = [tensor.name for tensor in getattr(function, f"{name}s")]
            if names != list(getattr(proto, name)):
                edits[FUNCTION[name]] = [entry.encode() for entry in names]
        self._function_attributes(function, proto, edits)
        edit_value_info(function, binding, FUNCTION["value_info"], edits)
        imports = self._opset_imports(function, proto.opset_import)
        if imports is not None and (binding is None or proto.opset_import or function.opset != binding.opset):
            edits[FUNCTION["opset_import"]] = imports
        if binding is not None and not edits:
            return None
        return splice(self.source, self.locator.graph(binding), edits)

    def _function_attributes(self, function: Function, proto: FunctionProto, edits: Edits) -> None:
        required = [name for name, value in function.attrs.items() if value is None]
        if required != list(dict.fromkeys(proto.attribute)):
            edits[FUNCTION["attribute"]] = [name.encode() for name in required]
        defaults = {name: value for name, value in function.attrs.items() if value is not None}
        items = self._attributes(defaults, proto.attribute_proto, None, frozenset())
        if items is not None:
            edits[FUNCTION["attribute_proto"]] = items

    # -- nodes ------------------------------------------------------------------------------------------------

    def _nodes(
        self, graph: Graph, binding: GraphBinding | None, placed: frozenset[int], prefix: list[bytes]
    ) -> list[Item] | None:
        items: list[Item] = list(prefix)
        changed = bool(prefix) or binding is None or len(graph.nodes) != len(binding.proto.node)
        for place, node in enumerate(entries(graph)):
            if isinstance(node, int):  # nobody looked at it
                items.append(Keep(node))
                changed |= node != place
                continue
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
                rope.append(self.source.stored(self.locator.node(bound)))
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
                # Names that are not UTF-8 come as bytes.
                edits[NODE[field]] = [name if isinstance(name, bytes) else name.encode() for name in names]
        for field, text in (("op_type", node.op), ("name", node.name), ("domain", node.domain)):
            if (text or "") != getattr(proto, field):
                edits[NODE[field]] = [text.encode()] if text else []

        attributes = self._attributes(node.attrs, proto.attribute, bound, placed)
        if attributes is not None:
            edits[NODE["attribute"]] = attributes
        if bound is not None and not edits:
            return None
        return splice(self.source, self.locator.node(bound), edits)

    def _attributes(
        self,
        values: dict[str, Any],
        protos: Sequence[AttributeProto],
        bound: NodeBinding | None,
        placed: frozenset[int],
    ) -> list[Item] | None:
        """The new list of attributes of a node (or of a function's defaults, `bound` None); None when unchanged."""
        if not values and not protos:
            return None
        originals = {proto.name: (index, proto) for index, proto in enumerate(protos)}
        items: list[Item] = []
        changed = list(values) != list(originals)  # a name that is there twice is there once for passes
        for name, value in values.items():
            index, original = originals.get(name, (None, None))
            if isinstance(value, Graph):
                item = self._graph_attribute(name, value, bound, index, placed)
            elif original is not None and same_attribute(value, original, self.bindings):
                item = None
            else:
                item = attribute_proto(name, value, self.source, original).SerializeToString()
            changed |= item is not None
            if item is not None:
                items.append(item)
            else:
                assert index is not None
                items.append(Keep(index))
        return items if changed else None

    def _graph_attribute(
        self, name: str, graph: Graph, bound: NodeBinding | None, index: int | None, placed: frozenset[int]
    ) -> Rope | None:
        rope = self.graph(graph, placed)
        binding = self.bindings.graphs.get(id(graph))
        if index is not None and bound is not None and binding is not None:
            if bound.subgraphs.get(name) is binding and rope is None:
                return None
            if bound.subgraphs.get(name) is binding and rope is not None:
                return splice(self.source, self.locator.attributes(bound)[index], {ATTRIBUTE["g"]: [rope]})
        if rope is None:
            rope = Rope()
            rope.append(self.source.stored(self.locator.graph(binding)))
        return splice(
            self.source,
            EMPTY,
            {
                ATTRIBUTE["name"]: [name.encode()],
                ATTRIBUTE["g"]: [rope],
                ATTRIBUTE["type"]: [varint_field(ATTRIBUTE["type"], AttributeProto.GRAPH)],
            },
        )


def _constant_node(constant: Constant, source: Source) -> bytes:
    node = NodeProto(op_type="Constant", output=[constant.name])
    attribute = node.attribute.add()
    attribute.name, attribute.type = "value", AttributeProto.TENSOR
    attribute.t.CopyFrom(tensor_proto(constant, source))
    return bytes(node.SerializeToString())

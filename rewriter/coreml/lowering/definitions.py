"""Operators replaced by what ONNX defines them as, in terms of other operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto

from rewriter.coreml.lowering.subgraphs import subgraphs
from rewriter.errors import UnsupportedError

__all__ = ["definition", "expanded"]


def definition(node: NodeProto, version: int, types: Mapping[str, TypeProto]) -> FunctionProto | None:
    """What the standard defines an operator of the default domain as; None where it does not.

    Args:
        node: a call of the operator; which definition applies may depend on its attributes and on what it is given.
        version: of the default domain.
        types: of the values that the node reads.

    Raises:
        UnsupportedError: the definition depends on a type that is not known.
    """
    schema = onnx.defs.get_schema(node.op_type, version, "")
    if schema.has_context_dependent_function:
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
        unknown = [name for name in node.input if name and name not in types]
        if unknown:
            raise UnsupportedError(
                f"{node.op_type}: the type of '{unknown[0]}' is not known", node=_label(node)
            )
        given = [types[name].SerializeToString() if name else b"" for name in node.input]
        for candidate in sorted(versions, reverse=True):
            body = FunctionProto.FromString(
                schema.get_context_dependent_function_with_opset_version(
                    candidate, node.SerializeToString(), given
                )
            )
            if body.node:
                return body
    if schema.has_function:
        versions = [v for v in schema.function_opset_versions if v <= version]
        if versions:
            return FunctionProto.FromString(schema.get_function_with_opset_version(max(versions)))
    return None


def expanded(node: NodeProto, body: FunctionProto, taken: set[str]) -> list[NodeProto]:
    """The nodes of `body` with the names and attributes of the call `node`.

    Args:
        taken: names that are in use; what the body makes gets others, which are added.
    """
    names = dict.fromkeys(body.input, "")
    names.update(zip(body.input, node.input, strict=False))
    names.update({formal: actual for formal, actual in zip(body.output, node.output, strict=False) if actual})
    attributes = {attribute.name: attribute for attribute in body.attribute_proto}
    schema = onnx.defs.get_schema(node.op_type, _version(body), "")
    for name, described in schema.attributes.items():
        if described.default_value.type and name not in attributes:
            attributes[name] = described.default_value
    attributes.update({attribute.name: attribute for attribute in node.attribute})
    return list(_renamed(body.node, _label(node), names, attributes, taken))


def _version(body: FunctionProto) -> int:
    return next((entry.version for entry in body.opset_import if entry.domain in ("", "ai.onnx")), 1)


def _label(node: NodeProto) -> str:
    return str(node.name or next((name for name in node.output if name), node.op_type))


def _renamed(
    nodes: Sequence[NodeProto],
    prefix: str,
    names: dict[str, str],
    attributes: Mapping[str, AttributeProto],
    taken: set[str],
) -> Iterator[NodeProto]:
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{prefix}/{node.name or node.op_type}"
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [_name(name, prefix, names, taken) for name in node.output]
        del copy.attribute[:]
        for attribute in node.attribute:
            given = _attribute(attribute, attributes)
            if given is not None:
                copy.attribute.append(given)
        for inner in subgraphs(copy):
            _rename_graph(inner, prefix, dict(names), attributes, taken)
        yield copy


def _rename_graph(
    graph: onnx.GraphProto,
    prefix: str,
    names: dict[str, str],
    attributes: Mapping[str, AttributeProto],
    taken: set[str],
) -> None:
    for value in (*graph.input, *graph.initializer):
        value.name = _name(value.name, prefix, names, taken)
    inside = list(_renamed(list(graph.node), prefix, names, attributes, taken))
    del graph.node[:]
    graph.node.extend(inside)
    for value in graph.output:
        value.name = names.get(value.name, value.name)


def _name(name: str, prefix: str, names: dict[str, str], taken: set[str]) -> str:
    """The name of what the body makes: the caller's, or a fresh one."""
    if not name:
        return ""
    if name not in names or not names[name]:
        fresh, count = f"{prefix}/{name}", 1
        while fresh in taken:
            fresh, count = f"{prefix}/{name}_{count}", count + 1
        taken.add(fresh)
        names[name] = fresh
    return names[name]


def _attribute(attribute: AttributeProto, given: Mapping[str, AttributeProto]) -> AttributeProto | None:
    """An attribute of a node of the body; of a parameter what the call gives, None where it gives nothing."""
    copy = AttributeProto()
    if not attribute.ref_attr_name:
        copy.CopyFrom(attribute)
        return copy
    if attribute.ref_attr_name not in given:
        return None
    copy.CopyFrom(given[attribute.ref_attr_name])
    copy.name = attribute.name
    return copy

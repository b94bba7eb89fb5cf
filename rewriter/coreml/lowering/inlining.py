"""Function calls replaced by their bodies: the model's own functions, and operators that ONNX defines by others."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import onnx
import onnx.inliner

from rewriter.coreml.lowering.definitions import definition, expanded
from rewriter.coreml.lowering.registry import OperatorKey
from rewriter.errors import UnsupportedError
from rewriter.model.inference import infer

__all__ = ["inline"]

_SMALL = 1024
"""Elements up to which an initializer travels with the skeleton, because shapes may depend on it."""

_MAX_DEPTH = 8


def inline(
    proto: onnx.ModelProto, supported: Collection[OperatorKey], shapes: Mapping[str, tuple[int, ...]]
) -> onnx.GraphProto:
    """The graph of `proto` without calls of functions and, where ONNX defines them by others, without operators
    outside of `supported`. Large initializers are not part of the result.

    Args:
        shapes: the fixed shape of every input.

    Raises:
        UnsupportedError: onnx cannot expand a function.
    """
    if not proto.functions and not _composite_operators(proto, supported):
        return proto.graph
    skeleton = _skeleton(proto, shapes)
    try:
        if proto.functions:
            skeleton = onnx.inliner.inline_local_functions(skeleton)
    except RuntimeError as error:
        raise UnsupportedError(f"a function of the model cannot be expanded: {error}") from error
    for _ in range(_MAX_DEPTH):
        if not _expand_definitions(skeleton, supported):
            break
    return skeleton.graph


def _expand_definitions(skeleton: onnx.ModelProto, supported: Collection[OperatorKey]) -> bool:
    """Replace every operator that has no lowering by its definition, where it has one; whether any had."""
    composite = {operator for _, operator in _composite_operators(skeleton, supported)}
    if not composite:
        return False
    version = _default_version(skeleton)
    typed = _typed(skeleton).graph
    types = {value.name: value.type for value in (*typed.input, *typed.value_info, *typed.output)}
    taken = set(types) | {name for node in typed.node for name in (*node.input, *node.output)}
    nodes, changed = [], False
    for node in skeleton.graph.node:
        body = None
        if node.op_type in composite and node.domain in ("", "ai.onnx"):
            body = definition(node, version, types)
        changed |= body is not None
        nodes.extend([node] if body is None else expanded(node, body, taken))
    del skeleton.graph.node[:]
    skeleton.graph.node.extend(nodes)
    return changed


def _composite_operators(proto: onnx.ModelProto, supported: Collection[OperatorKey]) -> set[tuple[str, str]]:
    """Operators of the default domain that have no lowering, but a definition by other operators."""
    version = _default_version(proto)
    found = set()
    for node in proto.graph.node:
        if node.domain not in ("", "ai.onnx") or ("", node.op_type) in supported:
            continue
        if not onnx.defs.has(node.op_type, version, ""):
            continue
        schema = onnx.defs.get_schema(node.op_type, version, "")
        if schema.has_function or schema.has_context_dependent_function:
            found.add(("", node.op_type))
    return found


def _default_version(proto: onnx.ModelProto) -> int:
    return next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 1)


def _skeleton(proto: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """A copy without large initializers, in which every input and initializer has its type and shape."""
    skeleton = onnx.ModelProto()
    skeleton.ir_version = proto.ir_version
    skeleton.opset_import.extend(proto.opset_import)
    skeleton.functions.extend(proto.functions)
    graph = skeleton.graph
    graph.name = proto.graph.name
    graph.node.extend(proto.graph.node)
    graph.output.extend(proto.graph.output)
    graph.value_info.extend(proto.graph.value_info)
    constant = {tensor.name for tensor in proto.graph.initializer}
    for value in proto.graph.input:
        if value.name not in constant:
            tensor_type = value.type.tensor_type
            graph.input.append(
                onnx.helper.make_tensor_value_info(value.name, tensor_type.elem_type, shapes[value.name])
            )
    for tensor in proto.graph.initializer:
        graph.value_info.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
        if _is_small(tensor):
            graph.initializer.append(tensor)
    return skeleton


def _is_small(tensor: onnx.TensorProto) -> bool:
    size = 1
    for length in tensor.dims:
        size *= length
    return size <= _SMALL and tensor.data_location != onnx.TensorProto.EXTERNAL


def _typed(skeleton: onnx.ModelProto) -> onnx.ModelProto:
    """`skeleton` with the inferred type of every value, which definitions that depend on types need."""
    return infer(skeleton, data_prop=True) or skeleton

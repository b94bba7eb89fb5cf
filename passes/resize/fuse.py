"""Two resizes in a row become one, where one has exactly the product of their matrices."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx_graphsurgeon import Node, Tensor, Variable

from passes.base import Log, Pass, PassContext, PassResult
from passes.editing import Names, set_inputs
from passes.patterns import Replacements, unused_without, wanted_outputs
from passes.resize.candidates import Spelling, axis_resize, is_safe_in_float32, resize_node, spellings
from passes.resize.proof import by_definition, spelled_out
from rewriter.errors import UnsupportedError
from rewriter.model.scopes import display_name, in_default_domain

if TYPE_CHECKING:
    from rewriter.model import Model, ResizeNode
    from rewriter.resampling import AxisResize, TensorResize

__all__ = ["FuseResizes"]


@dataclass(frozen=True)
class FuseResizes(Pass):
    """Fuse resizes that follow each other, with nothing or a Transpose or Identity between.

    At known lengths the exact product of the matrices must equal the matrices of one Resize; at open lengths
    repetitions by whole factors are fused. What lies between must have no other reader.
    """

    name: ClassVar[str] = "fuse-resizes"
    summary: ClassVar[str] = "two resizes in a row become one that is proved equal"

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        replacements = Replacements()
        names: Names | None = None
        wanted: set[int] = set()
        for resize in model.resizes():
            chain = _chain(resize.node)
            if chain is None or resize.opset < 11 or any(node in replacements for node in chain.nodes):
                continue
            wanted = wanted or wanted_outputs(model)
            dead = unused_without(resize.node, wanted | {id(chain.first.inputs[0])})
            if any(id(node) not in dead for node in chain.nodes):
                log.note(resize.graph_path, resize.name, "not fused: what lies before it is used elsewhere")
                continue
            if _rounds(model, chain.first, resize):
                log.note(resize.graph_path, resize.name, "not fused: it rounds to whole numbers between")
                continue
            names = names or Names(model)
            plan = _plan(model.resize(chain.first, resize.scope), resize, chain, names)
            if isinstance(plan, str):
                log.note(resize.graph_path, resize.name, f"not fused: {plan}")
                continue
            node, certificate = plan
            before = [display_name(chain.first), resize.name]
            replacements.put(_with_transpose(node, chain, names), resize.node, dead.values())
            log.change(
                resize.graph_path,
                node.name,
                "node",
                before,
                node.name,
                "one resize computes the same as both",
                "respelling",
                certificate=certificate,
            )
        for scope in list(model.scopes()):
            replacements.sweep(scope.graph)
        return log.result()


def _rounds(model: Model, first: Node, second: ResizeNode) -> bool:
    """Whether blends are rounded between the two: the elements are integers, or of a type that is not known."""
    if second.mode == "nearest" and first.attrs.get("mode", "nearest") == "nearest":
        return False
    dtype = model.dtype(first.inputs[0], second.scope)
    return dtype is None or np.dtype(dtype).kind != "f"


@dataclass(frozen=True)
class _Chain:
    """Two resizes and what lies between; `perm` is None where nothing is transposed."""

    first: Node
    nodes: tuple[Node, ...]
    perm: list[int] | None


def _chain(second: Node) -> _Chain | None:
    between: list[Node] = []
    perm: list[int] | None = None
    tensor = second.inputs[0] if second.inputs else None
    while tensor is not None and len(tensor.inputs) == 1:
        node = tensor.inputs[0]
        if not in_default_domain(node) or len(node.outputs) != 1:
            return None
        if node.op == "Resize":
            return _Chain(node, (node, *between, second), perm)
        transposes = node.op == "Transpose" and perm is None and isinstance(node.attrs.get("perm"), list)
        if node.op != "Identity" and not transposes:
            return None
        perm = node.attrs["perm"] if transposes else perm
        between.insert(0, node)
        tensor = node.inputs[0]
    return None


def _plan(
    first: ResizeNode, second: ResizeNode, chain: _Chain, names: Names
) -> tuple[Node, dict[str, Any]] | str:
    repeated = _repetitions(first, second, chain, names)
    if repeated is not None:
        return repeated
    try:
        a, b = _semantics(first), _semantics(second)
    except UnsupportedError as error:
        return str(error)
    if a is None or b is None:
        return "the lengths are not known"
    if a.extrapolates or b.extrapolates:
        return "it extrapolates"
    rank = len(a.axes)
    after = [b.axes[_place(chain, axis)] for axis in range(rank)]
    if any(x.n_out != y.n_in for x, y in zip(a.axes, after, strict=True)):
        return "the lengths between them are not known"
    products = [_product(x, y) for x, y in zip(a.axes, after, strict=True)]
    pairs = {
        axis: (a.axes[axis].n_in, after[axis].n_out)
        for axis in range(rank)
        if not (a.axes[axis].is_identity and after[axis].is_identity)
    }
    modes = dict.fromkeys(r.mode for r in (first, second))
    for mode in modes:
        for spelling in spellings(mode, second.opset):
            if all(_is(spelling, pairs[axis], products[axis]) for axis in pairs):
                return _node(first, second, pairs, spelling, names, products)
    return "no single Resize equals both"


def _semantics(resize: ResizeNode) -> TensorResize | None:
    spelling = spelled_out(resize)
    return None if spelling is None else resize.semantics_of(spelling)


def _node(
    first: ResizeNode,
    second: ResizeNode,
    pairs: dict[int, tuple[int, int]],
    spelling: Spelling,
    names: Names,
    products: list[list[dict[int, Fraction]]],
) -> tuple[Node, dict[str, Any]] | str:
    shape = [n if isinstance(n, int) else None for n in first.input_shape or ()]
    name = f"{second.name}_fused"
    data = first.node.inputs[0]
    node = resize_node(data, len(shape), pairs, shape, spelling, second.opset, name, names)
    if isinstance(node, str):
        return node
    return node, {
        "equal": True,
        "arithmetic": "exact rational",
        "kind": "product",
        "spelling": spelling._asdict(),
        "axes": [
            {
                "axis": axis,
                "n_in": pair[0],
                "n_out": pair[1],
                "rows": [[[j, str(w)] for j, w in sorted(row.items())] for row in products[axis]],
            }
            for axis, pair in pairs.items()
        ],
    }


def _place(chain: _Chain, axis: int) -> int:
    """Where an axis of the first resize is in the second."""
    return axis if chain.perm is None else chain.perm.index(axis)


def _product(a: AxisResize, b: AxisResize) -> list[dict[int, Fraction]]:
    rows = []
    for row in b.rows:
        total: dict[int, Fraction] = {}
        for between, outer in row:
            for source, inner in a.rows[between]:
                total[source] = total.get(source, Fraction(0)) + outer * inner
        rows.append({source: weight for source, weight in total.items() if weight})
    return rows


def _is(spelling: Spelling, pair: tuple[int, int], rows: list[dict[int, Fraction]]) -> bool:
    axis = axis_resize(spelling, *pair)
    return is_safe_in_float32(axis) and all(
        dict(row) == wanted for row, wanted in zip(axis.rows, rows, strict=True)
    )


def _repetitions(
    first: ResizeNode, second: ResizeNode, chain: _Chain, names: Names
) -> tuple[Node, dict[str, Any]] | None:
    a, b = _whole_factors(first), _whole_factors(second)
    if a is None or b is None or len(a) != len(b):
        return None
    factors = [x * b[_place(chain, axis)] for axis, x in enumerate(a)]
    words = Spelling("nearest", "asymmetric", "floor").attributes()
    node = Node("Resize", names.fresh(f"{second.name}_fused"), words)
    roi = names.constant(f"{second.name}_roi", [], np.float32) if second.opset < 13 else None
    set_inputs(
        node, [first.node.inputs[0], roi, names.constant(f"{second.name}_scales", factors, np.float32)]
    )
    return node, by_definition(
        "repetition",
        "floor(floor(i / s) / r) = floor(i / (s r)) for all whole i, r, s",
        factors=factors,
        perm=list(range(len(factors))),
    )


def _whole_factors(resize: ResizeNode) -> list[int] | None:
    """The scales of a resize that copies pixels by whole factors at every length."""
    if resize.is_parametric or resize.is_legacy or resize.mode != "nearest" or resize.scales is None:
        return None
    if "axes" in resize.node.attrs or any(s < 1 or s % 1 for s in resize.scales):
        return None
    words = (resize.coordinate_transformation_mode, resize.nearest_mode)
    if words != ("asymmetric", "floor"):
        return None
    return [int(s) for s in resize.scales]


def _with_transpose(node: Node, chain: _Chain, names: Names) -> list[Node]:
    if chain.perm is None:
        return [node]
    between: Tensor = Variable(names.fresh(f"{node.name}_output"), dtype=chain.first.inputs[0].dtype)
    node.outputs = [between]
    return [node, Node("Transpose", names.fresh(f"{node.name}_Transpose"), {"perm": chain.perm}, [between])]

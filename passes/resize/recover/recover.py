"""Find what exporters write in the place of a Resize, prove it, put the Resize back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Node, Variable

from passes.base import Log
from passes.editing import Names, set_inputs
from passes.patterns import Replacements, unused_without, wanted_outputs
from passes.resize.candidates import resize_node
from passes.resize.proof import by_definition
from passes.resize.recover.axis_maps import axis_chain, match
from passes.resize.recover.kernels import KernelMap, KernelMatch, kernel_maps, match_kernel
from passes.resize.recover.lengths import LengthReader
from passes.resize.recover.operators import COPYING, KERNELS, REPEATING
from passes.resize.recover.propagation import is_parametric
from passes.resize.recover.repeats import Repetition, find_repetition
from rewriter.model.scopes import Scope, display_name

if TYPE_CHECKING:
    from rewriter.model import Model

__all__ = ["recover"]

_RUNNABLE = ("float32", "float16", "int32", "int8", "uint8")
"""Element types for which onnxruntime has a Resize."""


def recover(model: Model, candidates: Sequence[tuple[Scope, Node]], log: Log) -> None:
    """Put a Resize in the place of each candidate that is proved to be one.

    Args:
        model: edited in place.
        candidates: nodes of the operator types that recovery starts from, and their scopes.
        log: gets the changes and notes.
    """
    state = _State(model, log)
    for scope, node in candidates:
        if is_parametric(node) or node in state.replacements:
            continue
        if node.op in REPEATING or node.op in COPYING:
            _repetition(state, scope, node)
        elif node.op in KERNELS:
            _kernel(state, scope, node)
        else:
            _axis_maps(state, scope, node)
    for scope in list(model.scopes()):
        state.replacements.sweep(scope.graph)


class _State:
    def __init__(self, model: Model, log: Log) -> None:
        self.model, self.log = model, log
        self.replacements = Replacements()
        self._wanted: set[int] | None = None
        self._names: Names | None = None
        self._readers: dict[int, LengthReader] = {}

    @property
    def wanted(self) -> set[int]:
        self._wanted = wanted_outputs(self.model) if self._wanted is None else self._wanted
        return self._wanted

    @property
    def names(self) -> Names:
        self._names = self._names or Names(self.model)
        return self._names

    def lengths(self, scope: Scope) -> LengthReader:
        return self._readers.setdefault(id(scope.graph), LengthReader(self.model, scope))


def _repetition(state: _State, scope: Scope, node: Node) -> None:
    found = find_repetition(node, state.lengths(scope))
    if found is None:
        return
    last = found.nodes[-1]
    dead = unused_without(last, state.wanted | {id(found.root)})
    if not _may_go(state, scope, found.nodes, dead) or not _runs(state, scope, found.root, last):
        return
    if scope.opset < 9:
        state.log.note(
            scope.path, display_name(last), f"stays: opset {scope.opset} has scales as an attribute only"
        )
        return
    new = _repeating_nodes(found, scope, state.names)
    before = [other.op for other in found.nodes]
    name = display_name(new[0])
    state.replacements.put(new, last, dead.values())
    state.log.change(
        scope.path,
        name,
        "node",
        before,
        [other.op for other in new],
        "it repeats pixels by whole factors",
        "respelling",
        certificate=by_definition(
            "repetition",
            "nearest asymmetric floor with whole scales s copies pixel floor(i / s), at every length",
            factors=list(found.factors),
            perm=list(found.perm),
        ),
    )


def _repeating_nodes(found: Repetition, scope: Scope, names: Names) -> list[Node]:
    base = display_name(found.nodes[-1])
    attributes: dict[str, Any] = {"mode": "nearest"}
    scales = names.constant(f"{base}_scales", list(found.factors), np.float32)
    inputs = [found.root, scales]
    op = "Upsample" if scope.opset < 10 else "Resize"
    if scope.opset >= 11:
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        roi = names.constant(f"{base}_roi", [], np.float32) if scope.opset < 13 else None
        inputs = [found.root, roi, scales]
    resize = Node(op, names.fresh(f"{base}_Resize"), attributes)
    set_inputs(resize, inputs)
    if found.perm == tuple(range(len(found.perm))):
        return [resize]
    between = Variable(names.fresh(f"{base}_resized"), dtype=found.root.dtype)
    resize.outputs = [between]
    return [
        resize,
        Node("Transpose", names.fresh(f"{base}_Transpose"), {"perm": list(found.perm)}, [between]),
    ]


def _axis_maps(state: _State, scope: Scope, node: Node) -> None:
    chain = axis_chain(node, state.lengths(scope))
    while chain:
        spelling = match(chain, scope.opset)
        if spelling is not None:
            break
        chain = chain[:-1]
    if not chain or spelling is None:
        return
    last, data = chain[-1].node, chain[0].data
    dead = unused_without(last, state.wanted | {id(data)})
    if not _may_go(state, scope, [entry.node for entry in chain], dead) or not _runs(
        state, scope, data, last
    ):
        return
    lengths = state.lengths(scope)
    known = [lengths.length(data, axis) for axis in range(chain[0].rank)]
    shape = [length.factor if length.is_known else None for length in known]
    pairs = {entry.axis: (entry.n_in, entry.n_out) for entry in sorted(chain, key=lambda entry: entry.axis)}
    new = resize_node(
        data, chain[0].rank, pairs, shape, spelling, scope.opset, f"{display_name(last)}_Resize", state.names
    )
    if isinstance(new, str):
        state.log.note(scope.path, display_name(last), f"stays: {new}")
        return
    before = [entry.node.op for entry in chain]
    exact = all(entry.indices is not None for entry in chain)
    state.replacements.put([new], last, dead.values())
    state.log.change(
        scope.path,
        new.name,
        "node",
        before,
        ["Resize"],
        f"its constants are those of {spelling.mode} {spelling.coordinates}",
        "respelling",
        certificate={
            "equal": True,
            "arithmetic": "exact rational" if exact else "float32 rounding of the exact matrix, 1 ulp",
            "kind": "matrices",
            "spelling": spelling._asdict(),
            "axes": [_evidence(entry) for entry in chain],
        },
    )


def _kernel(state: _State, scope: Scope, node: Node) -> None:
    for found in kernel_maps(node):
        matched = match_kernel(found, state.lengths(scope), scope.opset)
        if matched is not None:
            break
    else:
        return
    last = found.nodes[-1]
    dead = unused_without(last, state.wanted | {id(found.data)})
    if not _may_go(state, scope, found.nodes, dead) or not _runs(state, scope, found.data, last):
        return
    new = _resize_for_kernel(state, scope, found, matched)
    if isinstance(new, str):
        state.log.note(scope.path, display_name(last), f"stays: {new}")
        return
    before = [other.op for other in found.nodes]
    state.replacements.put([new], last, dead.values())
    spelling = matched.spelling
    state.log.change(
        scope.path,
        new.name,
        "node",
        before,
        ["Resize"],
        f"its kernel is that of {spelling.mode} {spelling.coordinates}, borders included",
        "respelling",
        certificate={
            "equal": True,
            "arithmetic": "float32 rounding of the exact kernel, 1 ulp",
            "kind": "kernel",
            "spelling": spelling._asdict(),
            "axes": found.evidence(),
            "sizes": None if matched.pairs is None else [list(pair) for pair in matched.pairs],
        },
    )


def _resize_for_kernel(state: _State, scope: Scope, found: KernelMap, matched: KernelMatch) -> Node | str:
    name = f"{display_name(found.nodes[-1])}_Resize"
    if matched.pairs is not None:
        lengths = state.lengths(scope)
        known = [lengths.length(found.data, axis) for axis in range(found.rank)]
        shape = [length.factor if length.is_known else None for length in known]
        pairs = {2 + index: pair for index, pair in enumerate(matched.pairs)}
        return resize_node(
            found.data, found.rank, pairs, shape, matched.spelling, scope.opset, name, state.names
        )
    if scope.opset < 11:
        return f"Resize of opset {scope.opset} has no coordinate mode"
    scales = state.names.constant(f"{name}_scales", [1, 1, *(matched.factors or ())], np.float32)
    roi = state.names.constant(f"{name}_roi", [], np.float32) if scope.opset < 13 else None
    resize = Node("Resize", state.names.fresh(name), matched.spelling.attributes())
    set_inputs(resize, [found.data, roi, scales])
    return resize


def _evidence(entry: Any) -> dict[str, Any]:
    constant = (
        {"indices": list(entry.indices)} if entry.indices is not None else {"matrix": entry.matrix.tolist()}
    )
    return {"axis": entry.axis, "n_in": entry.n_in, "n_out": entry.n_out, **constant}


def _may_go(state: _State, scope: Scope, nodes: Any, dead: dict[int, Node]) -> bool:
    """Whether nothing outside reads what is between the nodes."""
    kept = next((node for node in nodes if id(node) not in dead), None)
    if kept is None:
        return True
    state.log.note(
        scope.path, display_name(nodes[-1]), f"stays: the output of '{display_name(kept)}' is used elsewhere"
    )
    return False


def _runs(state: _State, scope: Scope, data: Any, last: Node) -> bool:
    dtype = state.model.dtype(data, scope)
    if dtype is None or str(np.dtype(dtype)) in _RUNNABLE:
        return True
    state.log.note(scope.path, display_name(last), f"stays: onnxruntime has no Resize of {np.dtype(dtype)}")
    return False

"""One axis at a time: Gather with constant indices, MatMul, Gemm or Einsum with a constant matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.resize.candidates import Spelling, axis_resize, is_safe_in_float32, spellings
from passes.resize.recover.operators import AXIS_MAPS
from passes.resize.recover.propagation import is_parametric
from passes.resize.recover.weights import read_weights
from rewriter.model.constants import constant_value
from rewriter.model.scopes import in_default_domain

if TYPE_CHECKING:
    from passes.resize.recover.lengths import LengthReader

__all__ = ["AXIS_MAPS", "AxisMap", "axis_chain", "match"]

_ULPS = 1


@dataclass(frozen=True, eq=False)
class AxisMap:
    """A node that maps one axis of `data` by a constant: the input index of each output, or a matrix."""

    node: Node
    data: Tensor
    axis: int
    rank: int
    n_in: int
    indices: tuple[int, ...] | None
    matrix: np.ndarray | None

    @property
    def n_out(self) -> int:
        return len(self.indices) if self.indices is not None else int(self.matrix.shape[0])  # type: ignore[union-attr]


def axis_chain(node: Node, lengths: LengthReader) -> list[AxisMap]:
    """The node and those after it that map another axis each, while nobody else reads what is between."""
    chain: list[AxisMap] = []
    current: Node | None = node
    while current is not None:
        found = _read(current, lengths)
        if found is None or any(found.axis == other.axis for other in chain):
            break
        if chain and (found.data is not chain[-1].node.outputs[0] or found.rank != chain[-1].rank):
            break
        chain.append(found)
        readers = current.outputs[0].outputs
        current = readers[0] if len(readers) == 1 else None
    return chain


def match(chain: list[AxisMap], opset: int) -> Spelling | None:
    """The first spelling of one Resize that equals every map of the chain."""
    if any(entry.n_out < 1 for entry in chain) or all(_is_identity(entry) for entry in chain):
        return None
    blends = [entry.matrix for entry in chain if entry.indices is None]
    if any(m is not None and not np.allclose(m.sum(axis=1), 1, atol=1e-5) for m in blends):
        return None
    modes = ("nearest",) if not blends else ("nearest", "linear", "cubic")
    for mode in modes:
        for spelling in spellings(mode, opset):
            if all(_equals(entry, spelling) for entry in chain):
                return spelling
    return None


def _is_identity(entry: AxisMap) -> bool:
    return entry.indices == tuple(range(entry.n_in))


def _equals(entry: AxisMap, spelling: Spelling) -> bool:
    axis = axis_resize(spelling, entry.n_in, entry.n_out)
    if not is_safe_in_float32(axis):
        return False
    if entry.indices is not None:
        return axis.selection == entry.indices
    assert entry.matrix is not None
    expected = axis.matrix("float32")
    given = entry.matrix.astype(np.float32)
    room = _ULPS * np.spacing(np.maximum(np.abs(expected), np.abs(given)))
    same_zeros = (expected == 0) == (given == 0)
    return bool(np.all(same_zeros & (np.abs(expected - given) <= room)))


def _read(node: Node, lengths: LengthReader) -> AxisMap | None:
    if node.op not in AXIS_MAPS or not in_default_domain(node) or is_parametric(node) or len(node.inputs) < 2:
        return None
    if node.op == "Gather":
        return _gather(node, lengths)
    return _einsum(node, lengths) if node.op == "Einsum" else _product(node, lengths)


def _gather(node: Node, lengths: LengthReader) -> AxisMap | None:
    data, indices = node.inputs[0], constant_value(node.inputs[1])
    rank = lengths.rank(data)
    if indices is None or indices.ndim != 1 or indices.size == 0 or rank is None or rank < 3:
        return None
    axis = int(node.attrs.get("axis", 0)) % rank
    length = lengths.length(data, axis)
    if not length.is_known or np.any(indices < -length.factor) or np.any(indices >= length.factor):
        return None
    chosen = tuple(int(index) % length.factor for index in indices)
    return AxisMap(node, data, axis, rank, length.factor, chosen, None)


def _product(node: Node, lengths: LengthReader) -> AxisMap | None:
    """MatMul(C, X) maps the axis before the last, MatMul(X, C) the last; Gemm with A = X and nothing added."""
    transposed = False
    if node.op == "Gemm":
        plain = node.attrs.get("alpha", 1.0) == 1.0 and not node.attrs.get("transA", 0)
        if not plain or any(tensor.name for tensor in node.inputs[2:]):
            return None
        transposed = bool(node.attrs.get("transB", 0))
    for position in (1, 0) if node.op == "MatMul" else (1,):
        matrix, data = read_weights(node.inputs[position], rank=2), node.inputs[1 - position]
        rank = None if matrix is None else lengths.rank(data)
        if matrix is None or rank is None or rank < 2:
            continue
        rows = matrix if position == 0 or transposed else matrix.T
        axis = rank - 1 if position == 1 else rank - 2
        return AxisMap(node, data, axis, rank, rows.shape[1], None, rows)
    return None


def _einsum(node: Node, lengths: LengthReader) -> AxisMap | None:
    """`…h…,oh->…o…` in either order: one letter of the data is replaced where it stands."""
    equation = node.attrs.get("equation")
    if not isinstance(equation, str) or len(node.inputs) != 2:
        return None
    left, _, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != 2 or not result or not (left.replace(",", "") + result).isalpha():
        return None
    for position in (1, 0):
        matrix, pair, word = read_weights(node.inputs[position], rank=2), terms[position], terms[1 - position]
        if matrix is None or len(pair) != 2 or len(set(word)) != len(word) or len(result) != len(word):
            continue
        changed = [axis for axis, letter in enumerate(word) if result[axis] != letter]
        if len(changed) != 1 or result[changed[0]] in word:
            continue
        axis = changed[0]
        if pair == result[axis] + word[axis]:
            rows = matrix
        elif pair == word[axis] + result[axis]:
            rows = matrix.T
        else:
            continue
        data = node.inputs[1 - position]
        return AxisMap(node, data, axis, len(word), rows.shape[1], None, rows)
    return None

"""Conv and ConvTranspose with one fixed kernel for every channel, with the Pad before and the Slice after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx_graphsurgeon import Node, Tensor

from passes.resize.candidates import Spelling, axis_resize, is_safe_in_float32, spellings
from passes.resize.recover.kernel_axis import Border, KernelAxis, Row
from passes.resize.recover.weights import read_weights
from rewriter.model.constants import constant_value
from rewriter.model.scopes import in_default_domain

if TYPE_CHECKING:
    from passes.resize.recover.lengths import LengthReader

__all__ = ["KernelMap", "KernelMatch", "kernel_maps", "match_kernel"]

_FINEST = 24
"""The largest stride that is looked at: weights of linear and cubic kernels are whole multiples of 1 / (4 (2s)³)."""
_ULPS = 1


@dataclass(frozen=True, eq=False)
class KernelMap:
    """A group of nodes that applies one kernel to every channel of `data`; `axes` are the spatial ones, from 2."""

    nodes: tuple[Node, ...]
    data: Tensor
    axes: tuple[KernelAxis, ...]

    @property
    def rank(self) -> int:
        return 2 + len(self.axes)

    def evidence(self) -> list[dict[str, Any]]:
        """What a certificate says of it, as plain data."""
        return [
            {
                "axis": 2 + index,
                "operator": "ConvTranspose" if axis.transposed else "Conv",
                "kernel": [str(weight) for weight in axis.kernel],
                "stride": axis.stride,
                "pads": list(axis.pads),
                "output_padding": axis.output_padding,
                "border": [axis.border.mode, axis.border.before, axis.border.after],
                "crop": None if axis.crop is None else list(axis.crop),
            }
            for index, axis in enumerate(self.axes)
        ]


@dataclass(frozen=True)
class KernelMatch:
    """The Resize that a kernel map equals.

    Attributes:
        spelling: its attributes.
        pairs: (input, output) length of each spatial axis; None where it holds at every length.
        factors: the whole factors by which every length grows; None where `pairs` are given.
    """

    spelling: Spelling
    pairs: tuple[tuple[int, int], ...] | None
    factors: tuple[int, ...] | None


def kernel_maps(node: Node) -> Iterator[KernelMap]:
    """The node with the Pad before and the Slice after it, then with less."""
    rank = len(node.attrs.get("kernel_shape") or ()) + 2
    weights = read_weights(node.inputs[1])
    if weights is None or weights.ndim < 3 or (rank > 2 and weights.ndim != rank):
        return
    plain = _geometry(node, weights)
    if plain is None:
        return
    pad, slice_ = _pad_before(node, weights.ndim), _slice_after(node, weights.ndim)
    for before in (pad, None) if pad is not None else (None,):
        for after in (slice_, None) if slice_ is not None else (None,):
            axes = tuple(
                KernelAxis(
                    **axis,
                    border=Border("constant", 0, 0) if before is None else before[1][index],
                    crop=None if after is None else after[1][index],
                )
                for index, axis in enumerate(plain)
            )
            data = node.inputs[0] if before is None else before[0].inputs[0]
            nodes = [node if part is node else part[0] for part in (before, node, after) if part is not None]
            yield KernelMap(tuple(nodes), data, axes)


def match_kernel(found: KernelMap, lengths: LengthReader, opset: int) -> KernelMatch | None:
    """The first spelling of one Resize that the map equals: at the lengths of the model, or at every length."""
    known = [lengths.length(found.data, 2 + index) for index in range(len(found.axes))]
    if all(length.is_known for length in known):
        before = [length.factor for length in known]
        rows = [axis.rows(n) for axis, n in zip(found.axes, before, strict=True)]
        if any(each is None for each in rows) or not _sums_to_one(rows):
            return None
        pairs = tuple((n, len(each)) for n, each in zip(before, rows, strict=True) if each is not None)
        for spelling in _spellings(rows, opset):
            if all(_equals(spelling, n, each) for (n, _), each in zip(pairs, rows, strict=True)):
                return KernelMatch(spelling, pairs, None)
        return None
    return _at_every_length(found, opset)


def _at_every_length(found: KernelMap, opset: int) -> KernelMatch | None:
    """Rows move along by whole pixels away from the borders, on both sides: enough lengths decide for all."""
    if not all(axis.transposed for axis in found.axes):
        return None
    factors = tuple(axis.stride for axis in found.axes)
    tables = [[(n, axis.rows(n)) for n in range(1, 2 * axis.reach + 8)] for axis in found.axes]
    for axis, table in zip(found.axes, tables, strict=True):
        if any(rows is None or len(rows) != n * axis.stride for n, rows in table):
            return None
    longest = [table[-1][1] for table in tables]
    for spelling in _spellings(longest, opset):
        # align_corners has no whole step between pixels: no number of lengths decides.
        if spelling.coordinates == "align_corners" or spelling.antialias:
            continue
        if all(_equals(spelling, n, rows) for table in tables for n, rows in table):
            return KernelMatch(spelling, None, factors)
    return None


def _spellings(rows: list[tuple[Row, ...] | None], opset: int) -> Iterator[Spelling]:
    copies = all(len(row) == 1 for each in rows for row in each or ())
    for mode in ("nearest",) if copies else ("linear", "cubic"):
        yield from spellings(mode, opset)


def _equals(spelling: Spelling, n: int, rows: tuple[Row, ...] | None) -> bool:
    assert rows is not None
    axis = axis_resize(spelling, n, len(rows))
    return is_safe_in_float32(axis) and axis.rows == rows


def _sums_to_one(rows: list[tuple[Row, ...] | None]) -> bool:
    return all(sum(weight for _, weight in row) == 1 for each in rows for row in each or ())


def _geometry(node: Node, weights: np.ndarray) -> list[dict[str, Any]] | None:
    """Per spatial axis the fields of `KernelAxis` that the node itself decides; None where it is more than that."""
    spatial = weights.ndim - 2
    transposed = node.op == "ConvTranspose"
    strides = node.attrs.get("strides", [1] * spatial)
    pads = node.attrs.get("pads", [0] * 2 * spatial)
    extra = node.attrs.get("output_padding", [0] * spatial)
    plain = (
        node.attrs.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
        and "output_shape" not in node.attrs
        and all(step == 1 for step in node.attrs.get("dilations", [1]))
        and all(1 < stride <= _FINEST for stride in strides)
        and (len(strides), len(pads), len(extra)) == (spatial, 2 * spatial, spatial)
        and (len(node.inputs) < 3 or _adds_nothing(node.inputs[2]))
    )
    if not plain:
        return None
    if node.attrs.get("auto_pad") == "VALID":
        pads = [0] * 2 * spatial
    kernels = _kernels(node, weights, strides if transposed else [1] * spatial)
    if kernels is None:
        return None
    return [
        {
            "transposed": transposed,
            "kernel": kernel,
            "stride": int(strides[index]),
            "pads": (int(pads[index]), int(pads[spatial + index])),
            "output_padding": int(extra[index]) if transposed else 0,
        }
        for index, kernel in enumerate(kernels)
    ]


def _adds_nothing(bias: Tensor) -> bool:
    if not bias.name:
        return True
    value = read_weights(bias)
    return value is not None and not np.any(value)


def _kernels(node: Node, weights: np.ndarray, sums: list[int]) -> list[tuple[Fraction, ...]] | None:
    """The kernel of each axis, exact, where all channels have one and the same, and keep to themselves."""
    kernel = _one_kernel(weights, int(node.attrs.get("group", 1)))
    if kernel is None or not np.any(kernel):
        return None
    total = kernel.sum(dtype=np.float64)
    if abs(total - np.prod(sums)) > 1e-4 * np.prod(sums):
        return None
    strides = node.attrs["strides"]
    exact = []
    for axis, target in enumerate(sums):
        others = tuple(other for other in range(kernel.ndim) if other != axis)
        line = kernel.sum(axis=others, dtype=np.float64) * (target / total)
        finest = 4 * (2 * int(strides[axis])) ** 3
        exact.append(tuple(Fraction(round(weight * finest), finest) for weight in line))
    product = np.ones((), dtype=np.float64)
    for line in exact:
        product = np.multiply.outer(product, np.array([float(weight) for weight in line]))
    expected = product.astype(np.float32)
    room = _ULPS * np.spacing(np.maximum(np.abs(expected), np.abs(kernel)))
    same_zeros = (expected == 0) == (kernel == 0)
    return exact if np.all(same_zeros & (np.abs(expected - kernel) <= room)) else None


def _one_kernel(weights: np.ndarray, group: int) -> np.ndarray | None:
    """Conv holds [out, in / group, …], ConvTranspose [in, out / group, …]: alike where each channel is its own."""
    channels, per_group = weights.shape[:2]
    first: np.ndarray = weights[0, 0]
    if group == channels and per_group == 1:
        return first if np.all(weights[:, 0] == first) else None
    if group != 1 or per_group != channels:
        return None
    own = np.eye(channels, dtype=bool)
    return first if np.all(weights[own] == first) and not np.any(weights[~own]) else None


def _pad_before(node: Node, rank: int) -> tuple[Node, list[Border]] | None:
    data = node.inputs[0]
    pad = data.inputs[0] if len(data.inputs) == 1 else None
    if pad is None or pad.op != "Pad" or not in_default_domain(pad) or len(data.outputs) != 1:
        return None
    mode = pad.attrs.get("mode", "constant")
    amounts = _numbers(pad, "pads", 1)
    if mode not in ("constant", "edge") or amounts is None:
        return None
    if mode == "constant" and not _pads_zeros(pad):
        return None
    axes = list(range(rank))
    if len(pad.inputs) > 3 and pad.inputs[3].name:
        value = constant_value(pad.inputs[3])
        if value is None:
            return None
        axes = [int(axis) % rank for axis in value.ravel()]
    if len(amounts) != 2 * len(axes) or min(amounts, default=0) < 0:
        return None
    by_axis = dict(zip(axes, zip(amounts[: len(axes)], amounts[len(axes) :], strict=True), strict=True))
    if any(any(by_axis.get(axis, (0, 0))) for axis in (0, 1)):
        return None
    return pad, [Border(mode, *by_axis.get(axis, (0, 0))) for axis in range(2, rank)]


def _pads_zeros(pad: Node) -> bool:
    if len(pad.inputs) > 2 and pad.inputs[2].name:
        value = constant_value(pad.inputs[2])
        return value is not None and not np.any(value)
    return not pad.attrs.get("value", 0.0)


def _slice_after(node: Node, rank: int) -> tuple[Node, list[tuple[int, int] | None]] | None:
    readers = node.outputs[0].outputs
    after = readers[0] if len(readers) == 1 else None
    if after is None or after.op != "Slice" or not in_default_domain(after):
        return None
    starts, ends = _numbers(after, "starts", 1), _numbers(after, "ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        return None
    axes = _numbers(after, "axes", 3)
    steps = _numbers(after, "steps", 4)
    axes = list(range(len(starts))) if axes is None else [axis % rank for axis in axes]
    if len(axes) != len(starts) or any(axis < 2 for axis in axes) or any(step != 1 for step in steps or ()):
        return None
    crops = dict(zip(axes, zip(starts, ends, strict=True), strict=True))
    return after, [crops.get(axis) for axis in range(2, rank)]


def _numbers(node: Node, name: str, place: int) -> list[int] | None:
    """An attribute of old versions, an input of new ones."""
    stored = node.attrs.get(name)
    if isinstance(stored, list):
        return [int(number) for number in stored]
    if len(node.inputs) <= place or not node.inputs[place].name:
        return None
    value = constant_value(node.inputs[place])
    return None if value is None else [int(number) for number in value.ravel()]

"""Pad, with every mode on any axes, and the padding that other families need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var, types

from rewriter.coreml.lowering.mil import broadcast_to, cast, numpy_type, scalar
from rewriter.coreml.lowering.node import Node, is_float
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__ = ["crop", "crop_or_pad", "take"]

Pads = Sequence[tuple[int, int]]
_NUMPY_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@lowering("Pad")
def pad(node: Node) -> Var:
    mode = node.attr("mode", "constant")
    pads = _pads(node)
    x = node.var(0)
    if mode != "constant":
        if mode not in _NUMPY_MODES:
            raise node.refuse(f"unknown mode '{mode}'")
        return _pad_by_copies(x, pads, mode)
    if "value" in node.attributes or not node.has(2):
        return crop_or_pad(x, pads, float(node.attr("value", 0.0)))
    value = node.constant(2)
    if value is None:
        return _pad_with_variable(x, pads, node.var(2))
    if is_float(x):
        return crop_or_pad(x, pads, float(value.reshape(-1)[0]))
    return crop_or_pad(x, pads, int(value.reshape(-1)[0]))


def _pads(node: Node) -> list[tuple[int, int]]:
    """Begin and end padding per axis of the tensor; the values may be negative."""
    rank = node.rank(0)
    values = node.integers(1, "pads", "the amount of padding")
    if values is None:
        raise node.refuse("no amount of padding")
    axes = (
        [int(axis) for axis in node.need_constant(3, "axes").reshape(-1)]
        if node.has(3)
        else list(range(rank))
    )
    if len(values) != 2 * len(axes):
        raise node.refuse(f"{len(values)} amounts of padding for {len(axes)} axes")
    pads = [(0, 0)] * rank
    for position, axis in enumerate(axes):
        pads[axis] = (values[position], values[position + len(axes)])
    return pads


def crop_or_pad(x: Var, pads: Pads, value: float = 0.0) -> Var:
    """Constant padding per axis; negative amounts crop."""
    x = crop(x, pads)
    grown = [(max(before, 0), max(after, 0)) for before, after in pads]
    if not any(before or after for before, after in grown):
        return x
    if not is_float(x):
        return _pad_by_concatenation(x, grown, value)
    # MIL counts from the first padded axis on.
    first = next(axis for axis, pair in enumerate(grown) if any(pair))
    amounts = [amount for pair in grown[first:] for amount in pair]
    return mb.pad(x=x, pad=amounts, mode="constant", constant_val=scalar(value, x))


def crop(x: Var, pads: Pads) -> Var:
    """Only the negative amounts of `pads`, cut off."""
    if all(before >= 0 and after >= 0 for before, after in pads):
        return x
    shape = static_shape(x)
    return mb.slice_by_index(
        x=x,
        begin=[max(-before, 0) for before, _ in pads],
        end=[length - max(-after, 0) for length, (_, after) in zip(shape, pads, strict=True)],
    )


def _pad_by_concatenation(x: Var, pads: Pads, value: float) -> Var:
    """Integers and truth values, which MIL's pad does not take."""
    for axis, (before, after) in enumerate(pads):
        parts = [_filled(x, axis, before, value), x, _filled(x, axis, after, value)]
        present = [part for part in parts if part is not None]
        x = mb.concat(values=present, axis=axis) if len(present) > 1 else x
    return x


def _filled(x: Var, axis: int, amount: int, value: float) -> np.ndarray | None:
    """A slab of `value` that fits `x` along `axis`; None where it would be empty."""
    if not amount:
        return None
    shape = list(static_shape(x))
    shape[axis] = amount
    return np.full(shape, value, dtype=numpy_type(x))


def _pad_with_variable(x: Var, pads: Pads, value: Var) -> Var:
    """A padding value that is only known at run time: zeros, then that value where the padding is."""
    padded = crop_or_pad(x, pads)
    shape = static_shape(padded)
    inside = np.zeros(shape, dtype=np.bool_)
    inside[tuple(slice(max(b, 0), n - max(a, 0)) for n, (b, a) in zip(shape, pads, strict=True))] = True
    single = mb.reshape(x=value, shape=[1] * len(shape)) if value.rank else value
    return mb.select(cond=inside, a=padded, b=broadcast_to(single, shape))


def _pad_by_copies(x: Var, pads: Pads, mode: str) -> Var:
    """reflect, edge and wrap: MIL's own operator where it is defined, else pixels are gathered axis by axis."""
    if _native_mode(x, pads, mode):
        first = next(axis for axis, pair in enumerate(pads) if any(pair))
        return mb.pad(
            x=x,
            pad=[amount for pair in pads[first:] for amount in pair],
            mode="reflect" if mode == "reflect" else "replicate",
        )
    for axis, (before, after) in enumerate(pads):
        if before or after:
            length = static_shape(x)[axis]
            positions = np.pad(
                np.arange(length)[max(-before, 0) : length - max(-after, 0)],
                (max(before, 0), max(after, 0)),
                mode=_NUMPY_MODES[mode],  # type: ignore[call-overload]
            )
            x = take(x, positions, axis)
    return x


def _native_mode(x: Var, pads: Pads, mode: str) -> bool:
    """Whether MIL's pad is documented for it: floats, the last two axes, less than the axis' length."""
    if mode == "wrap" or not is_float(x) or not any(before or after for before, after in pads):
        return False
    if any(before or after for before, after in pads[:-2]):
        return False
    return all(
        0 <= amount < length for pair, length in zip(pads, static_shape(x), strict=True) for amount in pair
    )


def take(x: Var, positions: np.ndarray, axis: int) -> Var:
    """Copies of the slices at constant non-negative `positions` along `axis`."""
    if x.dtype == types.bool:  # gather lacks truth values
        return cast(mb.gather(x=cast(x, "int32"), indices=positions.astype(np.int32), axis=axis), "bool")
    return mb.gather(x=x, indices=positions.astype(np.int32), axis=axis)

"""Resizes whose result becomes whole numbers, sum by sum in the order of TensorFlow's kernels.

A float32 sum in another order differs in its last bit, which is nothing, unless the result is rounded or cut off
next: 12.5 becomes 12 or 13. So where that follows (Keras' Resizing on uint8 images), every product and sum is a node
of its own, in the order of the kernel, and the whole numbers are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling.float32_tensorflow import BICUBIC_TABLE_SIZE, bicubic_table
from rewriter.tensorflow.image_ops.expression import Expression, Operand, Value

__all__ = [
    "area_taps",
    "becomes_whole",
    "bicubic_taps",
    "bilinear_ends",
    "interpolated",
    "matrix_taps",
    "weighted_sum",
]

F = np.float32
Taps: TypeAlias = "list[tuple[Value, Value]]"
"""Of one axis: (input index int64 [m], weight float32 [m]) in the order in which they are added."""
_MOST_TAPS = 64
_PASSING = frozenset(
    (
        "Identity",
        "Squeeze",
        "ExpandDims",
        "Unsqueeze",
        "Reshape",
        "Transpose",
        "Maximum",
        "Minimum",
        "ClipByValue",
    )
)
_ROUNDING = frozenset(("Round", "Rint", "Floor", "Ceil"))


def becomes_whole(graph: Any, name: str) -> bool:
    """Whether a tensor is rounded or cast to whole numbers, directly or after operators that keep its values."""
    from onnx import TensorProto

    whole = {getattr(TensorProto, f"{sign}INT{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)}
    seen, pending = set(), [name]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        for consumer in graph.find_output_consumers(current):
            result = consumer.output[0]
            if consumer.type in _ROUNDING or (consumer.type == "Cast" and graph.get_dtype(result) in whole):
                return True
            if consumer.type in _PASSING:
                pending.append(result)
    return False


def weighted_sum(e: Expression, image: Operand, taps: Taps, axis: int) -> Operand:
    """Sum of weight times pixel over the taps of one axis (1: height, 2: width) of an image [N, H, W, C].

    Raises:
        UnsupportedError: more taps than a graph should hold.
    """
    if len(taps) > _MOST_TAPS:
        raise UnsupportedError(
            f"its result becomes whole numbers, and sums {len(taps)} pixels per axis in TensorFlow's order",
            remedy="resize in floating point and round outside of the network",
        )
    total: Operand | None = None
    for index, weight in taps:
        pixels = e.node("Gather", [image, index], axis=axis)
        part = e.node("Mul", [pixels, e.reshaped(weight, (-1, 1, 1) if axis == 1 else (-1, 1))])
        total = part if total is None else e.node("Add", [total, part])
    assert total is not None
    return total


def matrix_taps(weights: Value) -> Taps:
    """The taps of a weight matrix [m, n], each row from its first pixel on.

    Raises:
        UnsupportedError: the matrix is known only when the model runs.
    """
    if not isinstance(weights, np.ndarray):
        raise _unknown()
    m, n = weights.shape
    some = weights != 0
    first = np.where(some.any(axis=1), some.argmax(axis=1), 0)
    last = np.where(some.any(axis=1), n - 1 - some[:, ::-1].argmax(axis=1), 0)
    taps: Taps = []
    for step in range(int((last - first).max()) + 1):
        index = first + step
        inside = np.minimum(index, n - 1)
        weight = np.where(index < n, weights[np.arange(m), inside], 0).astype(F)
        taps.append((inside.astype(np.int64), weight))
    return taps


def area_taps(n: Value, m: Value, align_corners: bool) -> tuple[Taps, np.float32]:
    """The taps of ResizeArea before it divides, and the step: how many pixels an output averages.

    Raises:
        UnsupportedError: a length is known only when the model runs.
    """
    if not isinstance(n, np.ndarray) or not isinstance(m, np.ndarray):
        raise _unknown()
    lengths = int(n), int(m)
    between = align_corners and min(lengths) > 1
    step = F(lengths[0] - 1) / F(lengths[1] - 1) if between else F(lengths[0]) / F(lengths[1])
    i = np.arange(lengths[1], dtype=F)
    start, end = i * step, (i + F(1)) * step
    first, stop = np.floor(start), np.ceil(end)
    taps: Taps = []
    for offset in range(int((stop - first).max())):
        cell = (first + F(offset)).astype(F)
        beyond = cell + F(1) > end
        late = np.where(beyond, step, cell + F(1) - start)
        early = np.where(beyond, end - cell, F(1))
        covered = np.where(cell < start, late, early)
        weight = np.where(cell < stop, covered, 0).astype(F)
        taps.append((np.minimum(cell, lengths[0] - 1).astype(np.int64), weight))
    return taps, step


def _unknown() -> UnsupportedError:
    return UnsupportedError(
        "its result becomes whole numbers, which another order of the same sum can change, and its lengths are "
        "known only when the model runs",
        remedy="pin the input's height and width (--shape), or resize in floating point",
    )


def _coordinates(e: Expression, n: Value, m: Value, align_corners: bool, half_pixel_centers: bool) -> Value:
    """Where each output samples, float32 [m]."""
    fn, fm, one = e.floats(n), e.floats(m), np.array(1, F)
    scale = e("Div", fn, fm)
    i = e.counting(m)
    if align_corners:
        between = e("Div", e("Sub", fn, one), e("Max", e("Sub", fm, one), one))
        scale = e("Where", e("Greater", e("Min", fn, fm), one), between, scale)
    if not half_pixel_centers:
        return e("Mul", i, scale)
    half = np.array(0.5, F)
    return e("Sub", e("Mul", e("Add", i, half), scale), half)


def bilinear_ends(
    e: Expression, n: Value, m: Value, align_corners: bool, half_pixel_centers: bool
) -> tuple[Value, Value, Value]:
    """ResizeBilinear of one axis: index of the pixel before and of the one behind, and the share of the latter."""
    x = _coordinates(e, n, m, align_corners, half_pixel_centers)
    floor, zero = e("Floor", x), np.array(0, F)
    highest = e("Sub", e.floats(n), np.array(1, F))
    ends = (e.integers(e("Min", e("Max", end, zero), highest)) for end in (floor, e("Ceil", x)))
    lower, upper = ends
    return lower, upper, e("Sub", x, floor)


def interpolated(e: Expression, image: Operand, ends: Sequence[tuple[Value, Value, Value]]) -> Operand:
    """ResizeBilinear of [N, H, W, C] from the `bilinear_ends` of rows and columns, nested as the kernel does."""
    (top, bottom, down), (left, right, across) = ends
    share = e.reshaped(across, (-1, 1))
    lines = []
    for index in (top, bottom):
        row = e.node("Gather", [image, index], axis=1)
        before, behind = (e.node("Gather", [row, column], axis=2) for column in (left, right))
        lines.append(_between(e, before, behind, share))
    upper, lower = lines
    return _between(e, upper, lower, e.reshaped(down, (-1, 1, 1)))


def _between(e: Expression, a: Operand, b: Operand, share: Value) -> Operand:
    return e.node("Add", [a, e.node("Mul", [e.node("Sub", [b, a]), share])])


def bicubic_taps(e: Expression, n: Value, m: Value, align_corners: bool, half_pixel_centers: bool) -> Taps:
    """ResizeBicubic of one axis: four taps, with weights from the kernel's table of 1,024 entries."""
    x = _coordinates(e, n, m, align_corners, half_pixel_centers)
    low = e("Floor", x)
    offset = e.integers(e("Round", e("Mul", e("Sub", x, low), np.array(BICUBIC_TABLE_SIZE, F))))
    back = e("Sub", np.array(BICUBIC_TABLE_SIZE, np.int64), offset)
    inner, outer = bicubic_table(-0.5 if half_pixel_centers else -0.75)
    weights = [
        e.looked_up(table, place)
        for table, place in ((outer, offset), (inner, offset), (inner, back), (outer, back))
    ]
    zero = np.array(0, F)
    highest = e("Sub", e.floats(n), np.array(1, F))
    pixels = [e("Add", low, np.array(step, F)) for step in (-1, 0, 1, 2)]
    indices = [e("Min", e("Max", pixel, zero), highest) for pixel in pixels]
    if half_pixel_centers:  # what lies outside counts nothing, and the rest is scaled up
        inside = [e("Equal", pixel, index) for pixel, index in zip(pixels, indices, strict=True)]
        weights = [e("Where", kept, weight, zero) for kept, weight in zip(inside, weights, strict=True)]
        total = weights[0]
        for weight in weights[1:]:
            total = e("Add", total, weight)
        over = e("Div", np.array(1, F), total)
        weights = [e("Mul", weight, over) for weight in weights]
    return [(e.integers(index), weight) for index, weight in zip(indices, weights, strict=True)]

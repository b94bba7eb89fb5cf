"""NonMaxSuppression, written out: one round per box that may be kept, for all images and classes at once.

MIL's own operator is not used: which of two equal scores it takes, and whether its thresholds are included, is not
documented.
"""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import reshape
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__: list[str] = []

_MOST_ROUNDS = 300
_LOWEST = np.float32(np.finfo(np.float32).min)
_SMALLEST = np.float32(np.finfo(np.float32).tiny)


@lowering("NonMaxSuppression")
def non_max_suppression(node: Node) -> Var:
    """Rows (image, class, box), as many as are kept: the first length is only known at run time."""
    batch, boxes, _ = node.shape(0)
    classes = node.shape(1)[1]
    rounds = min(int(_number(node, 2, "how many boxes are kept", 0)), boxes)
    if not 1 <= rounds <= _MOST_ROUNDS:
        raise node.refuse(f"{rounds} boxes per class; 1 to {_MOST_ROUNDS} rounds are written out")
    overlap = np.float32(_number(node, 3, "the overlap", 0.0))
    lengths = [batch, classes, boxes]
    scores = node.var(1)
    corners = _corners(node, batch, boxes)
    area = mb.mul(x=mb.sub(x=corners[2], y=corners[0]), y=mb.sub(x=corners[3], y=corners[1]))
    alive = _alive(node, scores)
    numbers = np.arange(boxes, dtype=np.int32).reshape(1, 1, boxes)
    chosen, valid = [], []
    for _ in range(rounds):
        masked = mb.select(cond=alive, a=scores, b=_LOWEST)
        best = mb.reduce_argmax(x=masked, axis=2, keep_dims=True)
        flags = mb.cast(x=alive, dtype="fp32")
        hit = mb.cast(x=mb.equal(x=best, y=numbers), dtype="fp32")
        chosen.append(best)
        valid.append(mb.reduce_sum(x=mb.mul(x=flags, y=hit), axes=[2], keep_dims=True))
        own = [_of(part, hit) for part in (*corners, area)]
        suppressed = _overlapping(corners, area, own, overlap)
        gone = mb.logical_or(x=suppressed, y=mb.equal(x=best, y=numbers))
        alive = mb.logical_and(x=alive, y=mb.logical_not(x=gone))
    return _rows(chosen, valid, [*lengths[:2], rounds])


def _number(node: Node, index: int, what: str, default: float) -> float:
    if not node.has(index):
        return default
    value = node.need_constant(index, what).reshape(-1)
    return float(value[0]) if value.size else default


def _alive(node: Node, scores: Var) -> Var:
    """Which boxes may be taken: all, or those above the threshold."""
    if node.has(4):
        return mb.greater(x=scores, y=np.float32(_number(node, 4, "the score", 0.0)))
    return mb.logical_or(x=mb.equal(x=scores, y=scores), y=mb.not_equal(x=scores, y=scores))


def _corners(node: Node, batch: int, boxes: int) -> list[Var]:
    """Lowest and highest of both axes, each of shape [batch, 1, boxes]: y0, x0, y1, x1."""
    parts = [
        reshape(
            mb.slice_by_index(x=node.var(0), begin=[0, 0, place], end=[batch, boxes, place + 1]),
            (batch, 1, boxes),
        )
        for place in range(4)
    ]
    if node.attr("center_point_box", 0):
        x, y, width, height = parts
        half_w, half_h = (mb.mul(x=size, y=np.float32(0.5)) for size in (width, height))
        return [
            mb.sub(x=y, y=half_h),
            mb.sub(x=x, y=half_w),
            mb.add(x=y, y=half_h),
            mb.add(x=x, y=half_w),
        ]
    first, second = parts[:2], parts[2:]
    low = [mb.minimum(x=a, y=b) for a, b in zip(first, second, strict=True)]
    return [*low, *(mb.maximum(x=a, y=b) for a, b in zip(first, second, strict=True))]


def _of(values: Var, hit: Var) -> Var:
    """The value of the box that was hit, [batch, classes, 1]."""
    return mb.reduce_sum(x=mb.mul(x=values, y=hit), axes=[2], keep_dims=True)


def _overlapping(corners: list[Var], area: Var, own: list[Var], overlap: np.float32) -> Var:
    """Whether intersection / union is above the bound, [batch, classes, boxes]."""
    high = [mb.minimum(x=corners[2 + axis], y=own[2 + axis]) for axis in (0, 1)]
    low = [mb.maximum(x=corners[axis], y=own[axis]) for axis in (0, 1)]
    sides = [
        mb.maximum(x=mb.sub(x=top, y=bottom), y=np.float32(0)) for top, bottom in zip(high, low, strict=True)
    ]
    shared = mb.mul(x=sides[0], y=sides[1])
    union = mb.sub(x=mb.add(x=area, y=own[4]), y=shared)
    ratio = mb.real_div(x=shared, y=mb.maximum(x=union, y=_SMALLEST))
    is_shared = mb.logical_and(
        x=mb.greater(x=shared, y=np.float32(0)),
        y=mb.logical_and(x=mb.greater(x=area, y=np.float32(0)), y=mb.greater(x=own[4], y=np.float32(0))),
    )
    return mb.logical_and(x=is_shared, y=mb.greater(x=ratio, y=overlap))


def _rows(chosen: list[Var], valid: list[Var], lengths: list[int]) -> Var:
    count = int(np.prod(lengths))
    boxes = reshape(mb.concat(values=chosen, axis=2) if len(chosen) > 1 else chosen[0], (count, 1))
    flags = reshape(mb.concat(values=valid, axis=2) if len(valid) > 1 else valid[0], (count,))
    image, own_class, _ = np.indices(lengths, dtype=np.int32).reshape(3, count, 1)
    rows = mb.concat(values=[np.concatenate([image, own_class], axis=1), boxes], axis=1)
    kept = mb.squeeze(x=mb.non_zero(x=flags), axes=[1])
    assert static_shape(rows) == (count, 3)
    return mb.gather(x=rows, indices=kept, axis=0)

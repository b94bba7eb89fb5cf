"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("non_maximum_suppression")
def non_maximum_suppression(call: Call) -> tuple[Array, ...]:
    """Boxes by falling score, without those that overlap a better one too much.

    iOS 15: boxes [n, B, 4], scores [n, B, K], a score threshold, and a fourth output with the number of boxes found.
    iOS 17: boxes [n, 4, B], scores [n, K, B], neither of these. Unused places hold zeros, and index -1.
    """
    boxes, scores, limit = call.tensor("boxes"), call.tensor("scores"), call.integer("max_boxes")
    boxes_last = not call.has("score_threshold")
    if boxes_last:
        boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
    chosen = [_select(call, image, score)[:limit] for image, score in zip(boxes, scores, strict=True)]
    out_boxes = np.zeros((len(boxes), limit, 4), boxes.dtype)
    out_scores = np.zeros((len(boxes), limit, scores.shape[2]), scores.dtype)
    indices = np.full((len(boxes), limit), -1, np.int32)
    for image, selected in enumerate(chosen):
        count = len(selected)
        out_boxes[image, :count] = boxes[image, selected]
        out_scores[image, :count] = scores[image, selected]
        indices[image, :count] = selected
    if boxes_last:
        return out_boxes.swapaxes(1, 2), out_scores.swapaxes(1, 2), indices
    return out_boxes, out_scores, indices, np.array([len(selected) for selected in chosen], np.int32)


def _select(call: Call, boxes: Array, scores: Array) -> list[int]:
    """Indices of the surviving boxes of one image; the best box where none survives."""
    best = scores.max(axis=1)
    classes = scores.argmax(axis=1) if call.flag("per_class_suppression") else np.zeros(len(boxes), np.int64)
    threshold = call.number("score_threshold") if call.has("score_threshold") else -np.inf
    overlap_limit = np.float32(call.number("iou_threshold"))
    overlap = _overlaps(boxes)
    selected: list[int] = []
    for index in np.argsort(-best, kind="stable"):
        if best[index] <= np.float32(threshold):
            break
        rivals = [other for other in selected if classes[other] == classes[index]]
        if not (overlap[index, rivals] > overlap_limit).any():
            selected.append(int(index))
    return selected or [int(best.argmax())]


def _overlaps(boxes: Array) -> Array:
    """Intersection over union of boxes (x centre, y centre, width, height); 0 for a box without area."""
    centre, size = boxes[:, :2], boxes[:, 2:]
    low, high = centre - size / 2, centre + size / 2
    sides = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    shared = np.maximum(sides, 0).prod(axis=-1)
    area = (high - low).prod(axis=-1)
    union = area[:, None] + area[None] - shared
    has_area = (area[:, None] > 0) & (area[None] > 0)
    return np.where(has_area, shared / np.where(has_area, union, 1), 0)

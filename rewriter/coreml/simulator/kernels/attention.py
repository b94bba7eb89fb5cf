"""Attention."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("scaled_dot_product_attention")
def scaled_dot_product_attention(call: Call) -> Array:
    """softmax(Q K^T / sqrt(E) + mask) V; a bool mask says what takes part."""
    query, key, value = (call.tensor(name) for name in ("query", "key", "value"))
    scores = query @ key.swapaxes(-1, -2) / np.float32(np.sqrt(query.shape[-1]))
    if call.has("attn_mask"):
        mask = call.tensor("attn_mask")
        scores = np.where(mask, scores, np.float32(-np.inf)) if mask.dtype == bool else scores + mask
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ value

"""The operator that ends a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("classify")
def classify(call: Call) -> tuple[Any, dict[Any, float]]:
    """The most probable class, and the probability of each class by label."""
    probabilities = call.tensor("probabilities").ravel()
    labels = [_plain(label) for label in call.value("classes")]
    return labels[int(probabilities.argmax())], dict(zip(labels, probabilities.tolist(), strict=True))


def _plain(label: Any) -> Any:
    value = getattr(label, "val", label)
    return int(value) if isinstance(value, int | np.integer) else str(value)

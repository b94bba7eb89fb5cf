"""What float16 costs a program on given inputs: where it overflows, underflows, or changes the largest entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewriter.coreml.simulator.model import SimulatedModel

__all__ = ["Float16Finding", "Float16Report", "compare_precisions"]


@dataclass(frozen=True)
class Float16Finding:
    """One tensor that float16 changes in kind, not only in the last digits.

    Attributes:
        tensor: its name in the program.
        kind: ``"overflow"`` (not finite, where float32 is finite), ``"underflow"`` (zero, where float32 is not) or
            ``"argmax"`` (another entry of the last axis, or of the class axis of an image, is the largest).
        entries: how many entries (for ``"argmax"``, rows) are concerned.
        size: how many there are.
    """

    tensor: str
    kind: str
    entries: int
    size: int


@dataclass(frozen=True)
class Float16Report:
    """The findings, in the order in which the program computes the tensors.

    Attributes:
        findings: overflows and underflows of every float tensor, lost argmax of the outputs.
        first_overflow: the first tensor that overflows; None where none does.
        largest_difference: by output: largest absolute difference from float32, NaN-free entries only.
    """

    findings: tuple[Float16Finding, ...]
    first_overflow: str | None
    largest_difference: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "first_overflow": self.first_overflow,
            "largest_difference": self.largest_difference,
        }


def compare_precisions(
    rounded: SimulatedModel, exact: SimulatedModel, inputs: Mapping[str, Any]
) -> Float16Report:
    """Run a program as saved and in float32, and compare every tensor.

    Both runs keep all their tensors: it takes the memory of all intermediates twice.

    Args:
        rounded: loaded with precision ``"as_saved"``.
        exact: the same package loaded with precision ``"float32"``.
        inputs: as for `SimulatedModel.predict`.
    """
    have, want = rounded.predict(inputs, trace="all"), exact.predict(inputs, trace="all")
    outputs = {spec.name for spec in rounded.outputs}
    findings: list[Float16Finding] = []
    differences: dict[str, float] = {}
    # Outputs come first in a prediction, and last in the program.
    for name in sorted(have, key=lambda name: name in outputs):
        low, high = _floats(have[name]), _floats(want.get(name))
        if low is None or high is None or low.shape != high.shape:
            continue
        findings += _out_of_range(name, low, high)
        if name in outputs:
            findings += _lost_argmax(name, low, high)
            differences[name] = _largest_difference(low, high)
    overflow = next((finding.tensor for finding in findings if finding.kind == "overflow"), None)
    return Float16Report(tuple(findings), overflow, differences)


def _floats(value: Any) -> np.ndarray | None:
    """Float tensors in float64; None for everything else, labels and dictionaries included."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return None
    return value.astype(np.float64)


def _out_of_range(name: str, low: np.ndarray, high: np.ndarray) -> list[Float16Finding]:
    overflow = int((~np.isfinite(low) & np.isfinite(high)).sum())
    underflow = int(((low == 0) & (high != 0) & np.isfinite(high)).sum())
    counted = (("overflow", overflow), ("underflow", underflow))
    return [Float16Finding(name, kind, count, low.size) for kind, count in counted if count]


def _lost_argmax(name: str, low: np.ndarray, high: np.ndarray) -> list[Float16Finding]:
    """Rows whose largest entry is another one; classes are axis 1 of images [N, C, H, W], else the last axis."""
    axis = 1 if low.ndim == 4 else -1
    if low.ndim == 0 or low.shape[axis] < 2 or not low.size:
        return []
    # An entry that ties with the largest is not lost.
    chosen = np.expand_dims(low.argmax(axis=axis), axis)
    kept = np.take_along_axis(high, chosen, axis=axis) == high.max(axis=axis, keepdims=True)
    lost = int((~kept).sum())
    return [Float16Finding(name, "argmax", lost, kept.size)] if lost else []


def _largest_difference(low: np.ndarray, high: np.ndarray) -> float:
    finite = np.isfinite(low) & np.isfinite(high)
    return float(np.abs(low - high)[finite].max()) if finite.any() else 0.0

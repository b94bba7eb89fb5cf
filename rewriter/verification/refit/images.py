"""Outputs as one long vector, so that differences between runs can be added and compared."""

from __future__ import annotations

import numpy as np

from rewriter.verification.runners import Arrays

__all__ = ["Images"]

_POSITIONS = 20_000
"""How many positions of all outputs are looked at; more tell nothing new, and every run is kept."""

_LABELS = 32
_TINY = 1e-30


class Images:
    """Differences from expected outputs, at a fixed sample of positions.

    Every output weighs the same whatever its range and size. Whole numbers with few values are labels, which have no
    distance: each becomes one plane per label.

    Args:
        expected: outputs by name.
        seed: of the sample.
    """

    def __init__(self, expected: Arrays, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        share = max(1, _POSITIONS // max(1, len(expected)))
        self._expected = expected
        self._places: dict[str, np.ndarray] = {}
        self._labels: dict[str, np.ndarray | None] = {}
        for name, array in expected.items():
            self._places[name] = rng.permutation(array.size)[:share]
            self._labels[name] = _labels(array)
        self._wanted = {name: self._part(name, array) for name, array in expected.items()}
        self._weights = {name: self._weight(name) for name in expected}

    def difference(self, outputs: Arrays) -> np.ndarray | None:
        """Outputs minus what is expected, float64 [positions]; None where the shapes do not fit."""
        if any(outputs[name].shape != array.shape for name, array in self._expected.items()):
            return None
        parts = [
            (self._part(name, outputs[name]) - wanted) * self._weights[name]
            for name, wanted in self._wanted.items()
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _part(self, name: str, array: np.ndarray) -> np.ndarray:
        values = array.ravel()[self._places[name]]
        labels = self._labels[name]
        if labels is not None:
            return (values[:, None] == labels).astype(np.float64).ravel()
        return np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)

    def _weight(self, name: str) -> float:
        values = self._wanted[name]
        spread = float(np.ptp(values)) if values.size else 1.0
        return 1.0 / (max(spread, _TINY) * np.sqrt(max(1, values.size) * len(self._expected)))


def _labels(array: np.ndarray) -> np.ndarray | None:
    """The values of a map of labels; None where the values are numbers to calculate with."""
    if array.dtype.kind not in "biu":
        return None
    labels = np.unique(array)
    return labels if labels.size <= _LABELS else None

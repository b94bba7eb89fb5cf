"""The scale in a coordinate formula, where it is not output / input length."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.fingerprint.least_squares import fit
from rewriter.resampling.fingerprint.matching import Evidence, matches
from rewriter.resampling.fingerprint.recovery import RecoveredAxis
from rewriter.resampling.vocabulary import onnx_words

__all__ = ["scales_of", "simple_near"]


def scales_of(evidence: Evidence) -> Iterator[dict[int, Fraction]]:
    """Scales, by axis, that give the lengths seen: floor(length × scale), and the spacing of the positions."""
    options: dict[int, list[Fraction]] = {}
    for axis in evidence.spatial:
        seen = [
            probe.axes[axis]
            for probe in evidence.probes
            if not probe.axes[axis].is_identity(2 * probe.tolerance)
        ]
        low = max(Fraction(a.n_out, a.n_in) for a in seen)
        high = min(Fraction(a.n_out + 1, a.n_in) for a in seen)
        if low >= high:
            return
        measured = _measured_scale(max(seen, key=lambda a: a.n_out))
        near = simple_near(float(low), float(high), 40)
        measured = _measured_scale(max(seen, key=lambda a: a.n_out))
        if measured is not None:
            # Of align_corners the spacing says nothing about the scale: the others stay possible.
            slope, slack = measured
            close = [value for value in near if abs(float(value) - slope) <= slack]
            exact = [fit(slope, slack)] if slack < 1e-3 else []
            near = list(dict.fromkeys([*near[:4], *exact, *close[:4]]))
        options[axis] = _explaining(evidence, axis, near[:9])
    if not options or any(not values for values in options.values()):
        return
    for choice in range(max(len(values) for values in options.values())):
        yield {axis: values[min(choice, len(values) - 1)] for axis, values in options.items()}


def _explaining(evidence: Evidence, axis: int, candidates: list[Fraction]) -> list[Fraction]:
    """The first candidate with which some word is this axis; all of them where there is none."""
    alone = evidence.only(axis)
    for scale in candidates:
        if matches(onnx_words(scales={axis: scale}), alone):
            return [scale]
    return candidates


def _measured_scale(axis: RecoveredAxis) -> tuple[float, float] | None:
    """1 / spacing of the positions away from the edges, and how far off it may be."""
    positions = axis.positions
    inner = np.flatnonzero((positions > 0.02) & (positions < axis.n_in - 1.02))
    if inner.size < 3:
        return None
    spacing, _ = np.polyfit(inner, positions[inner], 1)
    if spacing <= 0:
        return None
    ragged = float(np.abs(positions[inner] - np.polyval(np.polyfit(inner, positions[inner], 1), inner)).max())
    error = max(2e-5, 2.5 * ragged) / max(1, inner.size - 1)
    return float(1 / spacing), float(4 * error / spacing**2) + 1e-5


def simple_near(low: float, high: float, most: int = 10) -> list[Fraction]:
    """Numbers in [low, high) that a person or an exporter would write, the simplest first, as float32 holds them."""
    found: dict[Fraction, None] = {}
    for digits in range(4):
        unit = 10**digits
        first, last = int(np.ceil(low * unit - 1e-9)), int(np.floor(high * unit))
        for numerator in range(first, min(last, first + most) + 1):
            found.setdefault(Fraction(float(np.float32(numerator / unit))))
    for denominator in range(2, 33):
        for numerator in range(int(np.ceil(low * denominator)), int(high * denominator) + 1):
            found.setdefault(Fraction(float(np.float32(numerator / denominator))))
            if len(found) > 4 * most:
                break
    return [value for value in found if low <= value < high][:most]

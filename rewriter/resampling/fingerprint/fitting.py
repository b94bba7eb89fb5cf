"""Words with a free number: the coefficient of a cubic, the scale in the formula, the region of a crop."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.fingerprint.cropping import fitted_crops
from rewriter.resampling.fingerprint.least_squares import fit, fit_parameters
from rewriter.resampling.fingerprint.matching import Evidence, dense
from rewriter.resampling.fingerprint.recovery import RecoveredAxis
from rewriter.resampling.fingerprint.translating import fitted_filters
from rewriter.resampling.vocabulary import CUBIC_COEFFICIENTS, Word, onnx_words

__all__ = ["fitted_words", "scaled_words", "simple_near"]


def fitted_words(evidence: Evidence) -> Iterator[list[Word]]:
    """Lists of candidate words, the likeliest kind first; each is to be matched against the evidence."""
    coefficients = _cubic_coefficients(evidence, None)
    if coefficients:
        yield onnx_words(coefficients)
    yield from scaled_words(evidence)
    yield from fitted_crops(evidence)
    yield from fitted_filters(evidence)


def scaled_words(evidence: Evidence) -> Iterator[list[Word]]:
    """Words whose formula uses a scale of its own, not output / input length."""
    for scales in _scales(evidence):
        known = [*CUBIC_COEFFICIENTS, *_cubic_coefficients(evidence, scales)]
        yield onnx_words(list(dict.fromkeys(known)), scales=scales)


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


def _cubic_coefficients(evidence: Evidence, scales: dict[int, Fraction] | None) -> list[Fraction]:
    """Coefficients, other than the usual ones, with which some cubic grid reproduces an axis."""
    axis = evidence.sample()
    if axis is None or (axis.matrix >= -1e-4).all():  # every cubic kernel has negative weights
        return []
    scale = None if scales is None else scales[axis.axis]
    found: dict[Fraction, None] = {}
    grids = ["half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"]
    for coordinates in grids if scales is None else [*grids, "half_pixel_symmetric"]:
        for exclude in (False, True):
            for antialias in (False, True) if axis.n_out < axis.n_in else (False,):

                def model(
                    a: np.ndarray, grid: str = coordinates, out: bool = exclude, aa: bool = antialias
                ) -> np.ndarray:
                    meant = AxisResize(
                        axis.n_in,
                        axis.n_out,
                        "cubic",
                        grid,
                        scale=scale,
                        cubic_a=Fraction(float(a[0])).limit_denominator(10**7),
                        exclude_outside=out,
                        antialias=aa,
                    )
                    return dense(meant)

                (a,), left = fit_parameters(model, axis.matrix, [-0.6], 1e-3)
                if left <= 4 * evidence.tolerance(axis):
                    found.setdefault(fit(float(a), max(2e-4, 4 * evidence.weight_error)))
    return [a for a in found if a not in CUBIC_COEFFICIENTS]


def _scales(evidence: Evidence) -> Iterator[dict[int, Fraction]]:
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
        if measured is not None:
            slope, slack = measured
            near = [value for value in near if abs(float(value) - slope) <= slack]
            if slack < 1e-3:
                near = list(dict.fromkeys([fit(slope, slack), *near]))
        options[axis] = near[:6]
    if not options or any(not values for values in options.values()):
        return
    for choice in range(max(len(values) for values in options.values())):
        yield {axis: values[min(choice, len(values) - 1)] for axis, values in options.items()}


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

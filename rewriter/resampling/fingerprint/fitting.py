"""Words with a free number: the coefficient of a cubic, the scale in the formula, the region of a crop."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.fingerprint.cropping import fitted_crops
from rewriter.resampling.fingerprint.least_squares import fit, fit_parameters
from rewriter.resampling.fingerprint.matching import Evidence, dense
from rewriter.resampling.fingerprint.scaling import scales_of
from rewriter.resampling.fingerprint.translating import fitted_filters
from rewriter.resampling.vocabulary import CUBIC_COEFFICIENTS, Word, onnx_words

__all__ = ["fitted_words", "scaled_words"]


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
    for scales in scales_of(evidence):
        known = [*CUBIC_COEFFICIENTS, *_cubic_coefficients(evidence, scales)]
        yield onnx_words(list(dict.fromkeys(known)), scales=scales)


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

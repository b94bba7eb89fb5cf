"""One axis of a resize: lengths, kernel and grid, and the exact matrix that they decide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from rewriter.errors import UnsupportedError
from rewriter.resampling.axis_map import Arithmetic, AxisMap, check_lengths
from rewriter.resampling.coordinates import COORDINATES, CROPPING, Grid, source_coordinates
from rewriter.resampling.kernels import ROUNDINGS, Row, kernel_row, nearest_row

__all__ = ["Arithmetic", "AxisResize", "KERNELS"]

KERNELS = ("nearest", "linear", "cubic")
LARGEST_WORK = 2**17
"""Weights of one axis that are computed as fractions: 43,690 pixels for a plain linear resize, in about a second."""


@dataclass(frozen=True)
class AxisResize(AxisMap):
    """A resize of one axis: the linear map y = M x with M of shape [n_out, n_in].

    Attributes:
        n_in: input length, at least 1.
        n_out: output length, at least 1.
        kernel: ``nearest``, ``linear`` or ``cubic``.
        coordinates: a key of `rewriter.resampling.coordinates.COORDINATES`.
        rounding: which pixel ``nearest`` takes at a coordinate; without meaning for the other kernels.
        scale: the scale in the coordinate formula; None means n_out / n_in.
        cubic_a: coefficient of the cubic kernel.
        exclude_outside: drop taps outside the input and renormalise (cubic and antialias).
        antialias: stretch the kernel when downscaling.
        roi: start and end of the region as fractions of the axis (``tf_crop_and_resize`` only).
        documented_only, assumption: as in `AxisMap`; two resizes that differ in nothing else are equal.
    """

    n_in: int
    n_out: int
    kernel: str = "linear"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    scale: Fraction | None = None
    cubic_a: Fraction = Fraction(-3, 4)
    exclude_outside: bool = False
    antialias: bool = False
    roi: tuple[Fraction, Fraction] = (Fraction(0), Fraction(1))
    documented_only: bool = field(default=False, compare=False)
    assumption: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_lengths(self.n_in, self.n_out)
        if self.kernel not in KERNELS:
            raise UnsupportedError(f"unknown resize mode '{self.kernel}'")
        if self.coordinates not in COORDINATES:
            raise UnsupportedError(f"unknown coordinate transformation mode '{self.coordinates}'")
        if self.rounding not in ROUNDINGS:
            raise UnsupportedError(f"unknown nearest mode '{self.rounding}'")
        if self.scale is not None and self.scale <= 0:
            raise UnsupportedError(f"a resize scale must be positive, not {float(self.scale)}")
        work = max(self.n_in, math.ceil(self.n_out * (2 * self.stretch + 1)))
        if self.n_in != self.n_out and work > LARGEST_WORK:
            raise UnsupportedError(
                f"an axis of {self.n_in} → {self.n_out} pixels is longer than what is compared exactly "
                f"({LARGEST_WORK} weights)"
            )

    @classmethod
    def identity(cls, length: int) -> AxisResize:
        """An axis that is left alone."""
        return cls(length, length, "nearest", "asymmetric", "floor")

    @property
    def effective_scale(self) -> Fraction:
        """The scale that the coordinate formula uses."""
        return Fraction(self.n_out, self.n_in) if self.scale is None else self.scale

    @property
    def stretch(self) -> Fraction:
        """How much wider than at scale 1 the kernel is: 1 unless antialias and downscaling."""
        scale = self.effective_scale
        return 1 / scale if self.antialias and scale < 1 else Fraction(1)

    def source_coordinates(self) -> list[Fraction]:
        """Where each output pixel samples, in input pixels, before clamping; length n_out."""
        return source_coordinates(
            self.coordinates, Grid(self.n_in, self.n_out, self.effective_scale, self.roi)
        )

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The matrix, exact and sparse: per output pixel its (input index, weight) pairs.

        A row is empty where ``tf_crop_and_resize`` samples outside the input: the output is then the node's
        extrapolation value.
        """
        return tuple(self._row(x) for x in self.source_coordinates())

    def _row(self, x: Fraction) -> Row:
        if self.coordinates in CROPPING and not 0 <= x <= self.n_in - 1:
            return ()
        if self.kernel == "nearest":
            return nearest_row(x, self.n_in, self.rounding)
        return kernel_row(
            x,
            self.n_in,
            self.kernel,
            cubic_a=self.cubic_a,
            exclude_outside=self.exclude_outside,
            stretch=self.stretch,
        )

    @cached_property
    def is_identity(self) -> bool:
        """Whether the output equals the input for every input."""
        if self.n_in != self.n_out:
            return False
        # The usual spelling of an axis that is left alone: long channel axes need no rows to see that.
        if (self.kernel, self.coordinates, self.rounding, self.scale) == (
            "nearest",
            "asymmetric",
            "floor",
            None,
        ):
            return True
        return all(row == ((i, Fraction(1)),) for i, row in enumerate(self.rows))

    @cached_property
    def extrapolates(self) -> bool:
        """Whether any output pixel is the extrapolation value (an empty row)."""
        return self.coordinates in CROPPING and not all(self.rows)

    @property
    def sees_background(self) -> bool:
        """Whether any output pixel takes weight from around the input: never, rows sum to 1."""
        return False

    @property
    def _copies(self) -> bool:
        return self.kernel == "nearest"

    def to_json(self) -> dict[str, Any]:
        """The semantics as plain data: numbers as decimal strings or fractions, so that nothing is rounded."""
        return {
            "mode": self.kernel,
            "coordinates": self.coordinates,
            "rounding": self.rounding,
            "scale": None if self.scale is None else str(self.scale),
            "cubic_a": str(self.cubic_a),
            "exclude_outside": self.exclude_outside,
            "antialias": self.antialias,
            "roi": [str(edge) for edge in self.roi],
        }

    def describe(self) -> str:
        """The semantics in ONNX words, e.g. ``linear align_corners`` or ``nearest asymmetric floor``."""
        words = [self.kernel, self.coordinates]
        if self.kernel == "nearest":
            words.append(self.rounding)
        if self.kernel == "cubic":
            words.append(f"a={float(self.cubic_a):g}")
        if self.antialias:
            words.append("antialias")
        if self.exclude_outside and (self.kernel == "cubic" or self.antialias):
            words.append("exclude_outside")
        return " ".join(words)

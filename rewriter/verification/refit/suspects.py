"""The resizes of a candidate, and every other way each of them might have been meant.

A spelling is one choice of resize attributes. Two spellings whose matrices are equal at the resize's lengths are the
same choice, so only those that differ are ever tried.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisResize, Comparison, TensorResize, compare
from rewriter.resampling.tensorflow import TF_RESIZES, onnx_attributes

__all__ = ["REACHES", "Reach", "Spelling", "Suspect", "axis_matrix", "recorded_spelling", "same_meaning"]

Reach = Literal["coordinates", "usual", "kernel", "any"]
"""How far from what a resize computes now: ``coordinates`` changes the coordinate mode alone, ``usual`` also the
rounding as frameworks do, ``kernel`` all but nearest, linear or cubic may change, ``any`` that too."""

REACHES: tuple[Reach, ...] = ("coordinates", "usual", "kernel", "any")


@dataclass(frozen=True)
class Spelling:
    """Attributes of a Resize that decide what it samples, in ONNX words."""

    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0
    antialias: int = 0

    def axis(self, own: AxisResize) -> AxisResize:
        """An axis of the same lengths and scale, spelled this way."""
        return replace(
            own,
            kernel=self.mode,
            coordinates=self.coordinate_transformation_mode,
            rounding=self.nearest_mode,
            cubic_a=Fraction(self.cubic_coeff_a),
            exclude_outside=bool(self.exclude_outside),
            antialias=bool(self.antialias),
            roi=(Fraction(0), Fraction(1)),
        )

    def describe(self) -> str:
        words = [self.mode, self.coordinate_transformation_mode]
        if self.mode == "nearest":
            words.append(self.nearest_mode)
        if self.mode == "cubic":
            words.append(f"a={self.cubic_coeff_a:g}")
            words += ["exclude_outside"] if self.exclude_outside else []
        words += ["antialias"] if self.antialias else []
        return " ".join(words)


# Most likely first: what frameworks produce, then what mistakes produce.
_LINEAR = tuple(
    Spelling("linear", mode)
    for mode in ("align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn")
)
_NEAREST = (
    Spelling("nearest", "asymmetric", "floor"),
    Spelling("nearest", "half_pixel", "round_prefer_ceil"),
    Spelling("nearest", "half_pixel", "round_prefer_floor"),
    Spelling("nearest", "align_corners", "round_prefer_ceil"),
    *(
        Spelling("nearest", coordinates, rounding)
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn")
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ),
)
_NEAREST_HABITS = _NEAREST[:4]
"""What frameworks mean by nearest."""

_CUBIC = tuple(
    Spelling("cubic", coordinates, "round_prefer_floor", a, exclude)
    for a, exclude in ((-0.75, 0), (-0.5, 1), (-0.5, 0), (-0.75, 1))
    for coordinates in ("align_corners", "half_pixel", "asymmetric")
)
_COORDINATES = ("align_corners", "half_pixel", "asymmetric")
_BY_MODE = {"linear": _LINEAR, "nearest": _NEAREST, "cubic": _CUBIC}


@lru_cache(maxsize=512)
def axis_matrix(axis: AxisResize) -> np.ndarray:
    """The matrix of one axis, float32 [n_out, n_in]; callers must not write into it."""
    return axis.matrix("float32")


@dataclass(eq=False)
class Suspect:
    """One resize of the candidate.

    Attributes:
        name: the node's name, or that of its first output.
        own: what it computes, by case (lengths may differ between cases).
        recorded: what the TensorFlow op behind it says; None where nothing is recorded.
        engine: the matrix of an axis as the engine that runs the candidate computes it.
        tensor: name of the tensor that it makes, where the format names tensors.
    """

    name: str
    own: dict[str, TensorResize]
    recorded: Spelling | None = None
    engine: Callable[[AxisResize], np.ndarray] = axis_matrix
    tensor: str | None = None
    _known: dict[tuple[str, Reach], list[Spelling]] = field(default_factory=dict, repr=False)
    _keys: dict[tuple[str, Spelling | None], Hashable] = field(default_factory=dict, repr=False)

    def mode(self, case: str) -> str:
        """The kernel: ``nearest``, ``linear`` or ``cubic``."""
        resized = [axis for axis in self.own[case].axes if axis.n_in != axis.n_out]
        return resized[0].kernel if resized else "nearest"

    def describe(self, case: str) -> str:
        """What it computes, in words."""
        return self.own[case].describe()

    def spelling(self, case: str) -> Spelling | None:
        """What it computes as attributes; None where no axis is resized, or axes differ."""
        resized = [axis for axis in self.own[case].axes if axis.n_in != axis.n_out]
        spellings = {_spelled(axis, axis.coordinates) for axis in resized}
        return spellings.pop() if len(spellings) == 1 else None

    def meaning(self, spelling: Spelling | None, case: str) -> TensorResize:
        """What it would compute when spelled that way; what it computes now for None."""
        own = self.own[case]
        if spelling is None:
            return own
        axes = tuple(spelling.axis(axis) if axis.n_in != axis.n_out else _copied(axis) for axis in own.axes)
        return TensorResize(axes, own.extrapolation_value)

    def compare(self, wanted: Spelling, case: str) -> Comparison:
        """What it computes now against `wanted`."""
        return compare(self.meaning(wanted, case), self.own[case])

    def alternatives(self, case: str, reach: Reach) -> list[Spelling]:
        """Spellings within reach that compute something else, and no two the same; likely ones first."""
        key = (case, reach)
        if key not in self._known:
            self._known[key] = list(self._differing(case, reach))
        return self._known[key]

    def _differing(self, case: str, reach: Reach) -> Iterator[Spelling]:
        seen = {self._key(None, case)}
        for spelling in self._spellings(case, reach):
            key = self._key(spelling, case)
            if key not in seen:
                seen.add(key)
                yield spelling

    def _spellings(self, case: str, reach: Reach) -> Iterator[Spelling]:
        own_mode = self.mode(case)
        if self.recorded is not None and (self.recorded.mode == own_mode or reach == "any"):
            yield self.recorded
        own = next((axis for axis in self.own[case].axes if axis.n_in != axis.n_out), None)
        if own is not None:
            yield from (_spelled(own, coordinates) for coordinates in _COORDINATES)
        if own_mode == "nearest" and reach != "coordinates":
            yield from _NEAREST_HABITS
        if reach in ("kernel", "any"):
            yield from _BY_MODE[own_mode]
        if reach == "any":
            yield from (s for mode, spellings in _BY_MODE.items() if mode != own_mode for s in spellings)

    def equivalents(self, spelling: Spelling | None, case: str) -> list[Spelling]:
        """The usual spellings that compute the same as one (None: as it is), whatever they are called."""
        usual = dict.fromkeys(self._spellings(case, "usual"))
        return [other for other in usual if self.is_same(other, spelling, case)]

    def is_same(self, a: Spelling | None, b: Spelling | None, case: str) -> bool:
        """Whether two spellings (None: as it is) compute the same, on the engine that runs it."""
        return self._key(a, case) == self._key(b, case)

    def _key(self, spelling: Spelling | None, case: str) -> Hashable:
        known = (case, spelling)
        if known not in self._keys:
            meaning = self.meaning(spelling, case)
            self._keys[known] = (
                _key(meaning),
                tuple(_deviation(axis, self.engine) for axis in meaning.axes if axis.kernel == "nearest"),
            )
        return self._keys[known]

    def contradicts(self, spelling: Spelling, case: str) -> bool:
        """Whether `spelling` computes something else than it does now."""
        return not same_meaning(self.meaning(spelling, case), self.own[case])


def same_meaning(a: TensorResize, b: TensorResize) -> bool:
    """Whether two resizes of the same shapes are the same map, exactly."""
    return _key(a) == _key(b)


def recorded_spelling(record: object) -> Spelling | None:
    """What a provenance record (a mapping or JSON text) of one node says; None where it says nothing usable."""
    if isinstance(record, str):
        try:
            record = json.loads(record)
        except ValueError:
            return None
    if not isinstance(record, Mapping) or record.get("op") not in TF_RESIZES:
        return None
    flags = [bool(record.get(key, False)) for key in ("align_corners", "half_pixel_centers")]
    try:
        words: dict[str, Any] = onnx_attributes(str(record["op"]), *flags)
    except UnsupportedError:
        return None
    return Spelling(**words)


@lru_cache(maxsize=4096)
def _rows(axis: AxisResize) -> tuple[Any, ...]:
    return axis.rows


def _key(resize: TensorResize) -> Hashable:
    """Equal for two resizes exactly when they are the same map: the rows are exact and in normal form."""
    rows = tuple(None if axis == _copied(axis) or axis.is_identity else _rows(axis) for axis in resize.axes)
    return rows, resize.extrapolation_value if resize.extrapolates else None


def _copied(axis: AxisResize) -> AxisResize:
    return AxisResize(axis.n_in, axis.n_in, "nearest", "asymmetric", "floor")


def _deviation(axis: AxisResize, engine: Callable[[AxisResize], np.ndarray]) -> bytes | None:
    """The pixels that an engine takes, where they are not the exact ones."""
    if engine is axis_matrix or axis == _copied(axis):
        return None
    matrix = engine(axis)
    return None if np.array_equal(matrix, axis_matrix(axis)) else matrix.argmax(axis=1).tobytes()


def _spelled(own: AxisResize, coordinates: str) -> Spelling:
    """The spelling of an axis with other coordinates."""
    return Spelling(
        own.kernel,
        coordinates,
        own.rounding if own.kernel == "nearest" else "round_prefer_floor",
        float(own.cubic_a) if own.kernel == "cubic" else -0.75,
        int(own.exclude_outside),
        int(own.antialias),
    )

"""ONNX's words: every combination of Resize attributes that decides weights, and Upsample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.kernels import ROUNDINGS
from rewriter.resampling.vocabulary.word import Build, Rois, Word, roi_of, spelled_roi

__all__ = ["CUBIC_COEFFICIENTS", "onnx_crops", "onnx_words"]

CUBIC_COEFFICIENTS = (Fraction(-3, 4), Fraction(-1, 2))
_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
)
_NOTES = {
    "tf_half_pixel_for_nn": "in the standard up to opset 12 only",
    "half_pixel_symmetric": "from opset 19",
}


def onnx_words(
    cubic_coefficients: Iterable[Fraction] = CUBIC_COEFFICIENTS,
    scales: Mapping[int, Fraction] | None = None,
) -> list[Word]:
    """Resize in every mode except tf_crop_and_resize.

    Args:
        cubic_coefficients: values of cubic_coeff_a to consider.
        scales: the scale that the coordinate formula uses, by tensor axis; by default output / input length.
    """
    coefficients = tuple(cubic_coefficients)
    words = []
    for coordinates in _COORDINATES:
        for options in _options(coefficients):
            words.append(_resize(coordinates, options, scales))
    if scales is None:
        words += [_upsample("nearest"), _upsample("linear")]
    return words


def onnx_crops(
    rois: Rois | None = None,
    cubic_coefficients: Iterable[Fraction] = CUBIC_COEFFICIENTS,
    scales: Mapping[int, Fraction] | None = None,
) -> list[Word]:
    """Resize with tf_crop_and_resize, by default of the whole image."""
    words = []
    for options in _options(tuple(cubic_coefficients)):
        arguments = [
            ("mode", options["mode"]),
            ("coordinate_transformation_mode", "tf_crop_and_resize"),
            *_spelled(options),
            ("roi", spelled_roi(rois)),
        ]
        if scales is not None and options.get("antialias"):
            arguments.append(_spelled_scales(scales))
        build = _builder("tf_crop_and_resize", options, scales, rois)
        words.append(Word("onnx", "Resize", tuple(arguments), build, note="roi of the resized axes"))
    return words


def _options(coefficients: tuple[Fraction, ...]) -> list[dict[str, Any]]:
    """Kernel options that differ in meaning."""
    nearest = [{"mode": "nearest", "rounding": rounding} for rounding in ROUNDINGS]
    linear: list[dict[str, Any]] = [{"mode": "linear"}]
    cubic: list[dict[str, Any]] = []
    for exclude in (False, True):
        linear.append({"mode": "linear", "antialias": True, "exclude_outside": exclude})
        for a in coefficients:
            for antialias in (False, True):
                cubic.append(
                    {"mode": "cubic", "cubic_a": a, "exclude_outside": exclude, "antialias": antialias}
                )
    return [*nearest, *linear, *cubic]


def _spelled(options: dict[str, Any]) -> list[tuple[str, Any]]:
    spelled: list[tuple[str, Any]] = []
    if "rounding" in options:
        spelled.append(("nearest_mode", options["rounding"]))
    if "cubic_a" in options:
        spelled.append(("cubic_coeff_a", round(float(options["cubic_a"]), 6)))
    for name in ("exclude_outside", "antialias"):
        if (options["mode"] == "cubic" and name == "exclude_outside") or options.get(name):
            spelled.append((name, int(bool(options.get(name)))))
    return spelled


def _resize(coordinates: str, options: dict[str, Any], scales: Mapping[int, Fraction] | None) -> Word:
    arguments = [
        ("mode", options["mode"]),
        ("coordinate_transformation_mode", coordinates),
        *_spelled(options),
    ]
    if scales is not None:
        arguments.append(_spelled_scales(scales))
    notes = [_NOTES.get(coordinates, ""), "from opset 18" if options.get("antialias") else ""]
    return Word(
        "onnx",
        "Resize",
        tuple(arguments),
        _builder(coordinates, options, scales),
        note=", ".join(note for note in notes if note),
    )


def _spelled_scales(scales: Mapping[int, Fraction]) -> tuple[str, Any]:
    return "scales", tuple(round(float(scales[axis]), 7) for axis in sorted(scales))


def _builder(
    coordinates: str,
    options: dict[str, Any],
    scales: Mapping[int, Fraction] | None,
    rois: Rois | None = None,
) -> Build:
    def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        scale = None if scales is None else scales.get(axis)
        return AxisResize(
            n_in,
            n_out,
            options["mode"],
            coordinates,
            options.get("rounding", "round_prefer_floor"),
            scale=None if scale is None or scale * n_in == n_out else scale,
            cubic_a=options.get("cubic_a", Fraction(-3, 4)),
            exclude_outside=bool(options.get("exclude_outside")),
            antialias=bool(options.get("antialias")),
            roi=roi_of(rois, axis),
        )

    return build


def _upsample(mode: str) -> Word:
    def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        rounding = "floor" if n_out >= n_in else "ceil"
        return AxisResize(n_in, n_out, mode, "asymmetric", rounding)

    note = "opset 7 to 9; Resize of opset 10 likewise"
    return Word("onnx", "Upsample", (("mode", mode),), build, note=note)

"""Apple's words that are known from documentation and expected values only: MIL's newer ops, layers, Metal."""

from __future__ import annotations

from collections.abc import Callable

from rewriter.resampling import coreml_words, metal
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.vocabulary.word import Build, Word

__all__ = ["documented_coreml_words", "metal_words"]

_SAMPLING_MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS")
_LAYER_MODES = ("STRICT_ALIGN_ENDPOINTS_MODE", "ALIGN_ENDPOINTS_MODE", "UPSAMPLE_MODE", "ROI_ALIGN_MODE")
_ROUNDINGS = ("roundPreferCeil", "roundPreferFloor", "ceil", "floor")
_EXPECTED = "fractional factors as coremltools' expected values say"
_DOCUMENTED = "as documented; not run here"

Lengths = Callable[[int, int], AxisMap]


def documented_coreml_words() -> list[Word]:
    """`resize_nearest_neighbor`, iOS 17's `resize`, and the neuralnetwork layers."""
    nearest = _of(coreml_words.resize_nearest_neighbor)
    words = [Word("coreml", "resize_nearest_neighbor", (), nearest, note=_EXPECTED)]
    for interpolation in ("LINEAR", "NEAREST_NEIGHBOR"):
        for sampling in _SAMPLING_MODES:
            arguments = (("interpolation_mode", interpolation), ("sampling_mode", sampling))
            words.append(Word("coreml", "resize", arguments, _resize(*arguments), note="iOS17 and later"))
    for mode in _LAYER_MODES:
        words.append(
            Word("coreml", "resizeBilinear layer", (("mode", mode),), _layer(mode), note="neuralnetwork")
        )
    return words


def metal_words() -> list[Word]:
    """MPSGraph's resize and the MPS kernels whose grid is documented."""
    words = []
    for flags in ((False, False), (True, False), (False, True)):
        named = (("centerResult", flags[0]), ("alignCorners", flags[1]))
        words.append(_graph((("mode", "bilinear"), *named), "bilinear", flags, "roundPreferCeil"))
        for rounding in _ROUNDINGS:
            arguments = (("mode", "nearest"), *named, ("nearestRoundingMode", rounding))
            words.append(_graph(arguments, "nearest", flags, rounding))
    aligned = (("alignCorners", True),)
    repeat = _whole(metal.mps_cnn_upsampling_nearest)
    words += [
        Word("metal", "MPSImageBilinearScale", (), _of(metal.mps_image_bilinear_scale), note=_DOCUMENTED),
        Word("metal", "MPSNNResizeBilinear", aligned, _of(_resize_aligned), note=_DOCUMENTED),
        Word("metal", "MPSCNNUpsamplingBilinear", aligned, _whole(_upsampling_aligned), note=_DOCUMENTED),
        Word("metal", "MPSCNNUpsamplingNearest", (), repeat, note=_DOCUMENTED),
    ]
    return words


def _of(lengths: Lengths) -> Build:
    return lambda n, m, axis: lengths(n, m)


def _whole(by_factor: Lengths) -> Build:
    return lambda n, m, axis: by_factor(n, m // n) if m % n == 0 else None


def _resize(interpolation: tuple[str, str], sampling: tuple[str, str]) -> Build:
    return lambda n, m, axis: coreml_words.resize(n, m, interpolation[1], sampling[1])


def _layer(mode: str) -> Build:
    return lambda n, m, axis: coreml_words.resize_bilinear_layer(n, m, mode)


def _graph(
    arguments: tuple[tuple[str, object], ...], mode: str, flags: tuple[bool, bool], rounding: str
) -> Word:
    def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        return metal.mps_graph_resize(n_in, n_out, mode, flags[0], flags[1], rounding)

    return Word("metal", "MPSGraph.resize", arguments, build, note=_DOCUMENTED)


def _resize_aligned(n_in: int, n_out: int) -> AxisMap:
    return metal.mps_nn_resize_bilinear(n_in, n_out, align_corners=True)


def _upsampling_aligned(n_in: int, factor: int) -> AxisMap:
    return metal.mps_cnn_upsampling_bilinear(n_in, factor, align_corners=True)

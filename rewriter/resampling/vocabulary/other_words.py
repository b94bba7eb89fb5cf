"""Core ML's and PyTorch's words."""

from __future__ import annotations

from fractions import Fraction

from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.coreml import resize_bilinear, upsample_nearest_neighbor
from rewriter.resampling.vocabulary.word import Build, Rois, Word, roi_of, spelled_roi

__all__ = ["coreml_crops", "coreml_words", "pytorch_words"]

_SAMPLING_MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS")
_DOCUMENTED = "as documented; not run here"


def coreml_words() -> list[Word]:
    """MIL's resize_bilinear, upsample_bilinear and upsample_nearest_neighbor."""
    words = [
        Word("coreml", "resize_bilinear", (("sampling_mode", mode),), _sampling(mode))
        for mode in _SAMPLING_MODES
    ]
    for align_corners, centred, grid in (
        (True, False, "align_corners"),
        (False, True, "half_pixel"),
        (False, False, "asymmetric"),
    ):
        arguments = (("align_corners", align_corners), ("half_pixel_centers", centred))
        note = "iOS17 and later" if grid == "asymmetric" else ""
        words.append(Word("coreml", "upsample_bilinear", arguments, _linear(grid), note=note))

    def repeat(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        return upsample_nearest_neighbor(n_in, n_out // n_in) if n_out % n_in == 0 else None

    words.append(Word("coreml", "upsample_nearest_neighbor", (), repeat, note="whole factors"))
    return words


def coreml_crops(rois: Rois | None = None) -> list[Word]:
    """MIL's crop_resize of one box, by default of the whole image."""
    arguments = (
        ("sampling_mode", "ALIGN_CORNERS"),
        ("normalized_coordinates", True),
        ("box", spelled_roi(rois)),
    )

    def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
        return AxisResize(n_in, n_out, "linear", "tf_crop_and_resize", roi=roi_of(rois, axis))

    return [Word("coreml", "crop_resize", arguments, build, note="another pad_value than 0 from iOS16")]


def pytorch_words() -> list[Word]:
    """`torch.nn.functional.interpolate`; antialias and bicubic as in PyTorch's documentation."""

    def cubic(grid: str) -> Build:
        return lambda n, m, axis: AxisResize(n, m, "cubic", grid, cubic_a=Fraction(-3, 4))

    def antialiased(kernel: str) -> Build:
        def build(n_in: int, n_out: int, axis: int) -> AxisMap | None:
            return AxisResize(
                n_in,
                n_out,
                kernel,
                "half_pixel",
                cubic_a=Fraction(-1, 2),
                exclude_outside=True,
                antialias=True,
            )

        return build

    def nearest(coordinates: str) -> Build:
        return lambda n, m, axis: AxisResize(n, m, "nearest", coordinates, "floor")

    entries: list[tuple[tuple[tuple[str, object], ...], Build]] = [
        ((("mode", "nearest"),), nearest("asymmetric")),
        ((("mode", "nearest-exact"),), nearest("tf_half_pixel_for_nn")),
        ((("mode", "bilinear"), ("align_corners", False)), _linear("half_pixel")),
        ((("mode", "bilinear"), ("align_corners", True)), _linear("align_corners")),
        ((("mode", "bicubic"), ("align_corners", False)), cubic("half_pixel")),
        ((("mode", "bicubic"), ("align_corners", True)), cubic("align_corners")),
        ((("mode", "bilinear"), ("antialias", True)), antialiased("linear")),
        ((("mode", "bicubic"), ("antialias", True)), antialiased("cubic")),
    ]
    return [
        Word("pytorch", "torch.nn.functional.interpolate", arguments, build, note=_DOCUMENTED)
        for arguments, build in entries
    ]


def _sampling(mode: str) -> Build:
    return lambda n, m, axis: resize_bilinear(n, m, mode)


def _linear(grid: str) -> Build:
    return lambda n, m, axis: AxisResize(n, m, "linear", grid)

"""Image inputs: pictures as a user holds them, turned into the planar tensor that the program takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import InputError, UnsupportedError
from rewriter.tensorspec import TensorSpec

__all__ = ["ImageFeature", "read_image"]

_CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1}


@dataclass(frozen=True)
class ImageFeature:
    """One image input. Scale and bias are operators of the program, so pixels arrive there as 0 to 255.

    Attributes:
        spec: its name, shape [H, W, 3] (or [H, W] for grayscale; None where flexible), uint8.
        bounds: smallest and largest height and width, -1 for no upper limit.
        choices: the only sizes that are allowed; empty where `bounds` decide.
        colors: the order in which the program takes the channels, ``"RGB"``, ``"BGR"`` or ``"GRAYSCALE"``.
    """

    spec: TensorSpec
    bounds: tuple[tuple[int, int], ...]
    choices: tuple[tuple[int, ...], ...]
    colors: str

    def checked(self, value: Any, path: Path) -> np.ndarray:
        """A picture as the program's tensor [1, C, H, W], float32.

        Args:
            value: a PIL image, or an array [H, W, 3] in RGB order ([H, W] for grayscale), 0 to 255.
            path: named in error messages.

        Raises:
            InputError: missing, or not a picture of this size and kind.
        """
        name = self.spec.name
        if value is None:
            raise InputError(f"input '{name}' is missing", file=path)
        pixels = np.asarray(value)
        if pixels.dtype.kind not in "fiu" or pixels.ndim != len(self.spec.shape) or not self._fits(pixels):
            raise InputError(
                f"input '{name}' is {pixels.dtype} {list(pixels.shape)}, and the model wants a picture "
                f"{self._wanted()} of values from 0 to 255",
                file=path,
            )
        if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
            raise InputError(f"input '{name}' has values outside of 0 to 255", file=path)
        if self.colors == "GRAYSCALE":
            return pixels[None, None].astype(np.float32)
        ordered = pixels[..., ::-1] if self.colors == "BGR" else pixels
        return np.ascontiguousarray(ordered.transpose(2, 0, 1)[None], np.float32)

    def _fits(self, pixels: np.ndarray) -> bool:
        if pixels.shape[2:] != self.spec.shape[2:]:
            return False
        if self.choices:
            return pixels.shape[:2] in self.choices
        return all(
            low <= length and (length <= high or high == -1)
            for length, (low, high) in zip(pixels.shape[:2], self.bounds, strict=True)
        )

    def _wanted(self) -> str:
        if self.choices:
            sizes = " or ".join(f"{height} x {width}" for height, width in self.choices)
        else:
            sizes = " x ".join(
                str(low) if low == high else f"{low}..{'' if high == -1 else high}"
                for low, high in self.bounds
            )
        return f"{sizes} x 3" if len(self.spec.shape) == 3 else sizes


def read_image(feature: Any, path: Path) -> ImageFeature:
    """The image input that a feature of the model's description declares.

    Raises:
        UnsupportedError: a colour space other than RGB, BGR and 8-bit grayscale.
    """
    image = feature.type.imageType
    colors = image.ColorSpace.Name(image.colorSpace)
    if colors not in _CHANNELS:
        raise UnsupportedError(
            f"images in colour space {colors} are not simulated ('{feature.name}')", file=path
        )
    flexibility = image.WhichOneof("SizeFlexibility")
    bounds: tuple[tuple[int, int], ...] = ((image.height, image.height), (image.width, image.width))
    choices: tuple[tuple[int, ...], ...] = ()
    if flexibility == "imageSizeRange":
        ranges = image.imageSizeRange
        bounds = tuple(
            (int(limit.lowerBound), int(limit.upperBound))
            for limit in (ranges.heightRange, ranges.widthRange)
        )
    elif flexibility == "enumeratedSizes":
        choices = tuple((int(size.height), int(size.width)) for size in image.enumeratedSizes.sizes)
        bounds = tuple((min(lengths), max(lengths)) for lengths in zip(*choices, strict=True))
    size = tuple(int(low) if low == high else None for low, high in bounds)
    shape = (*size, 3) if _CHANNELS[colors] == 3 else size
    return ImageFeature(TensorSpec(feature.name, shape, np.dtype(np.uint8)), bounds, choices, colors)

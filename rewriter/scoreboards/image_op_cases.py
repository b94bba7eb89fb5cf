"""The matrix of TensorFlow's image ops: every op with its options, on every element type, layout and size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["DTYPES", "LAYOUTS", "METHODS", "SIZES", "Case", "Size", "cases"]

Op = Callable[[Any, tuple[int, int]], Any]
"""(images, target height and width) → result; the target may be tensors."""

DTYPES = ("float32", "uint8", "int32", "float16", "float64")
LAYOUTS = ("static", "open", "computed")
"""`static`: all lengths known. `open`: batch, height and width not known, the target a constant. `computed`: the
same, and the target computed from the input's shape."""
METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
_V1 = ("bilinear", "nearest_neighbor", "bicubic")
_KERAS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5")
_FLAGS: tuple[dict[str, bool], ...] = ({}, {"align_corners": True}, {"half_pixel_centers": True})
_BOXES = ((0.1, 0.2, 0.8, 1.0), (-0.25, 0.0, 1.25, 0.9), (0.9, 0.8, 0.1, 0.2), (0.0, 0.0, 1.0, 1.0))
_BOX_INDEX = (0, 1, 1, 0)


@dataclass(frozen=True)
class Size:
    """A change of size: input and target, each height and width."""

    name: str
    image: tuple[int, int]
    target: tuple[int, int]


SIZES = (
    Size("up", (8, 6), (16, 12)),
    Size("down", (12, 16), (6, 8)),
    Size("odd", (7, 11), (31, 5)),
    Size("to 1×1", (9, 6), (1, 1)),
    Size("one side", (10, 7), (10, 13)),
)


@dataclass(frozen=True)
class Case:
    """One cell of the matrix.

    Attributes:
        family: API, e.g. ``tf.image.resize``.
        options: method and flags in words.
        dtype, layout, size: members of `DTYPES`, `LAYOUTS`, `SIZES`.
        op: calls it.
        bicubic: whether TensorFlow's kernel rounds its weights to a table of 1,024 entries.
        layer: whether a Keras layer fixes the size, so that none can be computed.
    """

    family: str
    options: str
    dtype: str
    layout: str
    size: Size
    op: Op
    bicubic: bool = False
    layer: bool = False

    @property
    def name(self) -> str:
        return f"{self.family} {self.options}, {self.dtype}, {self.layout}, {self.size.name}"


def cases() -> Iterator[Case]:
    """The whole matrix, in a fixed order."""
    for family, options, op, bicubic, layer in _ops():
        for dtype, layout, size in itertools.product(DTYPES, LAYOUTS, SIZES):
            if not (layer and layout == "computed"):
                yield Case(family, options, dtype, layout, size, op, bicubic, layer)


def _ops() -> Iterator[tuple[str, str, Op, bool, bool]]:
    yield from _image_resize()
    yield from _image_resize_v1()
    yield from _crops()
    yield from _upsampling()
    yield from _resizing()


def _words(*flags: str, **chosen: Any) -> str:
    return " ".join([*flags, *(name for name, value in chosen.items() if value)])


def _image_resize() -> Iterator[tuple[str, str, Op, bool, bool]]:
    def op(method: str, antialias: bool, preserve: bool) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import tensorflow as tf

            return tf.image.resize(
                x, size, method=method, antialias=antialias, preserve_aspect_ratio=preserve
            )

        return call

    for method, antialias, preserve in itertools.product(METHODS, (False, True), (False, True)):
        words = _words(method, antialias=antialias, preserve_aspect_ratio=preserve)
        bicubic = method == "bicubic" and not antialias
        yield "tf.image.resize", words, op(method, antialias, preserve), bicubic, False


def _image_resize_v1() -> Iterator[tuple[str, str, Op, bool, bool]]:
    def op(method: str, flags: dict[str, bool]) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import tensorflow as tf

            return getattr(tf.compat.v1.image, f"resize_{method}")(x, size, **flags)

        return call

    def general(method: str, align_corners: bool) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import tensorflow as tf

            return tf.compat.v1.image.resize(x, size, method=method, align_corners=align_corners)

        return call

    for method, flags in [
        *itertools.product(_V1, _FLAGS),
        *(("area", flags) for flags in _FLAGS[:2]),
    ]:
        words = _words(**flags) or "default"
        yield f"tf.compat.v1.image.resize_{method}", words, op(method, flags), method == "bicubic", False
    for method, align_corners in itertools.product(METHODS[:4], (False, True)):
        words = _words(method, align_corners=align_corners)
        yield "tf.compat.v1.image.resize", words, general(method, align_corners), method == "bicubic", False


def _crops() -> Iterator[tuple[str, str, Op, bool, bool]]:
    def op(method: str, at_run_time: bool) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import tensorflow as tf

            boxes = tf.constant(_BOXES, tf.float32)
            if at_run_time:  # a factor of 1 that no constant folding can see
                boxes = boxes * (tf.cast(tf.shape(x)[0], tf.float32) / 2.0)
            return tf.image.crop_and_resize(
                x, boxes, _BOX_INDEX, size, method=method, extrapolation_value=0.75
            )

        return call

    for method, at_run_time in itertools.product(("bilinear", "nearest"), (False, True)):
        words = _words(method, **{"boxes at run time": at_run_time})
        yield "tf.image.crop_and_resize", words, op(method, at_run_time), False, False


def _upsampling() -> Iterator[tuple[str, str, Op, bool, bool]]:
    def op(interpolation: str, factor: tuple[int, int]) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import keras

            return keras.layers.UpSampling2D(factor, interpolation=interpolation, dtype=x.dtype.name)(x)

        return call

    def along(rank: int) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import keras
            import tensorflow as tf

            if rank == 1:
                return keras.layers.UpSampling1D(3, dtype=x.dtype.name)(x[:, 0])
            volume = tf.stack([x, x[:, ::-1]], axis=1)
            return keras.layers.UpSampling3D((2, 3, 1), dtype=x.dtype.name)(volume)

        return call

    for interpolation, factor in itertools.product(_KERAS, ((2, 2), (3, 1))):
        words = f"{interpolation} {factor[0]}×{factor[1]}"
        yield "UpSampling2D", words, op(interpolation, factor), interpolation == "bicubic", True
    yield "UpSampling1D", "nearest 3", along(1), False, True
    yield "UpSampling3D", "nearest 2×3×1", along(3), False, True


def _resizing() -> Iterator[tuple[str, str, Op, bool, bool]]:
    def op(interpolation: str, antialias: bool, fit: str) -> Op:
        def call(x: Any, size: tuple[int, int]) -> Any:
            import keras

            fitted: dict[str, Any] = {fit: True} if fit else {}
            if fit.startswith("pad"):  # Keras multiplies it with ones of the images' type
                fitted["fill_value"] = 0.5 if x.dtype.is_floating else 7
            layer = keras.layers.Resizing(
                *size, interpolation=interpolation, antialias=antialias, dtype=x.dtype.name, **fitted
            )
            return layer(x)

        return call

    for interpolation, antialias, fit in itertools.product(
        _KERAS, (False, True), ("", "crop_to_aspect_ratio", "pad_to_aspect_ratio")
    ):
        words = " ".join(filter(None, (_words(interpolation, antialias=antialias), fit)))
        bicubic = interpolation == "bicubic" and not antialias
        yield "Resizing", words, op(interpolation, antialias, fit), bicubic, True

"""The Keras layer that upsamples with TensorFlow's align-corners kernels, as one op in every export."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from rewriter.errors import UsageError
from rewriter.tensorflow.environment import import_tensorflow

tf = import_tensorflow("to define Keras layers")
import keras  # noqa: E402

__all__ = ["AlignCornersUpsampling2D"]

_KERNELS = {
    "bilinear": tf.raw_ops.ResizeBilinear,
    "nearest": tf.raw_ops.ResizeNearestNeighbor,
    "bicubic": tf.raw_ops.ResizeBicubic,
}


@keras.saving.register_keras_serializable(package="rewriter")
class AlignCornersUpsampling2D(keras.layers.Layer):
    """Resize height and width so that the centres of the four corner pixels stay in place.

    Input [N, H, W, C], output [N, H', W', C] with H' = H × factor, or `size`. Output pixel i samples
    i (H−1)/(H'−1). The export to ONNX is exactly one Resize node.

    Args:
        factor: whole factor for both axes, or one per axis; ignored when `size` is given.
        size: output height and width in pixels.
        interpolation: ``bilinear``, ``nearest`` or ``bicubic``.

    Raises:
        UsageError: unknown interpolation, or a factor or size that is not one or two whole numbers from 1.
    """

    def __init__(
        self,
        factor: int | tuple[int, int] = 2,
        size: tuple[int, int] | None = None,
        interpolation: str = "bilinear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in _KERNELS:
            raise UsageError(
                f"unknown interpolation '{interpolation}'", remedy=f"use one of {', '.join(_KERNELS)}"
            )
        self.factor = _two_lengths("factor", (factor, factor) if isinstance(factor, Integral) else factor)
        self.size = None if size is None else _two_lengths("size", size)
        self.interpolation = interpolation
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Resize a tensor [N, H, W, C]; the result has the dtype that `output_dtype` says."""
        # The bilinear and bicubic kernels return float32 whatever comes in; float16 goes through it and back.
        floating = self.interpolation != "nearest"
        images = tf.cast(inputs, tf.float32) if floating and inputs.dtype != tf.float32 else inputs
        resized = _KERNELS[self.interpolation](
            images=images, size=self._target(inputs), align_corners=True, half_pixel_centers=False
        )
        dtype = self.output_dtype(inputs.dtype)
        return tf.cast(resized, dtype) if resized.dtype != dtype else resized

    def output_dtype(self, dtype: Any) -> str:
        """``nearest`` keeps the dtype; an average of whole numbers has the layer's compute dtype."""
        given = keras.backend.standardize_dtype(dtype)
        whole = self.interpolation != "nearest" and not keras.backend.is_float_dtype(given)
        return str(self.compute_dtype if whole else given)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Shape and dtype of the output."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype(inputs.dtype))

    def _target(self, inputs: Any) -> Any:
        if self.size is not None:
            return tf.constant(self.size, dtype=tf.int32)
        height, width = inputs.shape[1], inputs.shape[2]
        if height is not None and width is not None:
            return tf.constant((height * self.factor[0], width * self.factor[1]), dtype=tf.int32)
        return tf.shape(inputs)[1:3] * tf.constant(self.factor, dtype=tf.int32)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, H', W', C] for an input of shape [N, H, W, C]; None stays None."""
        if self.size is not None:
            return (input_shape[0], *self.size, input_shape[3])
        spatial = (None if n is None else n * f for n, f in zip(input_shape[1:3], self.factor, strict=True))
        return (input_shape[0], *spatial, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "factor": self.factor,
            "size": self.size,
            "interpolation": self.interpolation,
        }


def _two_lengths(what: str, values: Any) -> tuple[int, int]:
    """`values` as two Python integers; a saved layer brings them as a list."""
    whole = isinstance(values, Sequence) and all(_is_length(value) for value in values)
    if not whole or len(values) != 2:
        raise UsageError(
            f"{what} {values!r} cannot be used", remedy="give whole numbers from 1, for height and width"
        )
    return int(values[0]), int(values[1])


def _is_length(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0

"""Calling an unknown function: element types, amplitudes, batches, and what its answers are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewriter.errors import InputError

__all__ = ["Function", "NotAResizeError", "Prober", "RefusedError", "Signalling"]

Function = Callable[[np.ndarray], Any]
"""One array in, one array (or tensor, or list of one) out."""
_LARGEST_BATCH = 1 << 24
"""Elements per call, about 64 MB of float32."""


class NotAResizeError(Exception):
    """The function is not a resize; the message says why, as a clause."""


class RefusedError(Exception):
    """The function does not take this input shape; the message is what it said."""


@dataclass(frozen=True)
class Signalling:
    """How a signal in [-1, 1] is written in an element type, and how precisely the answer can be read.

    A signal s is fed as ``base + amplitude * s``. Integers sit in the middle of their range, so that kernels with
    negative weights neither clip nor wrap around.

    Attributes:
        dtype: element type that is fed.
        base, amplitude: as above, in units of the element type.
        error: largest error of a weight that rounding in this element type can cause.
    """

    dtype: np.dtype
    base: float
    amplitude: float
    error: float

    def representable(self, signal: np.ndarray, step: int = 1) -> np.ndarray:
        """The nearest signal that the element type holds exactly; integers are multiples of `step`."""
        if np.issubdtype(self.dtype, np.integer):
            return np.rint(signal * self.amplitude / step) * step / self.amplitude
        return signal.astype(self.dtype).astype(np.float64)

    @classmethod
    def of(cls, dtype: np.dtype) -> Signalling:
        """The signalling of an input element type.

        Raises:
            InputError: an element type that is not a number.
        """
        if dtype == np.bool_:
            return cls(dtype, 0.0, 1.0, 0.0)
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            if limits.bits >= 32:
                return cls(dtype, 0.0, float(1 << 20), 2.0 / (1 << 20))
            base = (int(limits.max) + 1 + int(limits.min)) // 2
            amplitude = float((int(limits.max) - int(limits.min)) // 3)
            return cls(dtype, float(base), amplitude, 2.5 / amplitude)
        if np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16":
            return cls(dtype, 0.0, 1.0, error_of(dtype))
        raise InputError(f"cannot feed elements of type {dtype}")


def error_of(dtype: np.dtype) -> float:
    """Error of one weight in a floating-point type: a few roundings of numbers up to 1.

    float64 counts as float32: every known kernel computes its coordinates in float32.
    """
    if dtype.name == "bfloat16":
        return 3e-2
    return 4e-3 if dtype == np.float16 else 2e-5


class Prober:
    """An unknown function at one input shape, fed with signals and read as float64."""

    def __init__(self, function: Function, shape: Sequence[int], dtype: Any = np.float32) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.signalling = Signalling.of(np.dtype(dtype))
        self.calls = 0
        self.output_dtype: np.dtype = self.signalling.dtype
        self._function = function
        self._batches = False
        self.output_shape = self.single(np.zeros(self.shape)).shape

    @property
    def weight_error(self) -> float:
        """Largest error of a recovered weight that the element types explain."""
        fed, read = self.signalling, self.output_dtype
        if np.issubdtype(fed.dtype, np.integer) and not np.issubdtype(read, np.integer):
            return error_of(read)
        return fed.error if np.issubdtype(fed.dtype, np.integer) else max(fed.error, error_of(read))

    def single(self, signal: np.ndarray) -> np.ndarray:
        """The answer to one signal, in units of the element type, float64."""
        return self._call(signal)

    def many(self, signals: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The answers to several signals, batched where the function allows it."""
        if not self._batches:
            return [self._call(signal) for signal in signals]
        largest = max(1, _LARGEST_BATCH // max(1, int(np.prod(self.shape)), int(np.prod(self.output_shape))))
        answers: list[np.ndarray] = []
        for start in range(0, len(signals), largest):
            chunk = signals[start : start + largest]
            stacked = self._call(np.concatenate(chunk, axis=0))
            if stacked.shape[0] != len(chunk):
                raise NotAResizeError(f"a batch of {len(chunk)} comes back as {stacked.shape[0]}")
            answers += [stacked[index : index + 1] for index in range(len(chunk))]
        return answers

    def try_batches(self, rng: np.random.Generator) -> None:
        """Find out whether signals can be stacked along the first axis.

        Raises:
            NotAResizeError: they can, but an image's values depend on its neighbours in the batch.
        """
        if self.shape[0] != 1 or self.output_shape[0] != 1 or len(self.shape) < 2:
            return
        # The second is the larger one: what normalises by the batch divides the first by something else.
        first, second = 0.3 * rng.uniform(-1, 1, self.shape), rng.uniform(-1, 1, self.shape)
        try:
            stacked = self._call(np.concatenate([first, second], axis=0))
        except RefusedError:
            return
        if stacked.shape != (2, *self.output_shape[1:]):
            return
        alone = self._call(first)
        limit = max(8 * self.weight_error, 1e-4) * self.signalling.amplitude * max(1.0, np.abs(alone).max())
        if np.abs(stacked[:1] - alone).max() > limit:
            raise NotAResizeError("an image's values depend on the other images of its batch")
        self._batches = True

    def _call(self, signal: np.ndarray) -> np.ndarray:
        self.calls += 1
        given = self.signalling
        fed = given.base + given.amplitude * signal
        if np.issubdtype(given.dtype, np.integer):
            fed = np.rint(fed)
        try:
            answer = self._function(np.ascontiguousarray(fed.astype(given.dtype)))
            while isinstance(answer, (list, tuple)) and len(answer) == 1:
                answer = answer[0]
            array = np.asarray(answer)
            result = array.astype(np.float64)
        except Exception as error:  # the function is anybody's, and so are the kinds of error that it raises
            raise RefusedError(_first_line(error)) from error
        self.output_dtype = array.dtype
        return result


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__

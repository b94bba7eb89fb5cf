"""What a kernel sees: one operator with its evaluated inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Call"]

Array = npt.NDArray[Any]

RunBlock = Callable[[Any, Sequence[Any]], list[Any]]


class Call:
    """One operator about to be evaluated.

    Args:
        operation: the MIL operation.
        values: its inputs by parameter name; parameters that were left out and have no default are missing.
        dtypes: element type of each output, None for one that is not a tensor.
        run_block: evaluates a nested block for given block inputs.
    """

    __slots__ = ("_values", "dtypes", "operation", "run_block")

    def __init__(
        self,
        operation: Any,
        values: Mapping[str, Any],
        dtypes: Sequence[np.dtype[Any] | None],
        run_block: RunBlock,
    ) -> None:
        self.operation = operation
        self.dtypes = dtypes
        self.run_block = run_block
        self._values = values

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the first output."""
        dtype = self.dtypes[0]
        assert dtype is not None
        return dtype

    def has(self, name: str) -> bool:
        """Whether the parameter was given or has a default."""
        return name in self._values

    def is_constant(self, name: str) -> bool:
        """Whether the program itself fixes the input; a call without an operation fixes nothing."""
        return self.operation is not None and self.operation.inputs[name].val is not None

    def value(self, name: str) -> Any:
        """The input as it is stored."""
        return self._values[name]

    def tensor(self, name: str) -> Array:
        """The input for arithmetic: float16 widened to float32, everything else as stored."""
        return widened(self._values[name])

    def stored(self, name: str) -> Array:
        """The input for moving data about: never widened."""
        return np.asarray(self._values[name])

    def tensors(self, name: str) -> list[Array]:
        """A tuple of tensors as they are stored."""
        return [np.asarray(value) for value in self._values[name]]

    def optional(self, name: str) -> Array | None:
        """`tensor`, or None where the parameter was left out."""
        return self.tensor(name) if name in self._values else None

    def number(self, name: str) -> float:
        """A scalar parameter as a float."""
        return float(np.asarray(self._values[name]).item())

    def integer(self, name: str) -> int:
        """A scalar parameter as an int."""
        return int(np.asarray(self._values[name]).item())

    def integers(self, name: str) -> tuple[int, ...]:
        """A vector parameter (or a scalar, as one entry) as ints."""
        return tuple(int(value) for value in np.asarray(self._values[name]).ravel())

    def flag(self, name: str) -> bool:
        """A bool parameter."""
        return bool(np.asarray(self._values[name]).item())

    def text(self, name: str) -> str:
        """A string parameter."""
        return str(self._values[name])


def widened(value: Any) -> Array:
    """`value` as an array, float16 as float32."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float16 else array

"""What the operators compute that exporters build sizes and scales from, on partly known small arrays.

Each entry follows the operator's text (onnx/docs/Operators.md) in the element type of its inputs: integers divide
towards zero, float32 stays float32. Where the text leaves something open (division by zero, a cast out of range, an
index outside) nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx

from passes.shapes.partial import LARGEST, Partial

__all__ = ["OPERATORS", "Arguments", "Operator"]


class Arguments:
    """The inputs and attributes of one node.

    Attributes:
        inputs: what is known of each input; None where nothing is, or where it is left out.
        attributes: plain attributes; a reference to a function's parameter makes the node unknown beforehand.
        count: number of outputs.
    """

    def __init__(
        self, inputs: Sequence[Partial | None], attributes: Mapping[str, Any], count: int = 1
    ) -> None:
        self.inputs = inputs
        self.attributes = attributes
        self.count = count

    def data(self, index: int = 0) -> Partial:
        """An input of which the shape is known.

        Raises:
            UnknownValueError: nothing is known of it.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise UnknownValueError
        return value

    def constant(self, index: int) -> np.ndarray:
        """An input that is known entirely."""
        array = self.data(index).array
        if array is None:
            raise UnknownValueError
        return array

    def integers(self, name: str, index: int) -> list[int] | None:
        """A list of integers that was an attribute first, and became an input; None where it is absent."""
        if name in self.attributes:
            return [int(entry) for entry in self.attributes[name]]
        if index >= len(self.inputs) or self.is_absent(index):
            return None
        return [int(entry) for entry in self.constant(index).ravel()]

    def is_absent(self, index: int) -> bool:
        return index >= len(self.inputs) or self.inputs[index] is ABSENT


class UnknownValueError(Exception):
    """What a node computes is not known."""


ABSENT = Partial(np.empty(0), np.empty(0, dtype=bool))
"""Stands for an optional input that is left out."""

Operator: TypeAlias = Callable[[Arguments], "Sequence[Partial]"]


def _moved(move: Callable[[Arguments, np.ndarray], np.ndarray]) -> Operator:
    """An operator that only moves entries of its first input."""

    def operator(arguments: Arguments) -> list[Partial]:
        data = arguments.data()
        return [Partial(move(arguments, data.values), move(arguments, data.known))]

    return operator


def _reshape(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    wanted = arguments.integers("shape", 1)
    if wanted is None:
        raise UnknownValueError
    if not arguments.attributes.get("allowzero", 0):
        if any(length == 0 and axis >= data.ndim for axis, length in enumerate(wanted)):
            raise UnknownValueError
        wanted = [data.shape[axis] if length == 0 else length for axis, length in enumerate(wanted)]
    return data.reshape(wanted)


def _squeeze(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    axes = arguments.integers("axes", 1)
    return np.squeeze(data, None if axes is None else tuple(axes))


def _unsqueeze(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    axes = arguments.integers("axes", 1)
    if axes is None:
        raise UnknownValueError
    return np.expand_dims(data, tuple(axes))


def _gather(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    return np.take(data, arguments.constant(1), axis=int(arguments.attributes.get("axis", 0)), mode="raise")


def _slice(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    starts, stops = arguments.integers("starts", 1), arguments.integers("ends", 2)
    if starts is None or stops is None:
        raise UnknownValueError
    axes = arguments.integers("axes", 3) or list(range(len(starts)))
    steps = arguments.integers("steps", 4) or [1] * len(starts)
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        indices = range(*slice(start, stop, step).indices(data.shape[axis]))
        data = np.take(data, np.array(indices, dtype=np.int64), axis=axis)
    return data


def _expand(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    shape = np.broadcast_shapes(data.shape, tuple(int(n) for n in arguments.constant(1)))
    _require_small(shape)
    return np.broadcast_to(data, shape)


def _transpose(arguments: Arguments, data: np.ndarray) -> np.ndarray:
    return np.transpose(data, arguments.attributes.get("perm"))


def _require_small(shape: Sequence[int]) -> None:
    if float(np.prod(np.array(shape, dtype=np.float64))) > LARGEST:
        raise UnknownValueError


def _concat(arguments: Arguments) -> list[Partial]:
    axis = int(arguments.attributes["axis"])
    parts = [arguments.data(index) for index in range(len(arguments.inputs))]
    if len({part.values.dtype for part in parts}) != 1:
        raise UnknownValueError
    values, known = (
        np.concatenate([getattr(part, name) for part in parts], axis) for name in ("values", "known")
    )
    _require_small(values.shape)
    return [Partial(values, known)]


def _split(arguments: Arguments) -> list[Partial]:
    data, axis = arguments.data(), int(arguments.attributes.get("axis", 0))
    lengths = arguments.integers("split", 1)
    if lengths is None:
        each = -(-data.values.shape[axis] // arguments.count)
        lengths = [each] * (arguments.count - 1)
        lengths.append(data.values.shape[axis] - sum(lengths))
    if min(lengths) < 0 or sum(lengths) != data.values.shape[axis] or len(lengths) != arguments.count:
        raise UnknownValueError
    places = np.cumsum(lengths)[:-1]
    pairs = zip(np.split(data.values, places, axis), np.split(data.known, places, axis), strict=True)
    return [Partial(values, known) for values, known in pairs]


_NUMBERS = tuple(np.dtype(kind) for kind in (np.int32, np.int64, np.float32, np.float64, np.bool_))


def _elementwise(compute: Callable[..., np.ndarray], *, same_type: bool = True) -> Operator:
    """An operator that computes each entry from the entries in its place, broadcasting."""

    def operator(arguments: Arguments) -> list[Partial]:
        parts = [arguments.data(index) for index in range(len(arguments.inputs))]
        types = {part.values.dtype for part in parts}
        if not types <= set(_NUMBERS) or (same_type and len(types) != 1):
            raise UnknownValueError
        known = np.broadcast_arrays(*(part.known for part in parts))
        _require_small(known[0].shape)
        # An unknown entry must not raise: 1 is harmless to every operator here.
        safe = [np.where(part.known, part.values, part.values.dtype.type(1)) for part in parts]
        values = np.asarray(compute(*safe))
        return [Partial(values, np.logical_and.reduce(known))]

    return operator


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if np.any(b == 0):
        raise UnknownValueError
    if a.dtype.kind != "i":
        return np.divide(a, b)
    quotient = np.abs(a) // np.abs(b)
    return (np.sign(a) * np.sign(b) * quotient).astype(a.dtype)


def _modulo(arguments: Arguments) -> list[Partial]:
    truncating = bool(arguments.attributes.get("fmod", 0))

    def compute(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if np.any(b == 0) or (a.dtype.kind != "i" and not truncating):
            raise UnknownValueError
        return np.fmod(a, b) if truncating else np.mod(a, b)

    return list(_elementwise(compute)(arguments))


def _many(compute: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    def over(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
        for other in others:
            first = compute(first, other)
        return first

    return over


def _cast(arguments: Arguments) -> list[Partial]:
    data = arguments.data()
    try:
        wanted = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(int(arguments.attributes["to"])))
    except (KeyError, TypeError):
        raise UnknownValueError from None
    if wanted not in _NUMBERS or data.values.dtype not in _NUMBERS:
        raise UnknownValueError
    values = np.where(data.known, data.values, data.values.dtype.type(1))
    if values.dtype.kind == "f" and wanted.kind == "i":
        limit = float(np.iinfo(wanted).max)
        if not np.all(np.isfinite(values)) or np.any(np.abs(values.astype(np.float64)) >= limit):
            raise UnknownValueError
    return [Partial(values.astype(wanted), data.known)]


def _where(arguments: Arguments) -> list[Partial]:
    condition, a, b = (arguments.data(index) for index in range(3))
    if a.values.dtype != b.values.dtype or condition.values.dtype != np.bool_:
        raise UnknownValueError
    values = np.where(condition.values, a.values, b.values)
    _require_small(values.shape)
    return [Partial(values, condition.known & np.where(condition.values, a.known, b.known))]


def _constant_of_shape(arguments: Arguments) -> list[Partial]:
    shape = [int(n) for n in arguments.constant(0)]
    _require_small(shape)
    value = arguments.attributes.get("value")
    filler = np.zeros(1, np.float32) if value is None else np.asarray(value.values)
    return [Partial.full(np.full(shape, filler.ravel()[0], dtype=filler.dtype))]


def _range(arguments: Arguments) -> list[Partial]:
    start, stop, step = (arguments.constant(index) for index in range(3))
    # Runtimes add float steps up, each in its own way: only integers are computed.
    if start.dtype.kind != "i" or step == 0:
        raise UnknownValueError
    entries = range(int(start), int(stop), int(step))
    if len(entries) > LARGEST:
        raise UnknownValueError
    return [Partial.full(np.array(entries, dtype=start.dtype))]


def _reduced(compute: Callable[..., np.ndarray]) -> Operator:
    def operator(arguments: Arguments) -> list[Partial]:
        values = arguments.constant(0)
        axes = arguments.integers("axes", 1)
        # In another order of additions floats give another sum: only integers are computed.
        if values.dtype.kind != "i" or (not axes and arguments.attributes.get("noop_with_empty_axes")):
            raise UnknownValueError
        over = tuple(axes) if axes else None
        result = compute(values, axis=over, keepdims=bool(arguments.attributes.get("keepdims", 1)))
        return [Partial.full(np.asarray(result, dtype=values.dtype))]

    return operator


OPERATORS: dict[str, Operator] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": _cast,
    "Ceil": _elementwise(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _elementwise(_divide),
    "Equal": _elementwise(np.equal),
    "Expand": _moved(_expand),
    "Floor": _elementwise(np.floor),
    "Gather": _moved(_gather),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Identity": _moved(lambda arguments, data: data),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _elementwise(_many(np.maximum)),
    "Min": _elementwise(_many(np.minimum)),
    "Mod": _modulo,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Range": _range,
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Reshape": _moved(_reshape),
    "Round": _elementwise(np.rint),
    "Sign": _elementwise(np.sign),
    "Slice": _moved(_slice),
    "Split": _split,
    "Sqrt": _elementwise(np.sqrt),
    "Squeeze": _moved(_squeeze),
    "Sub": _elementwise(np.subtract),
    "Transpose": _moved(_transpose),
    "Unsqueeze": _moved(_unsqueeze),
    "Where": _where,
}

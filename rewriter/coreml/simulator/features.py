"""Inputs and outputs as the model's description declares them: names, shapes, element types, checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.coreml.simulator.images import ImageFeature, read_image
from rewriter.errors import InputError, UnsupportedError
from rewriter.tensorspec import TensorSpec

__all__ = ["Feature", "read_features"]

_ARRAY_TYPES = {
    "FLOAT16": np.float16,
    "FLOAT32": np.float32,
    "DOUBLE": np.float64,
    "INT32": np.int32,
    "INT8": np.int8,
}

# What a classifier gives beside tensors: the label, and probabilities by label.
_LABEL_TYPES = ("stringType", "int64Type", "dictionaryType")


@dataclass(frozen=True)
class Feature:
    """One input or output.

    Attributes:
        spec: its name, shape and element type.
        bounds: smallest and largest length of each axis, -1 for no upper limit; None where anything goes.
        choices: the only shapes that are allowed; empty where `bounds` decide.
        default: what to use when an optional input is left out; None for one that has to be given.
    """

    spec: TensorSpec
    bounds: tuple[tuple[int, int], ...] | None = None
    choices: tuple[tuple[int, ...], ...] = ()
    default: float | None = None

    def checked(self, value: Any, path: Path) -> np.ndarray:
        """`value` in the declared element type.

        Raises:
            InputError: missing, or of another shape or kind of type.
        """
        name = self.spec.name
        if value is None:
            if self.default is None:
                raise InputError(f"input '{name}' is missing", file=path)
            return np.full([length or 1 for length in self.spec.shape], self.default, self.spec.dtype)
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise InputError(
                f"input '{name}' is {array.dtype}, and the model wants {self.spec.dtype}", file=path
            )
        if array.ndim == 0 and len(self.spec.shape) == 1:
            # Core ML has no rank 0: a scalar is declared as a vector of length 1.
            array = array.reshape(1)
        if not self._fits(array.shape):
            raise InputError(
                f"input '{name}' has shape {list(array.shape)}, and the model wants {self._wanted()}",
                file=path,
            )
        with np.errstate(all="ignore"):
            converted = array.astype(self.spec.dtype)
        # Between float types values are rounded; to and from integers they have to survive.
        rounds = array.dtype.kind == self.spec.dtype.kind == "f"
        if not rounds and not np.array_equal(converted, array):
            raise InputError(f"input '{name}' has values that {self.spec.dtype} cannot hold", file=path)
        return converted

    def presented(self, value: Any) -> Any:
        """An output in the element type that the description declares; labels and dictionaries as they are."""
        if self.spec.dtype == object:
            return value
        array = np.asarray(value)
        return array.astype(self.spec.dtype, copy=False)

    def _fits(self, shape: tuple[int, ...]) -> bool:
        if self.choices:
            return shape in self.choices
        if self.bounds is None:
            return True
        return len(shape) == len(self.bounds) and all(
            low <= length and (length <= high or high == -1)
            for length, (low, high) in zip(shape, self.bounds, strict=True)
        )

    def _wanted(self) -> str:
        if self.choices:
            return " or ".join(str(list(shape)) for shape in self.choices)
        parts = []
        for low, high in self.bounds or ():
            parts.append(str(low) if low == high else f"{low}..{'' if high == -1 else high}")
        return f"[{', '.join(parts)}]"


def read_features(
    spec: Any, function: Any, function_name: str, path: Path
) -> tuple[list[Feature | ImageFeature], list[Feature]]:
    """The declared inputs and outputs of one function.

    Args:
        spec: the `Model` protobuf message.
        function: the MIL function, for the shapes of outputs.
        function_name: which of the model's functions it is.
        path: named in error messages.

    Raises:
        UnsupportedError: an input that is neither a multi-array nor an image, or an output that is an image.
    """
    description = spec.description
    for candidate in description.functions:
        if candidate.name == function_name:
            description = candidate

    def output(feature: Any) -> Feature:
        if feature.type.WhichOneof("Type") in _LABEL_TYPES:
            return Feature(TensorSpec(feature.name, (), np.dtype(object)))
        return _output(feature, shapes, path)

    shapes = {var.name: var.shape for var in function.outputs if hasattr(var, "shape")}
    inputs = [_input(feature, path) for feature in description.input]
    return inputs, [output(feature) for feature in description.output]


def _array_type(feature: Any, path: Path) -> Any:
    kind = feature.type.WhichOneof("Type")
    if kind != "multiArrayType":
        raise UnsupportedError(f"'{feature.name}' is a {kind}, which is not simulated there", file=path)
    return feature.type.multiArrayType


def _dtype(array: Any) -> np.dtype[Any]:
    name = array.ArrayDataType.Name(array.dataType)
    return np.dtype(_ARRAY_TYPES[name])


def _input(feature: Any, path: Path) -> Feature | ImageFeature:
    if feature.type.WhichOneof("Type") == "imageType":
        return read_image(feature, path)
    array = _array_type(feature, path)
    default = None
    if feature.type.isOptional:
        chosen = array.WhichOneof("defaultOptionalValue")
        default = 0.0 if chosen is None else float(getattr(array, chosen))
    flexibility = array.WhichOneof("ShapeFlexibility")
    choices: tuple[tuple[int, ...], ...] = ()
    if flexibility == "shapeRange":
        bounds = tuple((int(size.lowerBound), int(size.upperBound)) for size in array.shapeRange.sizeRanges)
    else:
        bounds = tuple((int(length), int(length)) for length in array.shape)
    if flexibility == "enumeratedShapes":
        choices = tuple(tuple(int(n) for n in shape.shape) for shape in array.enumeratedShapes.shapes)
        bounds = tuple((min(lengths), max(lengths)) for lengths in zip(*choices, strict=True))
    shape = tuple(low if low == high else None for low, high in bounds)
    return Feature(TensorSpec(feature.name, shape, _dtype(array)), bounds, choices, default)


def _output(feature: Any, shapes: dict[str, Any], path: Path) -> Feature:
    array = _array_type(feature, path)
    shape = tuple(
        int(length) if isinstance(length, int | np.integer) else None
        for length in shapes.get(feature.name, ())
    )
    return Feature(TensorSpec(feature.name, shape, _dtype(array)))

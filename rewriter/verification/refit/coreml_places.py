"""Where a Core ML program resizes, what it computes there, and which ONNX node that was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisResize, TensorResize
from rewriter.resampling import coreml as words
from rewriter.verification.refit.suspects import Suspect, axis_matrix

__all__ = ["Part", "Place", "find_places"]

_CERTIFICATES = "rewriter.certificates"
_NATIVE = (
    "resize_bilinear",
    "upsample_bilinear",
    "upsample_nearest_neighbor",
    "resize_nearest_neighbor",
    "resize",
)


@dataclass(frozen=True, eq=False)
class Part:
    """One operator of a resize.

    Attributes:
        operation: the MIL operation.
        data: the variable that it resizes.
        axes: (index into the suspect's axes, axis of `data`) for each axis that this operator resizes.
    """

    operation: Any
    data: Any
    axes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Place:
    """A suspect and the operators that compute it."""

    suspect: Suspect
    parts: tuple[Part, ...]


def find_places(saved: Any, function: Any, cases: list[str]) -> tuple[list[Place], list[tuple[str, str]]]:
    """The resizes of a function in program order, and name and reason of those that cannot be exchanged.

    Args:
        saved: the `SavedProgram`.
        function: its MIL function.
        cases: names under which suspects list what they compute; the lengths of a program are fixed.
    """
    operations = [operation for operation in function.operations if operation.op_type != "const"]
    places: list[tuple[int, Place]] = []
    unexamined: list[tuple[str, str]] = []
    start = 0
    named: set[int] = set()
    for entry in _certificates(saved):
        found = _find_entry(entry, operations, start)
        if found is None:
            if entry.get("kind") != "identity":
                unexamined.append((str(entry.get("node")), "its operators are not found in the program"))
            continue
        axes, parts, positions = found
        start = positions[0] + 1
        named.update(positions)
        places.append((positions[0], _place(str(entry["node"]), axes, parts, cases)))
    for position, operation in enumerate(operations):
        if operation.op_type not in _NATIVE or position in named:
            continue
        name = operation.outputs[0].name
        try:
            native = _native(operation)
        except UnsupportedError as error:
            unexamined.append((name, error.message))
            continue
        places.append((position, _place(name, *native, cases)))
    return [place for _, place in sorted(places, key=lambda item: item[0])], unexamined


def _place(name: str, axes: tuple[AxisResize, ...], parts: tuple[Part, ...], cases: list[str]) -> Place:
    return Place(Suspect(name, dict.fromkeys(cases, TensorResize(axes))), parts)


def _certificates(saved: Any) -> list[dict[str, Any]]:
    """What the lowering wrote about each Resize; empty for packages of other tools."""
    text = saved.spec.description.metadata.userDefined.get(_CERTIFICATES, "")
    try:
        entries = json.loads(text) if text else []
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


_Found = tuple[tuple[AxisResize, ...], tuple[Part, ...], list[int]]


def _find_entry(entry: dict[str, Any], operations: list[Any], start: int) -> _Found | None:
    """The first operators from `start` on that compute a certified resize."""
    if entry.get("kind") == "native":
        return _find_native(entry, operations, start)
    if entry.get("kind") in ("matmul", "gather"):
        return _find_decomposed(entry, operations, start)
    return None


def _find_native(entry: dict[str, Any], operations: list[Any], start: int) -> _Found | None:
    order = entry.get("axis_order") or list(range(len(entry["input_shape"])))
    wanted = [(entry["input_shape"][axis], entry["output_shape"][axis]) for axis in order[-2:]]
    for position in range(start, len(operations)):
        operation = operations[position]
        if operation.op_type != entry.get("op"):
            continue
        if list(zip(operation.x.shape[-2:], operation.outputs[0].shape[-2:], strict=True)) == wanted:
            axes, parts = _native(operation)
            return axes, parts, [position]
    return None


def _find_decomposed(entry: dict[str, Any], operations: list[Any], start: int) -> _Found | None:
    lengths = zip(entry["input_shape"], entry["output_shape"], strict=True)
    pending = [
        axis for axis in (_parsed(str(entry["semantics"]), n, m) for n, m in lengths if n != m) if axis
    ]
    axes: list[AxisResize] = []
    parts: list[Part] = []
    positions: list[int] = []
    for position in range(start, len(operations)):
        for axis in pending:
            place = _axis_of(operations[position], axis)
            if place is None or (parts and not _reads_result(operations, positions[-1], place[0])):
                continue
            parts.append(Part(operations[position], place[0], ((len(axes), place[1]),)))
            axes.append(axis)
            positions.append(position)
            pending.remove(axis)
            break
        if not pending and parts:
            return tuple(axes), tuple(parts), positions
    return None


def _reads_result(operations: list[Any], position: int, data: Any) -> bool:
    """Whether `data` is the result of the operator at `position`, reshaped or transposed or cast at most."""
    result = operations[position].outputs[0]
    while data is not result:
        source = data.op
        if source is None or source.op_type not in ("reshape", "transpose", "cast", "squeeze", "expand_dims"):
            return False
        data = source.x
    return True


def _axis_of(operation: Any, axis: AxisResize) -> tuple[Any, int] | None:
    """(data, its axis) when the operator applies exactly this axis' matrix; None otherwise."""
    if operation.op_type == "gather" and axis.selection is not None:
        indices = operation.indices.val
        if indices is not None and np.array_equal(np.ravel(indices), axis.selection):
            return operation.x, int(operation.axis.val)
    if operation.op_type != "matmul":
        return None
    matrix = axis_matrix(axis)
    for constant, data, wanted, position in (
        (operation.y.val, operation.x, matrix.T, -1),
        (operation.x.val, operation.y, matrix, -2),
    ):
        if (
            constant is not None
            and constant.shape == wanted.shape
            and np.allclose(constant, wanted, atol=2e-3)
        ):
            return data, position
    return None


def _parsed(text: str, n_in: int, n_out: int) -> AxisResize | None:
    """The axis that `AxisResize.describe` described; None for words of several kinds of axes."""
    kernel, coordinates, *rest = text.split()
    options: dict[str, Any] = {}
    for word in rest:
        if word == "/":
            return None
        if word in ("antialias", "exclude_outside"):
            options[word] = True
        elif word.startswith("a="):
            options["cubic_a"] = Fraction(word[2:])
        else:
            options["rounding"] = word
    return AxisResize(n_in, n_out, kernel, coordinates, **options)


def _native(operation: Any) -> tuple[tuple[AxisResize, ...], tuple[Part, ...]]:
    """What a native operator computes.

    Raises:
        UnsupportedError: lengths that are not fixed, or an operator that is not known.
    """
    count = int(operation.resized_dims.val) if operation.op_type == "resize" else 2
    lengths = list(zip(operation.x.shape[-count:], operation.outputs[0].shape[-count:], strict=True))
    if not all(isinstance(n, int | np.integer) for pair in lengths for n in pair):
        raise UnsupportedError("its lengths are not fixed")
    axes = tuple(_native_axis(operation, int(n), int(m)) for n, m in lengths)
    part = Part(operation, operation.x, tuple((index, index - count) for index in range(count)))
    return axes, (part,)


def _native_axis(operation: Any, n_in: int, n_out: int) -> AxisResize:
    if operation.op_type == "resize_bilinear":
        return words.resize_bilinear(n_in, n_out, operation.sampling_mode.val)
    if operation.op_type == "upsample_bilinear":
        centred = getattr(operation, "half_pixel_centers", None)
        aligned = bool(operation.align_corners.val)
        half = (not aligned) if centred is None or centred.val is None else bool(centred.val)
        grid = "align_corners" if aligned else "half_pixel" if half else "asymmetric"
        return AxisResize(n_in, n_out, "linear", grid)
    if operation.op_type == "upsample_nearest_neighbor":
        return AxisResize(n_in, n_out, "nearest", "asymmetric", "floor")
    if operation.op_type == "resize_nearest_neighbor":
        return AxisResize(n_in, n_out, "nearest", "tf_half_pixel_for_nn", "floor")
    mode = operation.sampling_mode.val
    if operation.interpolation_mode.val == "LINEAR":
        return words.resize_bilinear(n_in, n_out, mode)
    if mode in ("DEFAULT", "UNALIGN_CORNERS"):
        return AxisResize(n_in, n_out, "nearest", "tf_half_pixel_for_nn", "floor")
    linear = words.resize_bilinear(n_in, n_out, mode)
    return AxisResize(n_in, n_out, "nearest", linear.coordinates, "round_prefer_ceil")

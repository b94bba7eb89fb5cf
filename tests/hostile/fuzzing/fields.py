"""Damage to the fields of a message: the file still parses, and says something else."""

from __future__ import annotations

from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

__all__ = ["with_damaged_fields"]

_INTEGERS = (0, 1, -1, 2, 3, 7, 16, 255, 2**20, 2**31 - 1, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e30, float("inf"), float("-inf"), float("nan"))
_WORDS = (
    "",
    "x",
    "Resize",
    "Upsample",
    "If",
    "Loop",
    "Constant",
    "Identity",
    "linear",
    "cubic",
    "align_corners",
    "é",
)
_INT_TYPES = {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32}
_FLOAT_TYPES = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}


def with_damaged_fields(data: bytes, random: Random) -> bytes:
    """A model with one to five fields changed; the same bytes where it does not parse."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:  # a seed that is no model stays what it is
        return data
    words = [*_WORDS, *_names(model)]
    for _ in range(random.choice((1, 1, 2, 3, 5))):
        places = list(_places(model))
        message, field = places[random.randrange(len(places))]
        _damage(message, field, random, words)
    return model.SerializeToString()


def _names(model: onnx.ModelProto) -> list[str]:
    return [name for node in model.graph.node for name in (node.name, *node.input, *node.output)]


def _places(message: Any) -> Any:
    """Every field that is set, with the message that it is set in."""
    waiting = [message]
    while waiting:
        current = waiting.pop()
        for field, value in current.ListFields():
            yield current, field
            if field.message_type is not None:
                waiting.extend(value if field.is_repeated else [value])


def _damage(message: Any, field: FieldDescriptor, random: Random, words: list[str]) -> None:
    if field.is_repeated:
        _damage_list(getattr(message, field.name), field, random, words)
    elif field.message_type is not None:
        message.ClearField(field.name)
    else:
        _set(message, field, random, words)


def _set(message: Any, field: FieldDescriptor, random: Random, words: list[str]) -> None:
    try:
        setattr(message, field.name, _scalar(field, random, words))
    except ValueError:  # an int64 for an int32
        message.ClearField(field.name)


def _scalar(field: FieldDescriptor, random: Random, words: list[str]) -> Any:
    if field.type in _INT_TYPES:
        return random.choice(_INTEGERS)
    if field.type in _FLOAT_TYPES:
        return random.choice(_FLOATS)
    if field.type == FieldDescriptor.TYPE_STRING:
        return random.choice(words)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return random.choice((b"", random.randbytes(random.randrange(40)), random.choice(words).encode()))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return random.choice(field.enum_type.values).number
    return random.randrange(2)


def _damage_list(values: Any, field: FieldDescriptor, random: Random, words: list[str]) -> None:
    kind = random.choice(("drop", "repeat", "swap", "set", "set"))
    place = random.randrange(len(values))
    if kind == "drop":
        del values[place]
    elif field.message_type is not None:
        if kind == "repeat":
            values.add().CopyFrom(values[place])
        else:
            other = values[random.randrange(len(values))]
            kept = type(other).FromString(other.SerializeToString())
            other.CopyFrom(values[place])
            values[place].CopyFrom(kept)
    elif kind == "repeat":
        values.append(values[place])
    elif kind == "swap":
        other = random.randrange(len(values))
        values[place], values[other] = values[other], values[place]
    else:
        try:
            values[place] = _scalar(field, random, words)
        except ValueError:
            del values[place]

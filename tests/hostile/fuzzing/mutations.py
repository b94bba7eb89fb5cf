"""Damage to bytes, drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

__all__ = ["mutated"]

_NUMBERS = (
    b"\x00",
    b"\x7f",
    b"\x80\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff" * 9 + b"\x01",
)
"""Numbers in protobuf's spelling that programs stumble over: 0, 127, 128, 2³² - 1, 2⁶³ - 1, 2⁶⁴ - 1."""


def mutated(
    seeds: Sequence[tuple[str, bytes]], random: Random, damage: Callable[[bytes, Random], bytes] | None = None
) -> tuple[str, bytes]:
    """One seed with one to four kinds of damage; its name and the result.

    Args:
        seeds: name and bytes.
        random: what draws.
        damage: another kind of damage, which two of five inputs get instead.
    """
    name, data = seeds[random.randrange(len(seeds))]
    if damage is not None and random.random() < 0.4:
        return name, damage(data, random)
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        random.choice(_KINDS)(damaged, random, seeds)
        if not damaged:
            break
    return name, bytes(damaged)


def _flip(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    for _ in range(random.choice((1, 1, 2, 8))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _cut(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    del data[random.randrange(len(data)) :]


def _drop(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    start = random.randrange(len(data))
    del data[start : start + random.choice((1, 2, 4, 16, 64))]


def _repeat(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    start = random.randrange(len(data))
    piece = data[start : start + random.choice((1, 4, 16, 64, 256))]
    place = random.randrange(len(data) + 1)
    data[place:place] = piece * random.choice((1, 1, 2, 50))


def _number(data: bytearray, random: Random, _: Sequence[tuple[str, bytes]]) -> None:
    start = random.randrange(len(data))
    data[start : start + random.choice((0, 1))] = random.choice(_NUMBERS)


def _splice(data: bytearray, random: Random, seeds: Sequence[tuple[str, bytes]]) -> None:
    other = seeds[random.randrange(len(seeds))][1]
    start = random.randrange(len(other))
    piece = other[start : start + random.choice((4, 32, 256, len(other)))]
    place = random.randrange(len(data))
    data[place : place + random.choice((0, len(piece)))] = piece


_KINDS: tuple[Callable[[bytearray, Random, Sequence[tuple[str, bytes]]], None], ...] = (
    _flip, _flip, _set, _cut, _drop, _repeat, _number, _splice,
)  # fmt: skip

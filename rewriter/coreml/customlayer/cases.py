"""Random cases for the compiled layer, and what the algebra says of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rewriter.coreml.customlayer.parameters import COORDINATES, KINDS, ROUNDINGS, LayerParameters
from rewriter.errors import InputError

__all__ = ["Answer", "Case", "expected", "random_cases", "read_answers", "write_cases"]

_HEADER = struct.Struct("<12i3d")
_LONGEST = 40


@dataclass(frozen=True)
class Case:
    """One run of the layer.

    Attributes:
        parameters: of the layer.
        image: float32 [planes, height, width].
        layouts: how the input and the output lie in memory: 0 dense, 1 with gaps, 2 channels last.
    """

    parameters: LayerParameters
    image: np.ndarray
    layouts: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Answer:
    """What the compiled layer gave: float32 [planes, height, width] by its CPU path and by its kernel."""

    cpu: np.ndarray
    kernel: np.ndarray


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """`count` cases over every kind, rounding, coordinates, target sizes and factors, channel counts and layouts."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        kind = str(generator.choice(KINDS))
        planes = int(generator.integers(1, 10))
        height, width = (int(n) for n in generator.integers(1, _LONGEST + 1, 2))
        by_factor = generator.random() < 0.25
        factors = [float(np.float32(f)) for f in generator.uniform(0.2, 4.0, 2)]
        if by_factor and min(int(height * factors[0]), int(width * factors[1])) < 1:
            by_factor = False
        sizes = [0, 0] if by_factor else [int(n) for n in generator.integers(1, 2 * _LONGEST + 1, 2)]
        parameters = LayerParameters(
            kind=kind,
            coordinates=str(generator.choice(COORDINATES)),
            rounding=str(generator.choice(ROUNDINGS)),
            cubic_a=float(generator.choice([-0.75, -0.5])),
            exclude_outside=bool(generator.random() < 0.3),
            antialias=kind != "nearest" and bool(generator.random() < 0.3),
            target_height=sizes[0],
            target_width=sizes[1],
            scale_height=factors[0] if by_factor else 0.0,
            scale_width=factors[1] if by_factor else 0.0,
        )
        image = generator.uniform(-1, 1, (planes, height, width)).astype(np.float32)
        layouts = tuple(int(n) for n in generator.integers(0, 3, 2))
        yield Case(parameters, image, (layouts[0], layouts[1]))


def expected(case: Case) -> np.ndarray:
    """The resize by exact matrices, float64 [planes, height, width]."""
    _, height, width = case.image.shape
    rows, columns = case.parameters.axes(height, width)
    result: np.ndarray = rows.matrix() @ case.image.astype(np.float64) @ columns.matrix().T
    return result


def write_cases(cases: Sequence[Case], path: Path) -> None:
    """The file that the harness reads: per case a header and the image."""
    with path.open("wb") as stream:
        for case in cases:
            given = case.parameters
            stream.write(
                _HEADER.pack(
                    KINDS.index(given.kind),
                    COORDINATES.index(given.coordinates),
                    ROUNDINGS.index(given.rounding),
                    given.exclude_outside,
                    given.antialias,
                    *case.image.shape,
                    given.target_height,
                    given.target_width,
                    *case.layouts,
                    given.cubic_a,
                    given.scale_height,
                    given.scale_width,
                )
            )
            stream.write(np.ascontiguousarray(case.image, dtype="<f4").tobytes())


def read_answers(path: Path, count: int) -> list[Answer]:
    """What the harness wrote for `count` cases.

    Raises:
        InputError: fewer or more than that.
    """
    content = path.read_bytes()
    answers: list[Answer] = []
    position = 0
    while position < len(content) and len(answers) < count:
        shape = struct.unpack_from("<3q", content, position)
        position += 24
        length = int(np.prod(shape))
        both = np.frombuffer(content, dtype="<f4", count=2 * length, offset=position)
        position += 8 * length
        answers.append(Answer(both[:length].reshape(shape), both[length:].reshape(shape)))
    if len(answers) != count or position != len(content):
        raise InputError(f"the layer answered {len(answers)} of {count} cases", file=path)
    return answers

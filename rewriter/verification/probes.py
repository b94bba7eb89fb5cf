"""Inputs that tell resize modes apart: ramps, waves, checkerboards, impulses, a picture, and noise.

A ramp shows a shifted grid exactly, a checkerboard and impulses show blurred edges, the picture and the waves reach
networks that noise leaves at zero. The set is the same for every run of the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rewriter.archive import read_npz
from rewriter.errors import InputError, UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.runners import Arrays

__all__ = ["RANGES", "SIDES", "probe_cases", "read_cases"]

SIDES = (64, 128, 224, 256)
"""Lengths that may stand in for an axis whose length is not fixed (the first axis becomes 1)."""

RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""Ranges of values that networks are trained for, the usual one first."""

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp")


def probe_cases(
    specs: Sequence[TensorSpec], seed: int = 0, *, side: int = SIDES[0], low: float = 0.0, high: float = 1.0
) -> dict[str, Arrays]:
    """Case name → input name → array.

    Inputs of rank 4 are taken as images, channels last unless only axis 1 is as short as a channel axis; all others
    are noise in every case.

    Args:
        specs: the inputs.
        seed: of everything that is drawn.
        side: stands in for lengths that are not fixed.
        low, high: range of the values of floating-point inputs; uint8 inputs always have their whole range, other
            integers are 0 and 1.
    """
    cases: dict[str, Arrays] = {}
    suffix = "" if (low, high) == RANGES[0] else f" in [{low:g}, {high:g}]"
    for number, (name, draw) in enumerate(_PROBES.items()):
        rng = np.random.default_rng([seed, number])
        cases[name + suffix] = {spec.name: _array(spec, draw, rng, side, low, high) for spec in specs}
    return cases


def read_cases(path: Path, specs: Sequence[TensorSpec]) -> dict[str, Arrays]:
    """The user's own inputs: a file, or a folder of files, each one case named after the file.

    `.npz` holds ``NAME`` or ``CASE/in/NAME`` arrays; `.npy` and pictures serve networks with one input. Pictures are
    scaled to [0, 1] and must have the input's size.

    Raises:
        InputError: a file is missing, of unknown kind, or does not fit the inputs.
    """
    if not path.exists():
        raise InputError("no such file", file=path)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in (*_IMAGES, ".npy", ".npz"))
        if not files:
            raise InputError("the folder holds no .npy, .npz, .png or .jpg files", file=path)
        return {name: arrays for file in files for name, arrays in read_cases(file, specs).items()}
    if path.suffix == ".npz":
        cases = _cases_of_npz(read_npz(path), path.stem)
    else:
        if len(specs) != 1:
            raise UsageError(
                f"the network has {len(specs)} inputs",
                file=path,
                remedy="give an .npz with one array per input",
            )
        cases = {path.stem: {specs[0].name: _single(path)}}
    for case, arrays in cases.items():
        cases[case] = {spec.name: _fitted(arrays, spec, path) for spec in specs}
    return cases


def _cases_of_npz(arrays: Arrays, stem: str) -> dict[str, Arrays]:
    cases: dict[str, Arrays] = {}
    for key, array in arrays.items():
        if "/in/" in key:
            case, name = key.split("/in/", 1)
            cases.setdefault(case, {})[name] = array
        elif "/out/" not in key and key != "meta":
            cases.setdefault(stem, {})[key] = array
    return cases


def _single(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (ValueError, OSError) as error:
            raise InputError(f"not a readable .npy file: {error}", file=path) from error
    if path.suffix.lower() not in _IMAGES:
        raise InputError("unknown kind of input file", file=path, remedy="give .npy, .npz, .png or .jpg")
    from matplotlib.image import imread

    try:
        pixels = np.asarray(imread(path))
    except Exception as error:  # the decoder raises kinds of its own
        raise InputError(f"not a readable picture: {error}", file=path) from error
    scaled = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    return scaled[None, ..., None] if scaled.ndim == 2 else scaled[None, ..., :3]


def _fitted(arrays: Arrays, spec: TensorSpec, path: Path) -> np.ndarray:
    if spec.name in arrays:
        array = arrays[spec.name]
    elif len(arrays) == 1:
        array = next(iter(arrays.values()))
    else:
        raise InputError(f"it has no array for the input '{spec.name}'", file=path)
    fits = array.ndim == len(spec.shape) and all(
        wanted in (None, length) for length, wanted in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("?" if length is None else str(length) for length in spec.shape)
        raise InputError(
            f"shape {list(array.shape)} does not fit the input '{spec.name}' of shape [{wanted}]", file=path
        )
    return array.astype(spec.dtype)


Draw = Callable[[np.random.Generator, int, int, int], np.ndarray]
"""(generator, height, width, channels) → float64 [height, width, channels] in [0, 1]."""


def _array(
    spec: TensorSpec, draw: Draw, rng: np.random.Generator, side: int, low: float, high: float
) -> np.ndarray:
    shape = tuple(
        length if length is not None else (1 if axis == 0 else side) for axis, length in enumerate(spec.shape)
    )
    if len(shape) != 4:
        values = rng.uniform(size=shape)
    else:
        channels_first = shape[1] <= 4 < shape[3]
        n, c, h, w = shape if channels_first else (shape[0], shape[3], shape[1], shape[2])
        values = np.stack([draw(rng, h, w, c) for _ in range(n)])
        if channels_first:
            values = np.moveaxis(values, -1, 1)
    if np.issubdtype(spec.dtype, np.floating):
        return (low + (high - low) * values).astype(spec.dtype)
    return np.round(values * (255 if spec.dtype == np.uint8 else 1)).astype(spec.dtype)


def _grid(h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:h, :w].astype(np.float64)
    return y / max(1, h - 1), x / max(1, w - 1)


def _ramp(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    y, x = _grid(h, w)
    return np.stack([(x, y, (x + y) / 2, 1 - x)[k % 4] for k in range(c)], axis=-1)


def _waves(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    y, x = _grid(h, w)
    planes = []
    for _ in range(c):
        plane = np.zeros((h, w))
        for _ in range(5):
            fy, fx = rng.uniform(-30, 30, 2)
            plane += rng.uniform(0.3, 1) * np.sin(fy * y + fx * x + rng.uniform(0, 6.3))
        planes.append(plane)
    return _unit(np.stack(planes, axis=-1))


def _checkerboard(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    y, x = np.mgrid[:h, :w]
    planes = [((y // (3 + 2 * k) + x // (3 + 2 * k)) % 2).astype(np.float64) for k in range(c)]
    return np.stack(planes, axis=-1)


def _impulses(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    field = np.full((h, w, c), 0.2)
    count = max(4, h * w // 150)
    field[rng.integers(0, h, count), rng.integers(0, w, count)] = 1.0
    # The corners are where grids differ most.
    field[[0, 0, -1, -1], [0, -1, 0, -1]] = 1.0
    return field


def _picture(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    """Discs and bars of random colour over shaded ground, a little noise: edges, texture and flat parts."""
    y, x = np.mgrid[:h, :w].astype(np.float64)
    side = max(h, w)
    picture = 0.3 + 0.3 * _waves(rng, h, w, c)
    for _ in range(4):
        inside = np.hypot(x - rng.uniform(0, w), y - rng.uniform(0, h)) < rng.uniform(0.06, 0.22) * side
        picture[inside] = rng.uniform(size=c)
    for _ in range(3):
        angle = rng.uniform(0, np.pi)
        across = (y - rng.uniform(0, h)) * np.cos(angle) - (x - rng.uniform(0, w)) * np.sin(angle)
        picture[np.abs(across) < rng.uniform(1.0, 0.03 * side + 1.0)] = rng.uniform(size=c)
    return np.clip(picture + rng.normal(0, 0.02, picture.shape), 0, 1)


def _noise(rng: np.random.Generator, h: int, w: int, c: int) -> np.ndarray:
    return rng.uniform(size=(h, w, c))


def _unit(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


_PROBES: dict[str, Draw] = {
    "picture": _picture,
    "ramp": _ramp,
    "waves": _waves,
    "checkerboard": _checkerboard,
    "impulses": _impulses,
    "noise": _noise,
}

"""Seeded synthetic pictures for segmentation: overlapping shapes and thin bars on textured ground.

The bars are two to four pixels wide, so that a prediction shifted by half a pixel loses IoU.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BAR", "BLOB", "CLASSES", "GROUND", "SIZE", "dataset", "picture", "smooth_pictures"]

GROUND, BLOB, BAR = 0, 1, 2
CLASSES = 3
SIZE = 64
"""Height and width of a picture in pixels."""

_COLOURS = {BLOB: np.array([0.85, 0.35, 0.25]), BAR: np.array([0.2, 0.45, 0.85])}


def picture(rng: np.random.Generator, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """One picture: image float32 [size, size, 3] in [0, 1], and its classes int64 [size, size]."""
    image = rng.uniform(0.3, 0.6, 3) + _texture(rng, size)
    mask = np.full((size, size), GROUND, dtype=np.int64)
    shapes = [BLOB] * int(rng.integers(1, 4)) + [BAR] * int(rng.integers(2, 5))
    for label in shapes:
        inside = _blob(rng, size) if label == BLOB else _bar(rng, size)
        colour = _COLOURS[label] + rng.normal(0, 0.06, 3)
        image[inside] = colour + 0.5 * _texture(rng, size)[inside]
        mask[inside] = label
    return np.clip(image, 0, 1).astype(np.float32), mask


def dataset(seed: int, count: int, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """`count` pictures: images float32 [count, size, size, 3] and classes int64 [count, size, size]."""
    rng = np.random.default_rng(seed)
    pairs = [picture(rng, size) for _ in range(count)]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def smooth_pictures(
    rng: np.random.Generator, count: int, height: int, width: int, channels: int
) -> np.ndarray:
    """Random pictures with edges and waves, float32 [count, height, width, channels] in [0, 1]."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    pictures = np.zeros((count, height, width, channels))
    for index in np.ndindex(count, channels):
        plane = np.zeros((height, width))
        for _ in range(6):
            fy, fx = rng.uniform(-25, 25, 2)
            plane += rng.uniform(0.2, 1) * np.sin(fy * y + fx * x + rng.uniform(0, 6.3))
        plane += 2.0 * (np.cos(9 * rng.uniform(0.5, 2) * x + 9 * rng.uniform(0.5, 2) * y) > 0)
        pictures[index[0], :, :, index[1]] = plane
    low, high = pictures.min(), pictures.max()
    return ((pictures - low) / (high - low)).astype(np.float32)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Sum of a few waves and fine noise, float64 [size, size, 3], zero mean."""
    y, x = np.mgrid[:size, :size]
    ground = rng.normal(0, 0.03, (size, size, 3))
    for channel in range(3):
        for _ in range(4):
            fy, fx = rng.uniform(0.02, 0.25, 2)
            amplitude, phase = rng.uniform(0.02, 0.08), rng.uniform(0, 2 * np.pi)
            ground[..., channel] += amplitude * np.sin(fy * y + fx * x + phase)
    return ground


def _rotated(rng: np.random.Generator, size: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates relative to a random centre, in a randomly rotated frame."""
    y, x = np.mgrid[:size, :size]
    cy, cx = rng.uniform(margin, size - margin, 2)
    angle = rng.uniform(0, np.pi)
    along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    return along, across


def _blob(rng: np.random.Generator, size: int) -> np.ndarray:
    along, across = _rotated(rng, size, margin=8)
    length, width = rng.uniform(5, 15, 2)
    return (along / length) ** 2 + (across / width) ** 2 < 1


def _bar(rng: np.random.Generator, size: int) -> np.ndarray:
    along, across = _rotated(rng, size, margin=3)
    return (np.abs(across) < rng.uniform(1.0, 1.8)) & (np.abs(along) < rng.uniform(7, 22))

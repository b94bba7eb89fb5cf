"""The contour picture: where it enlarges, and that it is the same bytes every time."""

from __future__ import annotations

import numpy as np

from rewriter.verification.report.figure import (
    Contour,
    contour_figure,
    label_map,
    windows_of_disagreement,
)


def _disc(centre: float, channels: int = 1) -> np.ndarray:
    y, x = np.mgrid[:64, :64]
    inside = 1 / (1 + np.exp(np.hypot(x - centre, y - 32) - 12))
    return inside[..., None] if channels == 1 else np.stack([1 - inside, inside], axis=-1)


def test_label_map_of_one_and_of_several_channels_agree() -> None:
    np.testing.assert_array_equal(label_map(_disc(30), 0.5), label_map(_disc(30, channels=2)))


def test_windows_cover_the_places_that_differ_most_and_do_not_overlap() -> None:
    reference = np.zeros((60, 60), dtype=np.int64)
    other = reference.copy()
    other[40:46, 10:16] = 1
    other[5:8, 50:53] = 1
    corners = windows_of_disagreement(reference, [other], size=10)
    assert len(corners) == 2
    (row, column), (second_row, second_column) = corners
    assert row <= 40 and row + 10 >= 46 and column <= 10 and column + 10 >= 16
    assert second_row <= 5 and second_row + 10 >= 8 and second_column <= 50 and second_column + 10 >= 53


def test_equal_maps_have_no_window() -> None:
    reference = label_map(_disc(30))
    assert windows_of_disagreement(reference, [reference.copy()], size=8) == []


def test_the_picture_is_a_png_and_deterministic() -> None:
    image = np.random.default_rng(0).uniform(size=(64, 64, 3))
    arguments = (image, Contour("Keras", _disc(30), "blue"), [Contour("half_pixel", _disc(31.5), "red")])
    first = contour_figure(*arguments)
    assert first is not None
    assert first.startswith(b"\x89PNG")
    assert first == contour_figure(*arguments)


def test_outputs_that_are_no_maps_give_no_picture() -> None:
    assert contour_figure(np.zeros((8, 8, 3)), Contour("a", np.zeros((1, 1, 10)), "blue"), []) is None

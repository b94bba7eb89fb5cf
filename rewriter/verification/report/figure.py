"""The picture that started this project: where the contours of a network's copies part from the original's.

The reference's segmentation is drawn as a filled area, each candidate's contour as a coloured line over the input
image, with enlarged insets of the places where a candidate differs most.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Contour",
    "contour_figure",
    "draw_comparison",
    "label_map",
    "middle_level",
    "windows_of_disagreement",
]

_INSETS = 3
_REFERENCE_COLOUR = "#facc15"


@dataclass(frozen=True)
class Contour:
    """One network's result in the picture.

    Attributes:
        label: for the legend.
        output: its output map, shape [H, W, C] or [H, W].
        colour: any matplotlib colour.
        style: matplotlib line style.
    """

    label: str
    output: np.ndarray
    colour: str
    style: str = "solid"


def label_map(output: np.ndarray, level: float | None = None) -> np.ndarray:
    """Class index per pixel, int64 [H, W].

    Several channels: argmax. One channel: above `level`, which defaults to the middle of the value range.
    """
    if output.ndim == 3 and output.shape[-1] > 1:
        return output.argmax(axis=-1)
    plane = output.reshape(output.shape[:2])
    if level is None:
        level = middle_level(output)
    return (plane > level).astype(np.int64)


def middle_level(output: np.ndarray) -> float:
    """The middle of the value range: where a one-channel map is cut into two classes."""
    return float((output.max() + output.min()) / 2)


def windows_of_disagreement(
    reference: np.ndarray, others: Sequence[np.ndarray], size: int, count: int = _INSETS
) -> list[tuple[int, int]]:
    """Top-left corners (row, column) of the `size`-pixel windows with most differing pixels, best first.

    Args:
        reference: label map [H, W].
        others: label maps of the same shape.
        size: window side in pixels, at most the image's.
        count: how many windows at most; they do not overlap, and empty ones are left out.
    """
    differs = np.zeros(reference.shape, dtype=np.int64)
    for other in others:
        differs += other != reference
    corners: list[tuple[int, int]] = []
    for _ in range(count):
        sums = _window_sums(differs, size)
        row, column = (int(v) for v in np.unravel_index(sums.argmax(), sums.shape))
        if sums[row, column] == 0:
            break
        corners.append((row, column))
        differs[row : row + size, column : column + size] = 0
    return corners


def contour_figure(
    image: np.ndarray, reference: Contour, candidates: Sequence[Contour], *, file_format: str = "png"
) -> bytes | None:
    """Draw the picture.

    Args:
        image: the input, [H, W, 1 or 3]; stretched to its own value range for display.
        reference: drawn as a filled area.
        candidates: drawn as lines, the last on top.
        file_format: ``png`` or ``svg``.

    Returns:
        The encoded picture, or None when the outputs are not maps of at least 8×8 pixels.
    """
    if min(reference.output.shape[:2], default=0) < 8 or reference.output.ndim not in (2, 3):
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure = Figure(figsize=(12.0, 7.4), layout="constrained")
    FigureCanvasAgg(figure)
    draw_comparison(figure, image, reference, candidates)
    handles: list[Any] = [Patch(color=_REFERENCE_COLOUR, alpha=0.35, label=reference.label)]
    handles += [
        Line2D([], [], color=candidate.colour, linestyle=candidate.style, linewidth=2, label=candidate.label)
        for candidate in candidates
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=11)
    buffer = io.BytesIO()
    # No date in the file: the same models give the same bytes.
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    figure.savefig(buffer, format=file_format, dpi=110, metadata=metadata)
    return buffer.getvalue()


def draw_comparison(panel: Any, image: np.ndarray, reference: Contour, candidates: Sequence[Contour]) -> None:
    """The image with all contours, and beside it the windows where the candidates part most, enlarged.

    Args:
        panel: a matplotlib figure or subfigure.
        image, reference, candidates: as `contour_figure`.
    """
    level = middle_level(reference.output)
    wanted = label_map(reference.output, level)
    maps = [label_map(candidate.output, level) for candidate in candidates]
    side = max(8, min(wanted.shape) // 6)
    corners = windows_of_disagreement(wanted, maps, side)
    grid = panel.add_gridspec(max(1, len(corners)), 2, width_ratios=(3.2, 1.0))
    main = panel.add_subplot(grid[:, 0])
    _draw(main, image, reference, candidates, level, line_width=1.3)
    for number, (row, column) in enumerate(corners, start=1):
        box = (column - 0.5, row - 0.5, side)
        _mark(main, box, str(number))
        inset = panel.add_subplot(grid[number - 1, 1])
        _draw(inset, image, reference, candidates, level, line_width=2.2)
        inset.set_xlim(box[0], box[0] + side)
        inset.set_ylim(box[1] + side, box[1])
        inset.set_title(f"{number}: enlarged {wanted.shape[1] / side:.0f}×", fontsize=10, loc="left")


def _window_sums(values: np.ndarray, size: int) -> np.ndarray:
    """Sum over every size×size window, by a summed-area table."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=np.int64)
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]


def _draw(
    axes: Axes,
    image: np.ndarray,
    reference: Contour,
    candidates: Sequence[Contour],
    level: float,
    *,
    line_width: float,
) -> None:
    height, width = reference.output.shape[:2]
    # Pixel centres of the output map lie at integers; the image is stretched over the same square.
    axes.imshow(_displayable(image), extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
    for field in _fields(reference.output, level):
        if field.min() < 0 < field.max():
            axes.contourf(field, levels=[0, np.inf], colors=[_REFERENCE_COLOUR], alpha=0.25)
            axes.contour(field, levels=[0], colors=[_REFERENCE_COLOUR], linewidths=line_width * 0.6)
    for candidate in candidates:
        for field in _fields(candidate.output, level):
            if field.min() < 0 < field.max():
                axes.contour(
                    field,
                    levels=[0],
                    colors=[candidate.colour],
                    linewidths=line_width,
                    linestyles=candidate.style,
                )
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])


def _fields(output: np.ndarray, level: float) -> list[np.ndarray]:
    """Per class (background left out) a field that is positive inside the class: its contour at zero is sub-pixel."""
    if output.ndim == 2 or output.shape[-1] == 1:
        return [output.reshape(output.shape[:2]) - level]
    fields = []
    for channel in range(1, output.shape[-1]):
        rest = np.delete(output, channel, axis=-1).max(axis=-1)
        fields.append(output[..., channel] - rest)
    return fields


def _mark(axes: Axes, box: tuple[float, float, int], text: str) -> None:
    from matplotlib.patches import Rectangle

    x, y, side = box
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="white", linewidth=1.6))
    axes.text(x + side * 0.06, y + side * 0.24, text, color="white", fontsize=11, weight="bold")


def _displayable(image: np.ndarray) -> np.ndarray:
    picture = image.astype(np.float64)
    low, high = float(picture.min()), float(picture.max())
    picture = (picture - low) / (high - low) if high > low else np.zeros_like(picture)
    # Grey, and darkened, so that the coloured lines stand out.
    grey = picture if picture.ndim == 2 else picture[..., :3].mean(axis=-1)
    return np.repeat(0.75 * grey[..., None], 3, axis=-1)

"""The picture that started this project: a reference's segmentation filled, candidates' contours as coloured lines,
enlarged where they part most, and beside it the sampling grids that make the difference."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import InputError, UsageError
from rewriter.verification.report.figure import (
    Contour,
    draw_comparison,
    label_map,
    middle_level,
)

__all__ = ["FORMATS", "GRID", "compare_outputs", "comparison_figure", "read_maps"]

FORMATS = ("png", "svg")
GRID = (5, 10)
"""Lengths that the sampling grids show unless others are asked for."""

_COLOURS = ("#16a34a", "#dc2626", "#2563eb", "#9333ea", "#0891b2", "#ea580c")
_STYLES = ("dashed", "solid", "solid", "solid", "solid", "solid")
_SMALLEST = 8


def read_maps(
    reference: str, candidates: Sequence[str], image: str | Path, labels: Sequence[str] = ()
) -> tuple[np.ndarray, Contour, list[Contour]]:
    """Run every network on one picture.

    Args:
        reference, candidates: anything that `rewriter verify` takes.
        image: a picture or an array file; of several cases the first.
        labels: names of the candidates in the legend; the runners' own names where there are none.

    Returns:
        The input [H, W, C], the reference's map, and the candidates' maps.

    Raises:
        UsageError: more labels or candidates than there are, networks with several inputs or outputs.
        InputError: outputs that are no maps, or differ in shape.
    """
    from rewriter.verification.probes import read_cases
    from rewriter.verification.runners import open_runner

    if len(candidates) > len(_COLOURS):
        raise UsageError(f"{len(candidates)} candidates are more than the {len(_COLOURS)} colours")
    if labels and len(labels) != len(candidates):
        raise UsageError(f"{len(labels)} labels for {len(candidates)} candidates")
    runners = [open_runner(source) for source in (reference, *candidates)]
    if any(len(runner.inputs) != 1 for runner in runners):
        raise UsageError("the picture is of networks with one input")
    cases = read_cases(Path(image), runners[0].inputs)
    (picture,) = next(iter(cases.values())).values()
    maps: list[np.ndarray] = []
    for runner in runners:
        outputs = runner.run({runner.inputs[0].name: picture})
        if len(outputs) != 1:
            raise UsageError(f"the picture is of networks with one output, {runner.name} has {len(outputs)}")
        (output,) = outputs.values()
        maps.append(_as_map(np.asarray(output), maps[0] if maps else None, runner.name))
    names = list(labels) or [_name(runner) for runner in runners[1:]]
    contours = [
        Contour(name, output, colour, style)
        for name, output, colour, style in zip(names, maps[1:], _COLOURS, _STYLES, strict=False)
    ]
    return picture[0], Contour(_name(runners[0]), maps[0], "#facc15"), contours


def _name(runner: Any) -> str:
    return f"{runner.name}, simulated" if runner.simulated else str(runner.name)


def _as_map(output: np.ndarray, like: np.ndarray | None, name: str) -> np.ndarray:
    """An output as [H, W, C] or [H, W], the batch dropped.

    Raises:
        InputError: it is no map, or not of the reference's shape.
    """
    plane = output[0] if output.ndim in (3, 4) and output.shape[0] == 1 else output
    if plane.ndim not in (2, 3) or min(plane.shape[:2]) < _SMALLEST:
        raise InputError(f"{name} gives {list(output.shape)}, and the picture is of maps [1, H, W, C]")
    if like is not None and plane.shape != like.shape:
        raise InputError(f"{name} gives {list(plane.shape)}, the reference {list(like.shape)}")
    return plane


def compare_outputs(reference: Contour, candidates: Sequence[Contour]) -> dict[str, int]:
    """By candidate's label, how many of its pixels fall into another class than the reference's."""
    level = middle_level(reference.output)
    wanted = label_map(reference.output, level)
    return {
        candidate.label: int((label_map(candidate.output, level) != wanted).sum()) for candidate in candidates
    }


def comparison_figure(
    image: np.ndarray,
    reference: Contour,
    candidates: Sequence[Contour],
    *,
    file_format: str = "png",
    grid: tuple[int, int] = GRID,
) -> bytes:
    """Draw the picture.

    Args:
        image: the input, [H, W, 1 or 3].
        reference: drawn as a filled area.
        candidates: drawn as lines, the first on top.
        file_format: a member of `FORMATS`.
        grid: input and output length of the sampling grids.

    Returns:
        The encoded picture; the same arguments give the same bytes.

    Raises:
        UsageError: an unknown format.
    """
    if file_format not in FORMATS:
        raise UsageError(f"cannot draw a {file_format}", remedy=f"use {' or '.join(FORMATS)}")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 9.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subfigures(2, 1, height_ratios=(3.6, 1.0))
    upper, lower = panels
    draw_comparison(upper, image, reference, list(candidates)[::-1])
    _add_legend(upper, reference, candidates)
    from rewriter.figures.grids import draw_grids

    draw_grids(lower.add_subplot(), *grid)
    buffer = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    # Identifiers in an SVG are random unless they are salted.
    with matplotlib.rc_context({"svg.hashsalt": "rewriter"}):
        figure.savefig(buffer, format=file_format, dpi=110, metadata=metadata)
    return buffer.getvalue()


def _add_legend(panel: Any, reference: Contour, candidates: Sequence[Contour]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=reference.colour, alpha=0.35, label=reference.label)]
    handles += [
        Line2D([], [], color=one.colour, linestyle=one.style, linewidth=2, label=one.label)
        for one in candidates
    ]
    columns = min(2, len(handles))
    panel.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=10)

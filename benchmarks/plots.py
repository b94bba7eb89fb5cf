"""Growth curves as SVG, drawn from the results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import CaseResult, Point

__all__ = ["draw"]

_FIGURES = {
    "growth-nodes": (("growth-nodes", "a", "d"), "nodes", 1),
    "growth-bytes": (("growth-bytes", "b"), "size of the file, MB", 10**6),
}
_LEFT_OUT = ("graphsurgeon-unchanged", "graphsurgeon-cleanup", "cp-fsync")
# Paul Tol's "muted" set, told apart with every common colour vision deficiency; black is ours.
_COLOURS = {
    "onnx": "#332288",
    "graphsurgeon": "#cc6677",
    "onnx-ir": "#44aa99",
    "onnxscript": "#117733",
    "onnxslim": "#999933",
    "onnxsim": "#ddcc77",
    "onnxoptimizer": "#882255",
    "onnxruntime": "#88ccee",
}
_OURS, _OTHERS = "#000000", "#888888"


def draw(cases: Mapping[str, CaseResult], folder: Path) -> list[Path]:
    """Draw every figure for which there are results.

    Args:
        folder: where the figures go; made if it does not exist.

    Returns:
        What was written.
    """
    drawn = []
    for name, (parts, label, unit) in _FIGURES.items():
        points = [point for part in parts if part in cases for point in cases[part].points]
        if len(points) < 2:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.svg"
        _draw(sorted(points, key=lambda point: point.x), label, unit, path)
        drawn.append(path)
    return drawn


def _draw(points: Sequence[Point], label: str, unit: int, path: Path) -> None:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Text stays text, and the same results give the same bytes.
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "benchmarks",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with rc_context(style):
        figure = Figure(figsize=(9.5, 4.8), layout="constrained")
        time, memory = figure.subplots(1, 2)
        _panel(time, points, unit, "wall", "time, s")
        _panel(memory, points, unit, "memory", "peak memory, MiB")
        for axes in (time, memory):
            axes.set_xlabel(label)
        handles, names = time.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None, "Creator": None})


def _panel(axes: Any, points: Sequence[Point], unit: int, metric: str, label: str) -> None:
    for key, name, role in _lines(points):
        ours = role == "ours"
        values = [(point.x / unit, _value(point, key, metric)) for point in points]
        known = [(x, y) for x, y in values if y is not None]
        axes.plot(
            [x for x, _ in known],
            [y for _, y in known],
            label=name,
            color=_OURS if ours else _COLOURS.get(key, _OTHERS),
            linewidth=2.2 if ours else 1.2,
            linestyle="--" if key == "rewrite-no-check" else "-",
            marker="o",
            markersize=3,
            zorder=3 if ours else 2,
        )
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}")
        axis.set_minor_formatter("")
    axes.set_ylabel(label)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _lines(points: Sequence[Point]) -> list[tuple[str, str, str]]:
    """Key, label and role of each contender that has a value somewhere, ours first."""
    found: dict[str, tuple[str, str, str]] = {}
    for point in points:
        for outcome in point.outcomes:
            if outcome.runs and outcome.key not in _LEFT_OUT:
                found.setdefault(outcome.key, (outcome.key, outcome.label, outcome.role))
    return sorted(found.values(), key=lambda line: line[2] != "ours")


def _value(point: Point, key: str, metric: str) -> float | None:
    outcome = point.outcome(key)
    return None if outcome is None else outcome.middle(metric)

"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.environment import same_environment
from benchmarks.results import CaseResult, Outcome, Point
from benchmarks.session import MISSING
from benchmarks.targets import TARGETS, Judgement, judge

__all__ = ["environments_section", "missing_peers", "points_section", "targets_section"]

_NOTHING = "–"


def targets_section(cases: Mapping[str, CaseResult]) -> str:
    """What has to hold: limit, value, met or not."""
    judgements = [judge(target, cases) for target in TARGETS]
    asked = [judgement for judgement in judgements if not judgement.target.informative]
    rows = [*map(_judged, asked), _untouched(cases)]
    beside = [_judged(judgement) for judgement in judgements if judgement.target.informative]
    head = ("target", "limit", "measured", "")
    return (
        _table(head, rows, "lrrl")
        + "\n\nThe same with the check of the result switched off, for comparison:\n\n"
        + _table(head, beside, "lrrl")
    )


def points_section(result: CaseResult | None, base: str) -> str:
    """All that was measured of one input; of several inputs, times and memory side by side.

    Ratios are of times, and of the base's time.
    """
    if result is None:
        return "Not measured."
    if len(result.points) == 1:
        return _point(result.points[0], base)
    return (
        f"Time in seconds:\n\n{_growth(result, 'wall')}\n\nPeak memory in MiB:\n\n{_growth(result, 'memory')}"
    )


def environments_section(cases: Mapping[str, CaseResult]) -> str:
    """Where the figures come from, one paragraph for each environment."""
    groups: list[list[str]] = []
    for key in sorted(cases):
        for group in groups:
            if same_environment(cases[group[0]].environment, cases[key].environment):
                group.append(key)
                break
        else:
            groups.append([key])
    if not groups:
        return "Nothing has been measured."
    return "\n\n".join(_environment([cases[key].environment for key in group], group) for group in groups)


def missing_peers(result: CaseResult) -> list[str]:
    """The distributions that would have been measured, had they been installed."""
    failures = {outcome.failure or "" for point in result.points for outcome in point.outcomes}
    return sorted(failure.removesuffix(MISSING) for failure in failures if failure.endswith(MISSING))


def _judged(judgement: Judgement) -> Sequence[str]:
    target = judgement.target
    unit = "×" if target.base is not None else "s" if target.metric == "wall" else "MiB"
    limit = f"≤ {target.limit:g} {unit}"
    if judgement.value is None:
        return target.text, limit, _NOTHING, f"not measured: {judgement.why}"
    digits = 0 if unit == "MiB" else 2
    return (
        target.text,
        limit,
        f"{judgement.value:.{digits}f} {unit}",
        "met" if judgement.met else "**not met**",
    )


def _untouched(cases: Mapping[str, CaseResult]) -> Sequence[str]:
    text = "c: the data file keeps its size, modification time and inode"
    if "c" not in cases:
        return text, "", _NOTHING, "not measured: case c was not measured"
    kept = cases["c"].points[0].facts["data_file_untouched"]
    return text, "", "kept" if kept else "changed", "met" if kept else "**not met**"


def _point(point: Point, base: str) -> str:
    reference = point.outcome(base)
    divisor = None if reference is None else reference.middle("wall")
    ours = [outcome for outcome in point.outcomes if outcome.role == "ours"]
    order = sorted(point.outcomes, key=lambda outcome: outcome.middle("wall") or float("inf"))
    rows = [_row(outcome, divisor, outcome in ours) for outcome in order]
    label = base if reference is None else reference.label
    head = ("", "time s", "min … max", "CPU s", "peak MiB", f"× {label}", "runs")
    table = _table(head, rows, "lrrrrrr")
    facts = ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in point.facts.items())
    return f"{facts}\n\n{table}"


def _growth(result: CaseResult, metric: str) -> str:
    """One metric of a contender in a row, one size in a column; failures are named in the table of times."""
    show = _seconds if metric == "wall" else "{:.0f}".format
    rows = []
    for first in result.points[0].outcomes:
        cells = []
        for point in result.points:
            outcome = point.outcome(first.key)
            value = None if outcome is None else outcome.middle(metric)
            why = outcome.failure if outcome is not None and metric == "wall" else None
            cells.append(show(value) if value is not None else why or _NOTHING)
        rows.append((f"**{first.label}**" if first.role == "ours" else first.label, *cells))
    head = ("", *(f"{point.x:,}" for point in result.points))
    return _table(head, rows, "l" + "r" * len(result.points))


def _row(outcome: Outcome, divisor: float | None, ours: bool) -> Sequence[str]:
    label = f"**{outcome.label}**" if ours else outcome.label
    wall = outcome.middle("wall")
    if wall is None:
        return label, outcome.failure or "did not run", "", "", "", "", "0"
    low, high = outcome.span()
    ratio = _NOTHING if not divisor else f"{wall / divisor:.2f}"
    failed = "" if outcome.failure is None else f" (then {outcome.failure})"
    return (
        label + failed,
        _seconds(wall),
        f"{_seconds(low)} … {_seconds(high)}",
        _seconds(outcome.middle("cpu") or 0.0),
        f"{outcome.middle('memory'):.0f}",
        ratio,
        str(len(outcome.runs)),
    )


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _environment(environments: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """What these cases have in common; only their dates differ."""
    environment = environments[0]
    dates = sorted(one["date"].removesuffix(" UTC") for one in environments)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    title = "Case" if len(keys) == 1 else "Cases"
    machine = f"{environment['cpus']} × {environment['cpu']}, {environment['memory_gib']} GiB"
    system = f"Linux {environment['kernel']}, {environment['filesystem']}"
    return (
        f"{title} {', '.join(keys)}: {when} UTC; {machine}, {system}; "
        f"Python {environment['python']}, {packages}; code {environment['source']}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    rules = ["---:" if letter == "r" else "---" for letter in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *rows))

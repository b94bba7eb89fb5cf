"""What was measured: kept as JSON, from which tables and plots are made again without measuring."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Run
from rewriter.atomic import write_text
from rewriter.errors import InputError

__all__ = ["PUBLISHED", "CaseResult", "Outcome", "Point", "load", "save"]

PUBLISHED = Path(__file__).parent / "results" / "latest.json"
_FORMAT = 1


@dataclass(frozen=True)
class Outcome:
    """One contender at one point.

    Attributes:
        key: what it is called across cases, e.g. ``graphsurgeon``.
        label: what it is called in tables.
        role: ``ours``, ``base`` or ``peer``.
        runs: the successful runs, in order.
        failure: why a run failed, or why there was none; None when all went well.
    """

    key: str
    label: str
    role: str
    runs: tuple[Run, ...]
    failure: str | None = None

    def middle(self, metric: str) -> float | None:
        """Median of ``wall`` or ``cpu`` in seconds, or maximum of ``memory`` in MiB; None without a run."""
        if not self.runs:
            return None
        if metric == "memory":
            return max(run.memory_mib for run in self.runs)
        return median(getattr(run, metric) for run in self.runs)

    def span(self) -> tuple[float, float]:
        """Shortest and longest wall time; there must be a run."""
        walls = [run.wall for run in self.runs]
        return min(walls), max(walls)


@dataclass(frozen=True)
class Point:
    """All contenders on one input.

    Attributes:
        x: its size: nodes, bytes or models; 0 where there is none.
        outcomes: in the order of the table.
        facts: what else was found, e.g. the size of the file.
    """

    x: int
    outcomes: tuple[Outcome, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def outcome(self, key: str) -> Outcome | None:
        """The one of this key."""
        return next((outcome for outcome in self.outcomes if outcome.key == key), None)


@dataclass(frozen=True)
class CaseResult:
    """One case, and the environment that it was measured in."""

    environment: dict[str, Any]
    points: tuple[Point, ...]


def load(path: Path) -> dict[str, CaseResult]:
    """Read the results of all cases; none when there is no such file.

    Raises:
        InputError: not a file of results.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise InputError(f"results of format {content['format']}, not {_FORMAT}", file=path)
        return {key: _case(entry) for key, entry in content["cases"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("these are not results of the benchmarks", file=path) from error


def save(path: Path, cases: dict[str, CaseResult]) -> None:
    """Write the results of all cases."""
    content = {"format": _FORMAT, "cases": {key: asdict(case) for key, case in sorted(cases.items())}}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(_rounded(content), indent=1, ensure_ascii=False) + "\n")


def _case(entry: dict[str, Any]) -> CaseResult:
    return CaseResult(entry["environment"], tuple(map(_point, entry["points"])))


def _point(entry: dict[str, Any]) -> Point:
    return Point(entry["x"], tuple(map(_outcome, entry["outcomes"])), entry["facts"])


def _outcome(entry: dict[str, Any]) -> Outcome:
    runs = tuple(Run(**run) for run in entry["runs"])
    return Outcome(entry["key"], entry["label"], entry["role"], runs, entry["failure"])


def _rounded(value: Any) -> Any:
    """Tenths of a millisecond and tenths of a MiB are beyond what can be measured."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value

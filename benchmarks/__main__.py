"""`python -m benchmarks`: measure, and make the tables and plots of docs/performance.md."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType

import click

from benchmarks.cases import CASES, Case
from benchmarks.contenders import require_own_commands
from benchmarks.environment import describe, same_environment
from benchmarks.measure import default_address_space
from benchmarks.render import DOCUMENT, render
from benchmarks.results import PUBLISHED, CaseResult, load, save
from benchmarks.session import Runs, Session
from benchmarks.workspace import filesystem_of, workspace
from rewriter.cli.common import EXIT_FAILED, reporting_errors
from rewriter.errors import UnsupportedError, UsageError

_QUICK = Path("build/benchmarks")
_IN_MEMORY = ("tmpfs", "ramfs")
_FRESH = timedelta(hours=24)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Speed and memory beside the peers that are installed here."""


@main.command("list")
def list_command() -> None:
    """List the cases, and how old the published figures are."""
    with reporting_errors():
        known = load(PUBLISHED)
        for case in CASES.values():
            measured = known[case.key].environment["date"] if case.key in known else "not measured"
            click.echo(f"{case.key:14} {case.title:60} {measured}")


@main.command("run")
@click.option("--case", "wanted", metavar="A,B", help="These cases only.")
@click.option("--quick", is_flag=True, help=f"Small inputs; results go to {_QUICK} and are not published.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="Interleaved runs of what is quick.")
@click.option("--resume", is_flag=True, help="Leave out cases measured here within a day, with this code.")
@click.option("--workdir", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR")
@click.option("--memory", type=click.FloatRange(0.5), metavar="GIB", help="What a process may map.")
def run_command(
    wanted: str | None,
    quick: bool,
    runs: int | None,
    resume: bool,
    workdir: Path | None,
    memory: float | None,
) -> None:
    """Measure, keep the results, and render the document.

    Every case is kept as soon as it is finished. The generated models (up to 18 GB at a time) lie in a temporary
    directory in DIR, and are removed after each case, after an error and after Ctrl-C.
    """
    # A terminated run cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, _interrupt)
    with reporting_errors():
        folder = _QUICK if quick else PUBLISHED.parent
        kept = folder / PUBLISHED.name
        counts = Runs(2, 1, 1) if quick else Runs()
        counts = counts if runs is None else counts.at_most(runs)
        address_space = default_address_space() if memory is None else int(memory * (1 << 30))
        require_own_commands()
        failed = False
        started = time.monotonic()
        for case in _chosen(wanted):
            cases = load(kept)
            with workspace(workdir) as place:
                environment = describe(filesystem_of(place), quick=quick)
                if resume and case.key in cases and _is_fresh(cases[case.key], environment):
                    _say(f"{case.key}: measured already")
                    continue
                if environment["filesystem"] in _IN_MEMORY:
                    _say("warning: the models lie in memory, not on a disk; use --workdir")
                session = Session(place, address_space, counts, quick, _say)
                failed = not _measure(case, session, cases, environment, kept) or failed
            _render(kept, _QUICK / DOCUMENT.name if quick else DOCUMENT)
        _say(f"finished after {time.monotonic() - started:.0f} s")
    if failed:
        raise SystemExit(EXIT_FAILED)


@main.command("render")
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=PUBLISHED,
    metavar="FILE",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=DOCUMENT, metavar="FILE")
def render_command(results: Path, output: Path) -> None:
    """Make tables and plots again from kept results, without measuring."""
    with reporting_errors():
        _render(results, output)


def _chosen(wanted: str | None) -> Sequence[Case]:
    if wanted is None:
        return list(CASES.values())
    keys = [key.strip() for key in wanted.split(",") if key.strip()]
    unknown = [key for key in keys if key not in CASES]
    if unknown or not keys:
        raise UsageError(f"no case '{', '.join(unknown)}'", remedy=f"use {', '.join(CASES)}")
    return [CASES[key] for key in keys]


def _measure(
    case: Case, session: Session, cases: dict[str, CaseResult], environment: dict[str, object], kept: Path
) -> bool:
    """Measure one case and keep it; False when this machine cannot."""
    _say(f"{case.key}: {case.title}")
    try:
        points = case.measure(session)
    except UnsupportedError as error:
        _say(f"{case.key}: not measured: {error}")
        return False
    save(kept, {**cases, case.key: CaseResult(environment, points)})
    return True


def _is_fresh(result: CaseResult, environment: dict[str, object]) -> bool:
    measured = datetime.strptime(result.environment["date"], "%Y-%m-%d %H:%M UTC").replace(
        tzinfo=timezone.utc
    )
    age = datetime.now(timezone.utc) - measured
    return age < _FRESH and same_environment(result.environment, environment)


def _render(results: Path, output: Path) -> None:
    cases = load(results)
    if output == DOCUMENT and any(case.environment["quick"] for case in cases.values()):
        raise UsageError("quick results are not published", remedy="name another file with --output")
    for path in render(cases, DOCUMENT, output):
        _say(f"wrote {path}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")

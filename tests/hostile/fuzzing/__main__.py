"""`python -m tests.hostile.fuzzing --target reader --count 1000000 --jobs 2`: damaged files against the tool."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tests.hostile.fuzzing.running import fuzz
from tests.hostile.fuzzing.targets import TARGETS


@click.command()
@click.option("--target", type=click.Choice(sorted(TARGETS)), required=True)
@click.option("--count", type=int, default=1000, show_default=True, help="Inputs to try.")
@click.option("--first", type=int, default=0, help="Number of the first input.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", type=int, default=1, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for inputs that were findings.")
@click.option("--json", "json_path", type=click.Path(path_type=Path))
def main(
    target: str, count: int, first: int, seed: int, jobs: int, keep: Path | None, json_path: Path | None
) -> None:
    """Try COUNT damaged files; exit code 1 if any was a finding. One input again: --first N --count 1."""
    report = fuzz(target, range(first, first + count), seed=seed, jobs=jobs, keep=keep)
    if json_path:
        json_path.write_text(json.dumps(report.to_json(), indent=1) + "\n")
    click.echo(report.summary())
    sys.exit(1 if report.findings else 0)


if __name__ == "__main__":
    main()

"""What every command shares: exit codes, error sentences, JSON output, where text goes."""

from __future__ import annotations

import atexit
import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewriter.errors import InputError, RewriterError

if TYPE_CHECKING:
    from rich.console import Console

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

json_option = click.option(
    "--json",
    "json_path",
    metavar="PATH",
    help="Write the result as JSON to PATH; '-' prints it on stdout and sends all other text to stderr.",
)


def console(json_path: str | None = None) -> Console:
    """The console for human text: stdout, or stderr when stdout carries JSON."""
    from rich.console import Console

    return Console(stderr=json_path == "-", highlight=False, soft_wrap=True)


def emit_json(payload: dict[str, Any], json_path: str | None) -> None:
    """Write `payload` where ``--json`` asked for it; do nothing when it was not given."""
    if json_path is None:
        return
    text = json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if json_path == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(json_path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the JSON report: {error.strerror}", file=json_path) from error


def collect_rarely() -> None:
    """Let Python look for reference cycles less often: a command makes many objects at once, and few cycles.

    It takes a fifth off the time of a rewrite of 20,000 nodes. For commands only: a library must not do this.
    """
    gc.set_threshold(200_000, 20, 100)
    # At its end the interpreter looks through every object once more; what is frozen is left out.
    atexit.register(gc.freeze)


@contextmanager
def reporting_errors(json_path: str | None = None) -> Iterator[None]:
    """Turn a `RewriterError` into one sentence on stderr (and the JSON `error` object) and exit code 2."""
    try:
        yield
    except RewriterError as error:
        if json_path == "-":
            click.echo(json.dumps({"error": error.to_json()}, indent=2, ensure_ascii=False))
        elif json_path is not None:
            # The JSON path itself may be what cannot be written; the sentence below still says why.
            try:
                Path(json_path).write_text(json.dumps({"error": error.to_json()}, indent=2), encoding="utf-8")
            except OSError:
                click.echo(f"error: {json_path}: cannot write the JSON report", err=True)
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)

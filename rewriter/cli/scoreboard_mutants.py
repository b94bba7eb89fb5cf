"""`rewriter scoreboard mutants`: wrong resizes, and whether verification finds them."""

from __future__ import annotations

import sys

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors


@click.command()
@click.argument("networks", nargs=-1, metavar="[NETWORK|PATH...]")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Every N-th mutant of a network only.",
)
@click.option("-o", "--output", metavar="FILE.md", help="Write the table as Markdown.")
@json_option
def command(networks: tuple[str, ...], every: int, output: str | None, json_path: str | None) -> None:
    """Give each resize of each network each wrong mode, and verify the result against the network.

    NETWORK is a sample network (of the folder models/, in which case the command has to run beside it; all of them by
    default), PATH a Keras file or SavedModel of fixed size. Exit code 1 if a wrong model passes, an equivalent one
    fails, or fewer than 95 % of the failures name the node and both semantics first.
    """
    with reporting_errors(json_path):
        from rich.progress import Progress

        from rewriter.atomic import write_bytes
        from rewriter.scoreboards import mutant_report
        from rewriter.scoreboards.mutants import Outcome, measured, opened

        out = console(json_path)
        found: list[Outcome] = []
        with Progress(console=console("-"), transient=True) as bar:
            for name, reference, model in opened(networks):
                for outcome in bar.track(list(measured(name, reference, model, every)), description=name):
                    found.append(outcome())
        for line in mutant_report.lines(found):
            out.print(line, markup=False)
        if output is not None:
            write_bytes(output, mutant_report.markdown(found, every).encode())
        emit_json({"mutants": [outcome.to_json() for outcome in found]}, json_path)
        if not mutant_report.is_perfect(found):
            sys.exit(EXIT_FAILED)

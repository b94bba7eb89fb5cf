"""`rewriter scoreboard onnx-node-tests`: ONNX's own tests, lowered to Core ML and simulated."""

from __future__ import annotations

import random
import sys

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors

_SUITES = ("node", "expanded", "simple", "pytorch-converted", "pytorch-operator")


@click.command()
@click.option("--suite", "suites", multiple=True, type=click.Choice(_SUITES), help="These only; repeatable.")
@click.option(
    "--sample", type=click.IntRange(1), metavar="N", help="N tests of each suite only, drawn at random."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option("-o", "--output", metavar="FILE.md", help="Write the table as Markdown.")
@json_option
def command(
    suites: tuple[str, ...],
    sample: int | None,
    seed: int,
    jobs: int,
    output: str | None,
    json_path: str | None,
) -> None:
    """Lower, save, read back and simulate every test of the onnx wheel that fits Core ML's tensors.

    Each is right, refused with the reason, or wrong. Exit code 1 if anything is wrong. All suites take some minutes.
    """
    with reporting_errors(json_path):
        from rich.progress import Progress

        from rewriter.atomic import write_bytes
        from rewriter.scoreboards import onnx_node_report, onnx_node_tests

        found: dict[str, list[onnx_node_tests.Outcome]] = {}
        out = console(json_path)
        with Progress(console=console("-"), transient=True) as bar:
            for suite in suites or _SUITES:
                cases = list(onnx_node_tests.collect(suite).values())
                if sample is not None and sample < len(cases):
                    cases = random.Random(seed).sample(cases, sample)
                found[suite] = []
                for outcome in bar.track(
                    onnx_node_tests.measured(cases, jobs), len(cases), description=suite
                ):
                    found[suite].append(outcome)
        for line in onnx_node_report.lines(found):
            out.print(line, markup=False)
        if output is not None:
            write_bytes(output, onnx_node_report.markdown(found).encode())
        payload = {
            suite: {
                "counts": onnx_node_report.counts(outcomes),
                "tests": [outcome.to_json() for outcome in outcomes],
            }
            for suite, outcomes in found.items()
        }
        emit_json({"suites": payload}, json_path)
        if any(outcome.verdict == "wrong" for outcomes in found.values() for outcome in outcomes):
            sys.exit(EXIT_FAILED)

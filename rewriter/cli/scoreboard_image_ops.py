"""`rewriter scoreboard image-ops`: TensorFlow's image ops, converted to ONNX, against TensorFlow eager."""

from __future__ import annotations

import sys

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors


@click.command()
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Measure N cases only, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option("-o", "--output", metavar="FILE.md", help="Write the table as Markdown.")
@json_option
def command(sample: int | None, seed: int, output: str | None, json_path: str | None) -> None:
    """Convert every TensorFlow image op on every element type, layout and size; compare with TensorFlow eager.

    Each case is right, refused with the reason, or wrong. It is measured as converted, with onnxruntime's own
    optimisations, and after the default passes. Exit code 1 if anything is wrong. The whole matrix takes minutes.
    """
    with reporting_errors(json_path):
        from rich.progress import Progress

        from rewriter.atomic import write_bytes
        from rewriter.scoreboards import image_op_report, image_ops

        cases = image_ops.sample(sample, seed)
        out = console(json_path)
        with Progress(console=console("-"), transient=True) as bar:
            task = bar.add_task("measuring", total=len(cases))
            outcomes = image_ops.measure(cases, lambda done: bar.update(task, completed=done))
        drawn = None if sample is None or len(cases) < sample else (sample, seed)
        for line in image_op_report.lines(outcomes):
            out.print(line, markup=False)
        if output is not None:
            write_bytes(output, image_op_report.markdown(outcomes, drawn).encode())
        counts = image_op_report.counts(outcomes)
        emit_json({"counts": counts, "cases": [outcome.to_json() for outcome in outcomes]}, json_path)
        if counts["wrong"]:
            sys.exit(EXIT_FAILED)

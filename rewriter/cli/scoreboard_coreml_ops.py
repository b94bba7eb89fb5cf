"""`rewriter scoreboard coreml-ops`: Apple's operator tests, simulated, against Apple's expected values."""

from __future__ import annotations

import sys

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors


@click.command()
@click.option("--sample", type=click.IntRange(1), metavar="N", help="At most N cases of each test function.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option(
    "--processes", type=click.IntRange(1), metavar="N", help="Share the work; default: one per core."
)
@click.option("-o", "--output", metavar="FILE.md", help="Write the table as Markdown.")
@json_option
def command(
    sample: int | None, seed: int, processes: int | None, output: str | None, json_path: str | None
) -> None:
    """Run the operator tests that ship in the coremltools wheel through the simulator.

    Each case is converted, saved, read back, simulated and compared with Apple's expected values. Exit code 1 if any
    case is neither right nor on the list of named exceptions. The tests of TensorFlow's image resizing follow, where
    TensorFlow is installed and no sample is asked for. All of them take half an hour.
    """
    with reporting_errors(json_path):
        from importlib.metadata import version
        from importlib.util import find_spec

        from rewriter.atomic import write_bytes
        from rewriter.scoreboards import coreml_op_report, coreml_ops, tensorflow_resizes

        out = console(json_path)
        with out.status("running Apple's operator tests"):
            outcomes = coreml_ops.measure(sample, seed, processes)
        resizes = None
        if sample is None and find_spec("tensorflow") is not None:
            with out.status("running the tests of TensorFlow's image resizing"):
                resizes = tensorflow_resizes.measure()
        for line in coreml_op_report.lines(outcomes):
            out.print(line, markup=False)
        for line in coreml_op_report.resize_lines(resizes) if resizes is not None else ():
            out.print(line, markup=False)
        if output is not None:
            drawn = None if sample is None else (sample, seed)
            page = coreml_op_report.markdown(outcomes, version("coremltools"), drawn, resizes)
            write_bytes(output, page.encode())
        counts = coreml_op_report.counts(outcomes)
        emit_json({"counts": counts, "triples": [outcome.to_json() for outcome in outcomes]}, json_path)
        wrong_resizes = any(record["status"] != "matched" for record in resizes or ())
        if counts["wrong"] or not counts["matched"] or wrong_resizes:
            sys.exit(EXIT_FAILED)

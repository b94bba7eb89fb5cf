"""`rewriter verify`: may this model ship?"""

from __future__ import annotations

import sys

import click

from rewriter.cli.common import EXIT_FAILED, EXIT_OK, console, emit_json, json_option, reporting_errors


@click.command()
@click.argument("reference")
@click.argument("candidates", nargs=-1, metavar="CANDIDATE...")
@click.option(
    "--inputs", metavar="FILE|DIR", help="Your own inputs (.npy, .npz, pictures), run beside the probes."
)
@click.option("--rtol", type=float, help="Bound on max|d| / range; 1e-4 for float32, 1e-2 for float16.")
@click.option("--atol", type=float, help="Absolute bound that is enough to pass on its own.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the probe inputs."
)
@click.option(
    "--engine",
    type=click.Choice(["simulator", "coreml"]),
    help="What runs Core ML; default: what exists here.",
)
@click.option("--builder", metavar="PKG.MODULE:FUNCTION", help="Build the reference from code; see below.")
@click.option("--weights", metavar="FILE", help="Weights to load into what the builder returns.")
@click.option("--report", "report_path", metavar="FILE.html", help="Write a self-contained HTML report.")
@click.option("--junit", "junit_path", metavar="FILE.xml", help="Write JUnit XML.")
@json_option
def command(
    reference: str,
    candidates: tuple[str, ...],
    inputs: str | None,
    rtol: float | None,
    atol: float | None,
    seed: int,
    engine: str | None,
    builder: str | None,
    weights: str | None,
    report_path: str | None,
    junit_path: str | None,
    json_path: str | None,
) -> None:
    """Compare CANDIDATEs with REFERENCE; exit code 1 when one of them differs.

    Each is a .keras or .h5 file, a SavedModel directory, .onnx, .mlpackage, or (as reference) a golden .npz.
    With --builder, the network that it builds is the reference and every argument is a candidate.
    """
    out = console(json_path)
    with reporting_errors(json_path):
        from rewriter.verification import verify
        from rewriter.verification.report.terminal import print_report

        network, others = _sides(reference, candidates, builder, weights)
        with console("-").status("starting") as status:
            report = verify(
                network,
                others,
                inputs=inputs,
                rtol=rtol,
                atol=atol,
                seed=seed,
                engine=engine,
                progress=status.update,
            )
        print_report(report, out)
        if report_path is not None:
            _write_html(report, report_path, reference)
        if junit_path is not None:
            from rewriter.verification.report.junit import write

            write(report, junit_path)
        emit_json({"verification": report.to_json()}, json_path)
    sys.exit(EXIT_OK if report.passed else EXIT_FAILED)


def _sides(
    reference: str, candidates: tuple[str, ...], builder: str | None, weights: str | None
) -> tuple[object, list[str]]:
    if builder is None and weights is None:
        return reference, list(candidates)
    from rewriter.tensorflow.load import load_keras

    return load_keras(None, builder=builder, weights=weights), [reference, *candidates]


def _write_html(report: object, path: str, title: str) -> None:
    from pathlib import Path

    from rewriter.environment import versions
    from rewriter.verification.report.html import ReportContext, write
    from rewriter.verification.result import VerificationReport

    assert isinstance(report, VerificationReport)
    write(report, path, ReportContext(title=Path(title).name, environment=versions()))

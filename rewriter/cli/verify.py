"""`rewriter verify`: may this model ship?"""

from __future__ import annotations

import sys

import click

from rewriter.cli.common import EXIT_FAILED, EXIT_OK, console, emit_json, json_option, reporting_errors


@click.command()
@click.argument("reference")
@click.argument("candidates", nargs=-1, metavar="CANDIDATE...")
@click.option(
    "--level",
    type=click.Choice(["static", "model"]),
    default="model",
    show_default=True,
    help="static: hold each Resize against what is recorded of it, and run nothing; model: run both and compare.",
)
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
    level: str,
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

    Each is a .keras or .h5 file, a SavedModel directory, .pb, .tflite, .onnx, .mlpackage, .mlmodel, or (as reference)
    a golden .npz. optimised:FILE.onnx runs with onnxruntime's optimisations, onnx.reference:FILE.onnx in onnx's own
    reference implementation.
    With --builder, the network that it builds is the reference and every argument is a candidate.
    With --level static the files are ONNX, and one file alone is held against its own records.
    """
    out = console(json_path)
    if level == "static":
        with reporting_errors(json_path):
            given = {"--builder": builder, "--inputs": inputs, "--report": report_path, "--junit": junit_path}
            passed = _static(
                (reference, *candidates), [name for name, value in given.items() if value], json_path
            )
        sys.exit(EXIT_OK if passed else EXIT_FAILED)
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


def _static(files: tuple[str, ...], misplaced: list[str], json_path: str | None) -> bool:
    """Check the files without running them; the first of several is the reference. Whether all passed."""
    from rich.markup import escape
    from rich.table import Table

    from rewriter.errors import UsageError
    from rewriter.model import Model
    from rewriter.verification.static import check_static

    if misplaced:
        raise UsageError(
            f"--level static runs nothing, so {', '.join(misplaced)} has no use", remedy="leave it out"
        )
    models = [Model.load(file) for file in files]
    reference, candidates = (None, models) if len(models) == 1 else (models[0], models[1:])
    reports = [check_static(candidate, reference) for candidate in candidates]
    out = console(json_path)
    for report in reports:
        table = Table(title=escape(report.model))
        for title in ("resize", "samples", "should sample", "because", "verdict"):
            table.add_column(title, overflow="fold")
        for entry in report.resizes:
            verdict = "–" if entry.same is None else "same" if entry.same else "[red]different[/red]"
            cells = (entry.node, entry.samples, entry.should or "–", entry.because)
            table.add_row(*map(escape, cells), verdict)
        out.print(table)
        for finding in report.diagnosis:
            out.print(f"[red]{finding.level}[/red]: {escape(finding.message)}")
            out.print(f"  remedy: {escape(finding.remedy or '')}")
    passed = all(report.passed for report in reports)
    out.print(
        "[bold green]verified, statically[/bold green]" if passed else "[bold red]not verified[/bold red]"
    )
    findings = [finding.to_json() for report in reports for finding in report.diagnosis]
    models_json = [report.to_json() for report in reports]
    emit_json(
        {
            "verification": {
                "level": "static",
                "passed": passed,
                "pairs": [],
                "models": models_json,
                "diagnosis": findings,
            }
        },
        json_path,
    )
    return passed


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

"""`rewriter deploy`: convert, rewrite, verify, lower, verify again, report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors

if TYPE_CHECKING:
    from rich.console import Console

    from rewriter.deployment import Deployment


@click.command()
@click.argument("source", required=False)
@click.option("-o", "--output", "directory", required=True, metavar="DIR", help="Directory for all outputs.")
@click.option(
    "--builder", metavar="PKG.MODULE:FUNCTION", help="Build the network from code instead of a file."
)
@click.option("--weights", metavar="FILE", help="Weights to load into what the builder returns.")
@click.option("--opset", type=int, default=None, help="ONNX opset to convert to.")
@click.option("--shape", "shapes", multiple=True, metavar="NAME:1,H,W,3", help="Pin an input's shape.")
@click.option("--intent", default="auto", show_default=True, help="As for `rewrite`.")
@click.option("--set", "rules", multiple=True, metavar="NODE-GLOB=MODE", help="As for `rewrite`; repeatable.")
@click.option(
    "--target", default="iOS17", show_default=True, help="Minimum deployment target, iOS13 to iOS18."
)
@click.option(
    "--precision",
    type=click.Choice(["float16", "float32"]),
    help="Compute precision of the Core ML program; float16 unless given.",
)
@click.option(
    "--custom-layer",
    type=click.Choice(["auto", "always", "never"]),
    help="iOS13 and iOS14: which resizes become the custom layer RWAlignedResize; auto unless given.",
)
@click.option("--inputs", metavar="FILE|DIR", help="Your own inputs, verified beside the built-in ones.")
@json_option
def command(
    source: str | None,
    directory: str,
    builder: str | None,
    weights: str | None,
    opset: int | None,
    shapes: tuple[str, ...],
    intent: str,
    rules: tuple[str, ...],
    target: str,
    precision: str | None,
    custom_layer: str | None,
    inputs: str | None,
    json_path: str | None,
) -> None:
    """Take SOURCE (a .keras file, .h5 file or SavedModel directory) to a verified Core ML model.

    Leaves model.onnx, model.mlpackage (model.mlmodel for iOS13 and iOS14), report.html and report.json in DIR. When a
    verification fails, the exit code is 1 and the models are under DIR/rejected.
    """
    out = console(json_path)
    with reporting_errors(json_path):
        from rewriter.cli.options import parse_shapes
        from rewriter.deployment import deploy

        pinned = parse_shapes(shapes)
        with console("-").status("starting") as status:

            def progress(step: str) -> None:
                status.update(step)
                out.print(f"• {step}", markup=False)

            deployment = deploy(
                source,
                directory,
                builder=builder,
                weights=weights,
                opset=opset,
                shapes=pinned,
                intent=intent,
                rules=rules,
                target=target,
                precision=precision,
                custom_layer=custom_layer,
                inputs=inputs,
                progress=progress,
            )
        _print_summary(deployment, out)
        emit_json(deployment.to_json(), json_path)
    sys.exit(0 if deployment.passed else EXIT_FAILED)


def _print_summary(deployment: Deployment, out: Console) -> None:
    from rewriter.verification.report.terminal import print_report

    print_report(deployment.verification, out)
    total = sum(deployment.operators.values())
    out.print(f"Core ML model: {total} operators. Outputs are in {deployment.directory}")

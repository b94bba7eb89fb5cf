"""`rewriter figure`: the reference's segmentation, the candidates' contours, and the sampling grids."""

from __future__ import annotations

from pathlib import Path

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors


@click.command()
@click.argument("reference")
@click.argument("candidates", nargs=-1, required=True, metavar="CANDIDATE…")
@click.option(
    "--input", "image", required=True, metavar="IMAGE", help="A picture (.png) or array (.npy, .npz)."
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FIGURE.png|svg",
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@click.option("--label", "labels", multiple=True, metavar="TEXT", help="Name of a candidate; one for each.")
@click.option(
    "--grid",
    nargs=2,
    type=click.IntRange(2, 24),
    default=(5, 10),
    show_default=True,
    metavar="N_IN N_OUT",
    help="Lengths that the sampling grids show.",
)
@json_option
def command(
    reference: str,
    candidates: tuple[str, ...],
    image: str,
    output: Path,
    labels: tuple[str, ...],
    grid: tuple[int, int],
    json_path: str | None,
) -> None:
    """Draw where CANDIDATEs' segmentations part from REFERENCE's; each is anything that `rewriter verify` takes."""
    with reporting_errors(json_path):
        from rewriter.atomic import write_bytes
        from rewriter.errors import UsageError
        from rewriter.figures.comparison import FORMATS, compare_outputs, comparison_figure, read_maps

        file_format = output.suffix.lstrip(".").lower()
        if file_format not in FORMATS:
            raise UsageError(
                f"cannot draw {output.name}", remedy=f"name it {output.stem}.{' or .'.join(FORMATS)}"
            )
        out = console(json_path)
        with out.status("running the networks"):
            picture, first, others = read_maps(reference, candidates, image, labels)
            drawn = comparison_figure(picture, first, others, file_format=file_format, grid=grid)
            write_bytes(output, drawn)
        pixels = int(first.output.shape[0] * first.output.shape[1])
        differing = compare_outputs(first, others)
        for label, count in differing.items():
            out.print(f"{label}: {count} of {pixels} pixels in another class", markup=False)
        out.print(f"wrote {output}", markup=False)
        emit_json(
            {"output": str(output), "pixels": pixels, "differing": dict(differing)},
            json_path,
        )

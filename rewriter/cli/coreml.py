"""`rewriter coreml`: lower an ONNX model to a Core ML package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors
from rewriter.coreml.lowering.targets import PRECISIONS, READINGS, TARGET_CHOICES
from rewriter.errors import UsageError

if TYPE_CHECKING:
    from rewriter.coreml.lowering import LoweredModel
    from rewriter.coreml.neuralnetwork import LoweredNetwork


@click.command()
@click.argument("source", metavar="IN.onnx", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT.mlpackage",
    type=click.Path(path_type=Path),
    help="Package; OUT.mlmodel for targets iOS13 and iOS14.",
)
@click.option(
    "--target",
    default="iOS17",
    show_default=True,
    metavar="[iOS13…iOS18|macOS10.15…macOS15]",
    type=click.Choice(TARGET_CHOICES, case_sensitive=False),
    help="Oldest system that the package has to load on.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What a program computes in, float16 unless given; inputs and outputs are float32.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME:1,H,W,3",
    help="Lengths of an input that the model leaves open; repeatable.",
)
@click.option(
    "--custom-layer",
    type=click.Choice(["auto", "always", "never"]),
    help="iOS13 and iOS14: which resizes become the custom layer RWAlignedResize; auto unless given.",
)
@click.option(
    "--emit-sources",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="iOS13 and iOS14: write the custom layer's sources and tests for Xcode there.",
)
@click.option(
    "--reading",
    type=click.Choice(READINGS),
    help="Who is right where they read a Resize differently (align_corners by fractional scales); default: refuse.",
)
@click.option("--explain", is_flag=True, help="Say why each Resize is expressed as it is.")
@json_option
def command(
    source: Path,
    output: Path,
    target: str,
    precision: str | None,
    shapes: tuple[str, ...],
    custom_layer: str | None,
    emit_sources: Path | None,
    reading: str | None,
    explain: bool,
    json_path: str | None,
) -> None:
    """Lower an ONNX model to a Core ML package, or to a .mlmodel file for targets iOS13 and iOS14."""
    with reporting_errors(json_path):
        from rewriter.coreml.formats import choose_format
        from rewriter.model import Model

        pinned = dict(parse_shape(text) for text in shapes)
        form = choose_format(target, precision, custom_layer, wants_sources=emit_sources is not None)
        form.check_path(output)
        model = Model.load(source)
        out = console(json_path)
        with out.status("lowering") as status:
            lowered = form.lower(
                model,
                shapes=pinned,
                reading=reading,
                progress=lambda phase, done, total: status.update(f"{phase} {done}/{total}"),
            )
            lowered.save(output)
        _print(out, lowered, output, explain)
        if any(entry["kind"] == "custom" for entry in lowered.resizes) and emit_sources is None:
            out.print("to load it, an app needs the class RWAlignedResize: --emit-sources DIR writes it")
        if emit_sources is not None:
            from rewriter.coreml.customlayer.emitting import emit_sources as emit

            out.print(
                f"wrote {len(emit(emit_sources, lowered.resizes))} files to {emit_sources}", markup=False
            )
        emit_json(_payload(lowered, output), json_path)


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``NAME:1,64,64,3`` as a name and its lengths; the last colon separates, because names may hold colons.

    Raises:
        UsageError: no colon, or lengths that are not positive whole numbers.
    """
    name, separator, lengths = text.rpartition(":")
    parts = [part.strip() for part in lengths.split(",")]
    if not separator or not name or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"--shape {text} is not understood", remedy="write it as NAME:1,64,64,3")
    return name, tuple(int(part) for part in parts)


def _print(out: Any, lowered: LoweredModel | LoweredNetwork, output: Path, explain: bool) -> None:
    from rich.table import Column, Table

    if lowered.resizes:
        headings = ["resize", "computes", "expressed as", *(["why"] if explain else [])]
        table = Table(*(Column(heading, overflow="fold") for heading in headings))
        for entry in lowered.resizes:
            form = entry["op"] or entry["kind"]
            mode = entry["parameters"].get("sampling_mode")
            row = [entry["node"], entry["semantics"], f"{form} {mode}" if mode else form]
            table.add_row(*row, *([entry["reason"]] if explain else []))
        out.print(table)
    counts = lowered.operator_counts
    listing = ", ".join(f"{name} {count}" for name, count in counts.items())
    out.print(f"{sum(counts.values())} operators: {listing}", markup=False)
    out.print(f"wrote {output} ({lowered.target}, {lowered.precision})", markup=False)


def _payload(lowered: LoweredModel | LoweredNetwork, output: Path) -> dict[str, Any]:
    return {
        "output": str(output),
        "target": lowered.target,
        "precision": lowered.precision,
        "names": dict(lowered.names),
        "operators": lowered.operator_counts,
        "resizes": lowered.resizes,
    }

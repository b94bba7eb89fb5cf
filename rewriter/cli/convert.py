"""`rewriter convert`: TensorFlow and Keras models to ONNX, with provenance."""

from __future__ import annotations

import json
from typing import Any

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors


@click.command()
@click.argument("source", required=False)
@click.option("-o", "--output", required=True, metavar="OUT.onnx", help="The file to write.")
@click.option(
    "--builder", metavar="PKG.MODULE:FUNCTION", help="Build the network from code instead of a file."
)
@click.option("--weights", metavar="FILE", help="Weights to load into what the builder returns.")
@click.option("--signature", metavar="NAME", help="Signature of a SavedModel; serving_default by default.")
@click.option("--inputs", metavar="NAME:0,...", help="Inputs of a frozen graph; by default its placeholders.")
@click.option(
    "--outputs", metavar="NAME:0,...", help="Outputs of a frozen graph; by default what nothing reads."
)
@click.option("--opset", type=int, default=None, help="ONNX opset, 11 to 18; 18 by default.")
@click.option("--shape", "shapes", multiple=True, metavar="NAME:1,H,W,3", help="Pin an input's shape.")
@click.option(
    "--custom-object",
    "custom_objects",
    multiple=True,
    metavar="PKG.MODULE:CLASS",
    help="A layer of your own that the file names; may be repeated.",
)
@click.option("--unsafe", is_flag=True, help="Let Lambda layers run code from the file.")
@click.option("-v", "--verbose", is_flag=True, help="Show what TensorFlow and tf2onnx log.")
@json_option
def command(
    source: str | None,
    output: str,
    builder: str | None,
    weights: str | None,
    signature: str | None,
    inputs: str | None,
    outputs: str | None,
    opset: int | None,
    shapes: tuple[str, ...],
    custom_objects: tuple[str, ...],
    unsafe: bool,
    verbose: bool,
    json_path: str | None,
) -> None:
    """Convert SOURCE to ONNX: a .keras or .h5 file, a SavedModel directory, a frozen .pb or a .tflite file.

    Every resize keeps its TensorFlow name, and its op and flags go into the file's metadata.
    """
    out = console(json_path)
    with reporting_errors(json_path):
        from rewriter.cli.options import parse_shapes
        from rewriter.errors import UsageError

        if source is None and builder is None:
            raise UsageError(
                "nothing to convert", remedy="give a model file, or --builder pkg.module:function"
            )
        pinned = parse_shapes(shapes)
        with out.status("converting"):
            from rewriter.atomic import write_bytes
            from rewriter.tensorflow.convert import DEFAULT_OPSET, convert
            from rewriter.tensorflow.load import load

            network = load(
                source,
                builder=builder,
                weights=weights,
                signature=signature,
                inputs=inputs.split(",") if inputs else None,
                outputs=outputs.split(",") if outputs else None,
                custom_objects=custom_objects,
                unsafe=unsafe,
            )
            chosen = DEFAULT_OPSET if opset is None else opset
            model = convert(network, opset=chosen, shapes=pinned, verbose=verbose)
            write_bytes(output, model.SerializeToString())
        sources = _sources(model)
        for name, record in sources.items():
            flags = [flag for flag in ("align_corners", "half_pixel_centers") if record[flag]]
            out.print(f"{name}: {record['op']}({', '.join(flags)})", markup=False)
        out.print(f"wrote {output}: {len(model.graph.node)} nodes, {len(sources)} resizes", markup=False)
        emit_json({"output": output, "nodes": len(model.graph.node), "sources": sources}, json_path)


def _sources(model: Any) -> dict[str, Any]:
    from rewriter.tensorflow.provenance import MODEL_KEY

    values = [entry.value for entry in model.metadata_props if entry.key == MODEL_KEY]
    return dict(json.loads(values[0])) if values else {}

"""`rewriter inspect FILE`: what every resize of a model computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors

if TYPE_CHECKING:
    from rich.console import Console


@click.command()
@click.argument("file")
@json_option
def command(file: str, json_path: str | None) -> None:
    """Show every resize of FILE (.onnx): where it is, what it computes, whose habit that is, and how each Core ML
    target can express it."""
    with reporting_errors(json_path):
        from rewriter.inspection import inspect_model
        from rewriter.model import Model

        entries = inspect_model(Model.load(file))
        out = console(json_path)
        if not entries:
            out.print(f"{file}: no Resize and no Upsample", markup=False)
        for entry in entries:
            _print(entry, out)
        emit_json({"file": file, "resizes": entries}, json_path)


def _print(entry: dict[str, Any], out: Console) -> None:
    where = "" if entry["graph"] == "main" else f"  in {entry['graph']}"
    out.print(f"{entry['node']}  ({entry['op']}, opset {entry['opset']}){where}", style="bold", markup=False)
    lines = [
        ("shape", f"{_shape(entry['input_shape'])} → {_shape(entry['output_shape'])}"),
        ("computes", entry["semantics"]),
        ("habit of", entry["habit"] or "no framework known to us"),
        ("recorded", _recorded(entry["provenance"])),
        ("shift against align_corners", _shift(entry["shift_against_align_corners"])),
        *_coreml(entry["coreml"]),
        ("note", entry["problem"]),
    ]
    for title, text in lines:
        if text:
            out.print(f"  {title}: {text}", markup=False)


def _shape(shape: list[Any] | None) -> str:
    return "?" if shape is None else "×".join("?" if length is None else str(length) for length in shape)


def _recorded(provenance: dict[str, Any] | None) -> str | None:
    if provenance is None:
        return None
    flags = [name for name in ("align_corners", "half_pixel_centers") if provenance.get(name)]
    return " ".join([str(provenance.get("framework")), str(provenance.get("op")), *flags])


def _shift(shift: dict[str, float] | None) -> str | None:
    if shift is None:
        return None
    if shift["max"] == 0:
        return "none"
    sides = ", ".join(f"{name} {shift[name]:+.3g}" for name in ("left", "centre", "right"))
    return f"{shift['max']:.3g} px ({sides})"


def _coreml(expressions: dict[str, dict[str, Any] | None]) -> list[tuple[str, str]]:
    """One line per group of targets that express the node in the same way."""
    groups: dict[str, list[str]] = {}
    for target, expression in expressions.items():
        if expression is not None:
            groups.setdefault(_expression(expression), []).append(target)
    return [(f"Core ML {', '.join(targets)}", text) for text, targets in groups.items()]


def _expression(expression: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in expression["parameters"].items())
    op = expression["op"] or expression["kind"]
    return f"{op}({parameters})" if parameters else f"{op}: {expression['reason']}"

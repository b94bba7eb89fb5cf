"""`rewriter alignment MODEL.onnx`: where branches meet that lie on different pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors

if TYPE_CHECKING:
    from rich.console import Console

    from rewriter.alignment import Alignment, Merge
    from rewriter.resampling.alignment import Gap


@click.command()
@click.argument("file", metavar="MODEL.onnx")
@json_option
def command(file: str, json_path: str | None) -> None:
    """Follow the pixel grid from the inputs through MODEL.onnx, and report merges (Add, Concat, Mul, ...) whose
    branches lie on different pixels: by how much, and which resize mode at which node would close the gap.

    Distances are in pixels of the model's input. It is a report: the exit code is 0 whatever it finds.
    """
    with reporting_errors(json_path):
        from rewriter.alignment import analyse
        from rewriter.model import Model

        found = analyse(Model.load(file))
        _print(file, found, console(json_path))
        emit_json({"file": file, **found.to_json()}, json_path)


def _print(file: str, found: Alignment, out: Console) -> None:
    compared = found.agreeing + len(found.merges)
    if not found.merges:
        text = (
            f"{compared} pairs of branches meet, all on the same pixels" if compared else "no branches meet"
        )
    else:
        text = f"{len(found.merges)} of {compared} pairs of branches (per axis) meet on different pixels"
    out.print(f"{file}: {text}", markup=False)
    for merge in found.merges:
        _print_merge(merge, out)
    for output in found.outputs:
        for axis, grid in output.grids.items():
            if grid.scale == 1 and grid.offset == 0:
                continue
            out.print(
                f"  output {output.name}, axis {axis}: pixel i lies at {_number(grid.offset)} + "
                f"{_number(grid.scale)} i of {grid.source[0]} axis {grid.source[1]}"
                + (f", shifted by {_signed(grid.shift)} px" if grid.shift else ", centred"),
                markup=False,
            )
        if output.reason is not None:
            out.print(f"  output {output.name}: {output.reason}", markup=False)
    for entry in found.unknown:
        where = "" if entry.graph == "main" else f" in {entry.graph}"
        out.print(f"  grid unknown after {entry.op} '{entry.node}'{where}: {entry.reason}", markup=False)


def _print_merge(merge: Merge, out: Console) -> None:
    where = "" if merge.graph == "main" else f"  in {merge.graph}"
    out.print(f"{merge.node}  ({merge.op}, axis {merge.axis}){where}", style="bold", markup=False)
    for name, grid in zip(merge.branches, merge.grids, strict=True):
        through = f", through {', '.join(step.node for step in grid.resizes)}" if grid.resizes else ""
        out.print(
            f"  {name}: pixel i lies at {_number(grid.offset)} + {_number(grid.scale)} i{through}",
            markup=False,
        )
    out.print(f"  gap: {_gap(merge.gap)}", markup=False)
    out.print(f"  {merge.remedy()}", markup=False)


def _gap(gap: Gap) -> str:
    if gap.centre is None or gap.right is None:
        return f"{_signed(gap.left)} px at the left; it grows towards the right, the length is not known"
    if gap.left == gap.centre == gap.right:
        return f"{_signed(gap.left)} px everywhere"
    return (
        f"{_signed(gap.left)} px at the left, {_signed(gap.centre)} in the centre, "
        f"{_signed(gap.right)} at the right"
    )


def _number(value: object) -> str:
    return f"{float(value):.6g}"  # type: ignore[arg-type]


def _signed(value: object) -> str:
    return f"{float(value):+.4g}"  # type: ignore[arg-type]

"""`rewriter diff`: what differs between two ONNX files, field by field."""

from __future__ import annotations

import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import EXIT_FAILED, console, emit_json, json_option, reporting_errors

if TYPE_CHECKING:
    from rewriter.difference import Difference, Differences

__all__ = ["command", "print_differences"]


@click.command()
@click.argument("first", metavar="A.onnx", type=click.Path(path_type=Path))
@click.argument("second", metavar="B.onnx", type=click.Path(path_type=Path))
@click.option(
    "--ignore",
    multiple=True,
    metavar="GLOB",
    help="Leave out differences whose field matches, e.g. 'doc_string' or 'value_info *'; repeatable.",
)
@click.option("--max", "limit", default=200, show_default=True, help="How many differences to print.")
@json_option
def command(first: Path, second: Path, ignore: tuple[str, ...], limit: int, json_path: str | None) -> None:
    """Show what differs between two ONNX files: metadata, nodes, attributes, weights, subgraphs, functions.

    Exit code 0: nothing differs; 1: something does; 2: a file cannot be read.
    """
    with reporting_errors(json_path):
        from rewriter.difference import Differences, compare_files

        found = compare_files(first, second)
        kept = tuple(entry for entry in found.found if not _matches(entry, ignore))
        found = Differences(kept, found.is_identical)
        print_differences(found, console(json_path), limit)
        emit_json({"first": str(first), "second": str(second), **found.to_json()}, json_path)
    if found.found:
        sys.exit(EXIT_FAILED)


def _matches(entry: Difference, ignore: tuple[str, ...]) -> bool:
    return any(fnmatchcase(entry.what, pattern) for pattern in ignore)


def print_differences(found: Differences, out: Any, limit: int) -> None:
    """Print differences by graph and node."""
    if found.is_identical:
        out.print("the files are identical")
        return
    if not found.found:
        out.print("nothing differs but what was ignored")
        return
    for (graph, node), group in groupby(found.found[:limit], lambda entry: (entry.graph, entry.node)):
        title = " ".join(part for part in (graph or "model", f"'{node}'" if node else "") if part)
        out.print(title, style="bold", markup=False)
        for entry in group:
            out.print(f"  {_line(entry)}", markup=False)
    if len(found.found) > limit:
        out.print(
            f"and {len(found.found) - limit} more (--max shows more, the JSON report has all)", markup=False
        )
    count = len(found.found)
    out.print(f"{count} difference{'s' if count > 1 else ''}", markup=False)


def _line(entry: Difference) -> str:
    """A difference without its place, which the line above says."""
    return str(replace(entry, graph="", node=None))

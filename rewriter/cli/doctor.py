"""`rewriter doctor`: what is installed, and what each missing extra would add."""

from __future__ import annotations

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors


@click.command()
@json_option
def command(json_path: str | None) -> None:
    """Show what is installed and what each extra would add."""
    from rich.table import Table

    from rewriter.environment import has_core_ml_runtime, packages, versions

    with reporting_errors(json_path):
        found = packages()
        out = console(json_path)
        table = Table("package", "version", "needed for")
        for package in found:
            table.add_row(package.name, package.version or "missing", package.adds or "everything")
        out.print(table)
        missing = sorted({package.extra for package in found if package.version is None and package.extra})
        for extra in missing:
            out.print(f"pip install 'rewriter[{extra}]'", markup=False)
        runtime = "Apple's runtime" if has_core_ml_runtime() else "the simulator (no Mac)"
        out.print(f"Core ML models run in {runtime}.")
        emit_json(
            {
                "environment": versions(),
                "missing_extras": missing,
                "core_ml_runtime": has_core_ml_runtime(),
            },
            json_path,
        )

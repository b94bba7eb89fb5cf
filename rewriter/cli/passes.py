"""`rewriter passes`: list the passes."""

from __future__ import annotations

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors


@click.command()
@json_option
def command(json_path: str | None) -> None:
    """List the passes, built in and from plug-ins, and which of them `rewrite` runs."""
    with reporting_errors(json_path):
        from rich.table import Table

        from passes.registry import DEFAULT, get, names

        entries = [
            {"name": name, "summary": get(name).summary, "default": name in DEFAULT} for name in names()
        ]
        table = Table("pass", "what it does", "run by default")
        for entry in entries:
            table.add_row(str(entry["name"]), str(entry["summary"]), "yes" if entry["default"] else "no")
        console(json_path).print(table)
        emit_json({"passes": entries}, json_path)

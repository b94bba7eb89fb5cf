"""`python -m rewriter.coreml.customlayer`: check the custom layer's sources on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from rewriter.cli.common import EXIT_FAILED, reporting_errors
from rewriter.coreml.customlayer.cases import random_cases
from rewriter.coreml.customlayer.checking import TOLERANCE, check_types, compile_for_ios, run_cases
from rewriter.coreml.customlayer.toolchain import SOURCES, CompileError, find_toolchain, missing_packages


@click.command()
@click.argument("directory", default=SOURCES, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--cases", "count", default=600, show_default=True, help="Random cases to run.")
@click.option("--seed", default=0, show_default=True)
@click.option("--missing", is_flag=True, help="Only print the Debian packages that are missing.")
def main(directory: Path, count: int, seed: int, missing: bool) -> None:
    """Check the custom layer's sources in DIRECTORY, by default those of this package."""
    if missing:
        click.echo(" ".join(missing_packages()))
        return
    with reporting_errors():
        tools = find_toolchain()
        try:
            check_types(directory, tools)
            click.echo("types: ok (MLCustomLayer's required methods are there, -Werror)")
            compile_for_ios(directory, tools=tools)
            click.echo("arm64-apple-ios13.0: compiled")
            result = run_cases(list(random_cases(count, seed)), directory, tools)
        except CompileError as error:
            click.echo(f"failed: {error}", err=True)
            raise SystemExit(EXIT_FAILED) from error
    click.echo(
        f"{result.cases} random cases: CPU path within {result.cpu:.1e} of the algebra, "
        f"kernel arithmetic within {result.kernel:.1e}"
    )
    click.echo("not checked here: the Metal compiler, and execution on a GPU")
    if result.wrong:
        click.echo(f"failed: cases {result.wrong[:20]} differ by more than {TOLERANCE:g}", err=True)
        raise SystemExit(EXIT_FAILED)


if __name__ == "__main__":
    main()

"""`python -m models`: list and build the sample networks, train the segmenter, write a sample picture."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from models import REGISTRY, WEIGHTS, build, sample_input
from rewriter.atomic import write_bytes
from rewriter.cli.common import reporting_errors
from rewriter.errors import UsageError


@click.group()
def main() -> None:
    """Sample networks."""


@main.command("list")
def list_command() -> None:
    """List the networks, and what `rewriter deploy` takes to build each."""
    for sample in REGISTRY.values():
        weights = f" --weights {os.path.relpath(sample.weights)}" if sample.weights else ""
        click.echo(f"{sample.name:24} {sample.summary}\n{'':24} --builder {sample.builder}{weights}")


@main.command("build")
@click.argument("name", type=click.Choice(sorted(REGISTRY)))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .keras file.")
def build_command(name: str, output: Path) -> None:
    """Build a network and save it as a .keras file."""
    with reporting_errors():
        _demand(output, ".keras", ".h5")
        _write(output, build(name).save)


@main.command("train")
@click.option("-o", "--output", default=WEIGHTS, type=click.Path(path_type=Path), show_default=True)
def train_command(output: Path) -> None:
    """Train the segmenter."""
    from models.train import train

    with reporting_errors():
        if not output.name.endswith(".weights.h5"):
            raise UsageError(f"cannot write weights to {output.name}", remedy="give a name.weights.h5")
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(output, train)


@main.command("image")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .npy or .png file.")
@click.option("--name", default="segmenter", type=click.Choice(sorted(REGISTRY)), show_default=True)
@click.option("--seed", default=15, show_default=True)
def image_command(output: Path, name: str, seed: int) -> None:
    """Write a sample picture for a network."""
    import numpy as np

    with reporting_errors():
        _demand(output, ".npy", ".png")
        picture = sample_input(name, seed)
        if output.suffix == ".npy":
            _write(output, lambda path: np.save(path, picture))
        else:
            from matplotlib.image import imsave

            _write(output, lambda path: imsave(path, picture[0]))


def _demand(output: Path, *suffixes: str) -> None:
    if output.suffix not in suffixes:
        raise UsageError(f"cannot write {output.name}", remedy=f"give a {' or '.join(suffixes)} file")


def _write(output: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a file of that name elsewhere, then put it in place whole."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / output.name
        save(written)
        write_bytes(output, written.read_bytes())
    click.echo(f"wrote {output}")


if __name__ == "__main__":
    main(prog_name="python -m models")

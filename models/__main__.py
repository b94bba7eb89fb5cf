"""`python -m models`: list and build the sample networks, train the segmenter, write a sample picture."""

from __future__ import annotations

import os
from pathlib import Path

import click

from models import REGISTRY, WEIGHTS, build, sample_input


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
    build(name).save(output)
    click.echo(f"wrote {output}")


@main.command("train")
@click.option("-o", "--output", default=WEIGHTS, type=click.Path(path_type=Path), show_default=True)
def train_command(output: Path) -> None:
    """Train the segmenter."""
    from models.train import train

    output.parent.mkdir(parents=True, exist_ok=True)
    train(output)


@main.command("image")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .npy or .png file.")
@click.option("--name", default="segmenter", type=click.Choice(sorted(REGISTRY)), show_default=True)
@click.option("--seed", default=15, show_default=True)
def image_command(output: Path, name: str, seed: int) -> None:
    """Write a sample picture for a network."""
    picture = sample_input(name, seed)
    if output.suffix == ".npy":
        import numpy as np

        np.save(output, picture)
    else:
        from matplotlib.image import imsave

        imsave(output, picture[0])
    click.echo(f"wrote {output}")


if __name__ == "__main__":
    main(prog_name="python -m models")

"""Which files are rewritten, and where each goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rewriter.errors import InputError, UsageError

__all__ = ["Job", "plan"]


@dataclass(frozen=True)
class Job:
    """One file.

    Attributes:
        source: the file, as the user named it.
        target: where the result goes; None for a dry run.
    """

    source: str
    target: Path | None


def plan(
    inputs: tuple[str, ...], output: str | None, output_dir: str | None, in_place: bool, dry_run: bool
) -> list[Job]:
    """Which file goes where. A directory stands for every .onnx file below it, which keep their places.

    Raises:
        UsageError: no target or several, or two inputs with one target.
        InputError: a directory without models, or the output directory cannot be made.
    """
    given = [
        name
        for name, value in (
            ("-o", output),
            ("-O", output_dir),
            ("--in-place", in_place),
            ("--dry-run", dry_run),
        )
        if value
    ]
    if not given:
        raise UsageError(
            "nothing says where the result goes", remedy="use -o OUT.onnx, -O DIR, --in-place or --dry-run"
        )
    if len(given) > 1 and not dry_run:
        raise UsageError(f"{' and '.join(given)} contradict each other", remedy="use one of them")
    if output is not None and not dry_run:
        return [_single(inputs, output)]
    below = None if output_dir is None else Path(output_dir)
    sources = [found for name in inputs for found in _files(name, below)]
    if dry_run:
        return [Job(source, None) for source, _ in sources]
    if in_place:
        return [Job(source, Path(source)) for source, _ in sources]
    assert below is not None
    targets = [below / place for _, place in sources]
    if len(set(targets)) < len(targets):
        raise UsageError("two inputs have the same file name", remedy="write them to different directories")
    try:
        for directory in {target.parent for target in targets}:
            directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the directory: {error.strerror}", file=output_dir) from error
    return [Job(source, target) for (source, _), target in zip(sources, targets, strict=True)]


def _single(inputs: tuple[str, ...], output: str) -> Job:
    if len(inputs) > 1:
        raise UsageError(f"-o names one file, and there are {len(inputs)} inputs", remedy="use -O DIR")
    if Path(output).is_dir():
        raise UsageError(f"-o {output} is a directory", remedy=f"use -O {output}")
    if Path(inputs[0]).is_dir() and not inputs[0].endswith(".onnx"):
        raise UsageError(f"-o names one file, and {inputs[0]} is a directory", remedy="use -O DIR")
    return Job(inputs[0], Path(output))


def _files(name: str, output_dir: Path | None) -> list[tuple[str, Path]]:
    """The file `name`, or the models below the directory `name`; each with its place below the output directory."""
    root = Path(name)
    if not root.is_dir() or root.suffix == ".onnx":
        return [(name, Path(root.name))]
    found = sorted(path for path in root.rglob("*.onnx") if path.is_file())
    if output_dir is not None and output_dir.resolve().is_relative_to(root.resolve()):
        # Results of an earlier run are no inputs.
        found = [path for path in found if not path.resolve().is_relative_to(output_dir.resolve())]
    if not found:
        raise InputError("the directory holds no .onnx files", file=root)
    return [(str(path), path.relative_to(root)) for path in found]

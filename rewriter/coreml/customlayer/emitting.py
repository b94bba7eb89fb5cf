"""Writes the custom layer's sources, and a test target with golden values, into a directory for Xcode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewriter.atomic import write_bytes, write_text
from rewriter.coreml.customlayer.golden import golden_json
from rewriter.coreml.customlayer.parameters import LayerParameters
from rewriter.errors import InputError

__all__ = ["emit_sources"]

_HERE = Path(__file__).parent
_FOLDERS = ("sources", "xcode")
_GOLDEN = "RWGolden.json"


def emit_sources(directory: str | Path, resizes: Sequence[Mapping[str, Any]] = ()) -> list[Path]:
    """Write everything that an app needs to load a model with `RWAlignedResize` layers.

    Args:
        directory: made when missing; files of the same names are replaced.
        resizes: entries of `LoweredNetwork.resizes`; those expressed as the custom layer become golden cases.

    Returns:
        The files written.

    Raises:
        InputError: the directory cannot be made or written.
    """
    target = Path(directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the directory: {error.strerror}", file=target) from error
    written = []
    for folder in _FOLDERS:
        for source in sorted((_HERE / folder).iterdir()):
            write_bytes(target / source.name, source.read_bytes())
            written.append(target / source.name)
    write_text(target / _GOLDEN, golden_json(_layers(resizes)))
    return [*written, target / _GOLDEN]


def _layers(resizes: Sequence[Mapping[str, Any]]) -> list[tuple[LayerParameters, tuple[int, int]]]:
    """The custom layers among `resizes` with the input height and width of each."""
    layers = []
    for entry in resizes:
        if entry["kind"] == "custom":
            height, width = (entry["input_shape"][axis] for axis in entry["axis_order"][-2:])
            layers.append((LayerParameters(**entry["parameters"]), (int(height), int(width))))
    return layers

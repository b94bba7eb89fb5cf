"""`rewriter fingerprint FILE|pkg.module:callable`: which resize does this thing compute?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import console, emit_json, json_option, reporting_errors
from rewriter.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from rewriter.fingerprinting import Subject
    from rewriter.resampling.fingerprint import Fingerprint


@click.command()
@click.argument("source", metavar="FILE|pkg.module:callable")
@click.option("--shape", metavar="[NAME:]1,17,23,3", help="Input shape, where SOURCE leaves it open.")
@click.option("--dtype", help="Element type to feed a callable, e.g. uint8 or float16 [default: float32].")
@click.option("--node", metavar="NAME", help="Fingerprint this Resize of an ONNX file only.")
@click.option(
    "--whole-model", "whole", is_flag=True, help="Fingerprint an ONNX file as a whole, not its nodes."
)
@json_option
def command(
    source: str, shape: str | None, dtype: str | None, node: str | None, whole: bool, json_path: str | None
) -> None:
    """Which resize does this compute? Found out from its answers alone.

    Of an ONNX file every Resize is cut out and probed in onnxruntime; of other files (.keras, SavedModel,
    .mlpackage) and of a Python callable on one array, the whole thing. It is fed impulses and ramps at several
    sizes, and named in every framework's words, or told apart from the nearest.
    """
    with reporting_errors(json_path):
        if whole and node is not None:
            raise UsageError("--whole-model and --node contradict each other", remedy="give one of them")
        from rewriter.fingerprinting import fingerprints

        out = console(json_path)
        entries: list[dict[str, Any]] = []
        lengths = None if shape is None else _lengths(shape)
        _check_dtype(dtype)
        for subject, found in fingerprints(source, shape=lengths, dtype=dtype, node=node, whole=whole):
            _print(subject, found, out)
            entries.append(_entry(subject, found))
        emit_json({"source": source, "fingerprints": entries}, json_path)


def _lengths(text: str) -> tuple[int, ...]:
    values = text.rpartition(":")[2]
    try:
        lengths = tuple(int(part) for part in values.split(","))
    except ValueError:
        lengths = ()
    if not lengths or min(lengths) < 1:
        raise UsageError(
            f"'{text}' is not a shape", remedy="write lengths with commas, e.g. --shape 1,17,23,3"
        )
    return lengths


def _check_dtype(dtype: str | None) -> None:
    import numpy as np

    try:
        np.dtype(dtype)
    except TypeError as error:
        raise UsageError(f"'{dtype}' is not an element type", remedy="e.g. float16, uint8, int32") from error


def _entry(subject: Subject, found: Fingerprint | None) -> dict[str, Any]:
    place: dict[str, str | None] = {"node": None, "graph": None}
    if subject.node is not None:
        place = {"node": subject.node[0], "graph": subject.node[1]}
    known = {"kind": "not_run", "reason": subject.problem} if found is None else found.to_json()
    return {"name": subject.name, **place, **known}


def _print(subject: Subject, found: Fingerprint | None, out: Console) -> None:
    where = "" if subject.node is None or subject.node[1] == "main" else f"  in {subject.node[1]}"
    out.print(f"{subject.name}{where}", style="bold", markup=False)
    if found is None:
        out.print(f"  not run: {subject.problem}", markup=False)
        return
    out.print(f"  {_headline(found)}", markup=False)
    for framework, words in _by_framework(found).items():
        for word in words:
            out.print(f"  {framework:<10} {word}", markup=False)
    for near in found.nearest:
        shift = near.shift
        off = f"{shift.left:+.3g} px at the left, {shift.centre:+.3g} in the centre, {shift.right:+.3g} at the right"
        out.print(
            f"  nearest: {near.text}: largest weight difference {near.difference:.3g}, shifted by {off}",
            markup=False,
        )
    for title, text in _facts(found):
        if text:
            out.print(f"  {title}: {text}", markup=False)


def _headline(found: Fingerprint) -> str:
    if found.kind != "resize":
        return found.describe()
    axes = ", ".join(str(axis) for axis in found.spatial)
    layout = found.layout or f"axes {axes}"
    return f"a resize ({layout}); these words are this matrix at all {len(found.probes)} probed sizes:"


def _by_framework(found: Fingerprint) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for match in found.matches:
        note = f"   [{match.word.note}]" if match.word.note else ""
        groups.setdefault(match.word.framework, []).append(match.word.text + note)
    return groups


def _facts(found: Fingerprint) -> list[tuple[str, str | None]]:
    tolerance = max((match.tolerance for match in found.matches), default=0.0)
    difference = max((match.difference for match in found.matches), default=0.0)
    ties = max((match.ties for match in found.matches), default=0)
    probes = "; ".join(f"{_shape(shape)} → {_shape(result)}" for shape, result in found.probes)
    untold = None
    if found.untold is not None:
        n, m = found.untold
        where = " (no length that this function produces)" if found.same_here else " (it could not be probed)"
        untold = f"they are not all the same at {n}→{m}{where}"
    return [
        ("also", found.reason if found.kind in ("resize", "identity", "unnamed") else None),
        ("outside the input", None if found.extrapolation is None else f"{found.extrapolation:g}"),
        ("weights", f"within {difference:.2g} (allowed {tolerance:.2g})" if found.matches else None),
        ("ties", f"{ties} output pixels are float32 rounding ties taken the other way" if ties else None),
        ("words", untold),
        ("probed", f"{probes} in {found.dtype}, {found.calls} calls" if probes else None),
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(str(length) for length in shape)

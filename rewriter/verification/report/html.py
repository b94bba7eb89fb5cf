"""The report as one self-contained HTML page: opens offline, on a phone and on a desktop."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewriter.atomic import write_bytes
from rewriter.verification.result import VerificationReport

__all__ = ["Picture", "ReportContext", "render", "write"]


@dataclass(frozen=True)
class Picture:
    """An encoded picture and the sentence under it."""

    png: bytes
    caption: str

    @property
    def data_uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class ReportContext:
    """What the page shows beside the verification.

    Attributes:
        title: usually the model's name.
        resizes: entries of the JSON key ``resizes``.
        changes: entries of the JSON key ``changes``.
        picture: the contour overlay, if the network has an output that is a map.
        environment: package name → version.
        facts: label → text, shown under the title (source, target, operator counts, …).
    """

    title: str
    resizes: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    picture: Picture | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def render(report: VerificationReport, context: ReportContext) -> str:
    """The page as text; it references nothing outside itself."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rewriter.verification.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["shape"] = _shape
    return environment.get_template("report.html").render(report=report, context=context)


def write(report: VerificationReport, path: str | Path, context: ReportContext) -> None:
    """Write the page to `path`, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    write_bytes(path, render(report, context).encode("utf-8"))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}"


def _shape(shape: Sequence[object] | None) -> str:
    """Lengths that are not fixed, whatever their name in the file, are question marks."""
    return "×".join(str(length) if isinstance(length, int) else "?" for length in shape) if shape else "–"

"""Tables and plots put into the document, between its markers; what stands outside them is left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.plots import draw
from benchmarks.results import CaseResult
from benchmarks.tables import environments_section, missing_peers, points_section, targets_section
from rewriter.atomic import write_text
from rewriter.errors import InputError

__all__ = ["DOCUMENT", "render", "sections"]

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- begin: ([\w-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def render(cases: Mapping[str, CaseResult], template: Path, target: Path) -> list[Path]:
    """Write `target` from the prose of `template` (they may be one file), and the figures beside it.

    Returns:
        What was written.

    Raises:
        InputError: the template lacks the place of a section, or has one for a section that does not exist.
    """
    texts = sections(cases)
    prose = template.read_text(encoding="utf-8")
    places = [match[1] for match in _MARKED.findall(prose)]
    for name in sorted(set(texts).symmetric_difference(places)):
        what = "has no place for" if name in texts else "asks for the unknown"
        raise InputError(f"the document {what} section '{name}'", file=template)
    filled = _MARKED.sub(lambda match: f"{match[1]}\n{texts[match[2]]}\n\n{match[3]}", prose)
    figures = draw(cases, target.parent / "figures")
    write_text(target, filled)
    return [target, *figures]


def sections(cases: Mapping[str, CaseResult]) -> dict[str, str]:
    """The generated parts by name."""
    texts = {"targets": targets_section(cases), "environment": environments_section(cases)}
    for key, case in CASES.items():
        result = cases.get(key)
        absent = [] if result is None else missing_peers(result)
        note = f"\n\nNot installed here: {', '.join(absent)}." if absent else ""
        texts[f"case-{key}"] = points_section(result, case.base) + note
    return texts

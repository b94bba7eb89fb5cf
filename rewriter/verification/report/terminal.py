"""The verdict as a table for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rewriter.verification.result import PairResult, VerificationReport

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_report"]


def print_report(report: VerificationReport, out: Console) -> None:
    """Print one row per pair, the worst case of each, then the findings and the verdict."""
    from rich.markup import escape
    from rich.table import Table

    for reference in dict.fromkeys(pair.reference for pair in report.pairs):
        out.print(f"reference: {escape(reference)}")
    table = Table()
    table.add_column("candidate", overflow="fold")
    for title in ("precision", "worst case", "max|d|/range", "allowed", "verdict"):
        table.add_column(title)
    for pair in report.pairs:
        worst = pair.worst
        table.add_row(
            escape(pair.candidate) + (" (simulated)" if pair.simulated else ""),
            pair.precision,
            _worst_case(pair),
            _number(worst.max_rel) if worst else "–",
            _number(worst.tolerance) if worst else "–",
            "[green]passed[/green]" if pair.passed else "[red]failed[/red]",
        )
    out.print(table)
    for pair in report.pairs:
        for line in _remarks(pair):
            out.print(f"{escape(pair.candidate)}: {escape(line)}")
    for finding in report.diagnosis:
        colour = {"error": "red", "warning": "yellow"}.get(finding.level, "cyan")
        out.print(f"[{colour}]{finding.level}[/{colour}]: {escape(finding.message)}")
        if finding.remedy:
            out.print(f"  remedy: {escape(finding.remedy)}")
    out.print("[bold green]verified[/bold green]" if report.passed else "[bold red]not verified[/bold red]")


def _remarks(pair: PairResult) -> list[str]:
    """What is paired otherwise than by equal names, and cases that prove nothing."""
    lines = [f"paired {words}" for words in pair.pairing if " → " in words or ", " in words]
    outputs = [(case.name, output) for case in pair.cases for output in case.outputs]
    idle = list(dict.fromkeys(name for name, output in outputs if not output.informative))
    if idle:
        lines.append(f"proves nothing in {len(idle)} of {len(pair.cases)} cases: {', '.join(idle)}")
    return lines


def _worst_case(pair: PairResult) -> str:
    worst = pair.worst
    names = [case.name for case in pair.cases if any(output is worst for output in case.outputs)]
    return names[0] if names else "–"


def _number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "∞"

"""`rewrite IN.onnx -o OUT.onnx`: run the passes on ONNX files."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewriter.cli.common import (
    EXIT_FAILED,
    EXIT_USAGE,
    collect_rarely,
    console,
    emit_json,
    json_option,
    reporting_errors,
)
from rewriter.cli.jobs import Job, plan
from rewriter.errors import InputError, RewriterError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from rewriter.rewriting import Rewrite

_NOTES_SHOWN = 8
_ROWS_SHOWN = 50
_FAILURES_NAMED = 20
_TABLES_SHOWN = 4
"""With more models than this each gets its lines only, as the JSON report has all."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", nargs=-1, required=True, metavar="IN.onnx|DIR...")
@click.option("-o", "--output", metavar="OUT.onnx", help="Where the rewritten model goes.")
@click.option(
    "-O",
    "--output-dir",
    metavar="DIR",
    help="Where several rewritten models go, under their own names and places.",
)
@click.option("--in-place", is_flag=True, help="Replace each input by its rewritten model.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@click.option(
    "--intent",
    default="auto",
    show_default=True,
    metavar="WORD|RULES.toml",
    help="What linear and cubic resizes should compute: auto (recorded provenance, else align_corners), "
    "align_corners, half_pixel, asymmetric, preserve, or a file of rules.",
)
@click.option(
    "--set",
    "rules",
    multiple=True,
    metavar="NODE-GLOB=MODE",
    help="What the resizes of these names should compute, whatever else says; repeatable.",
)
@click.option(
    "--reference",
    metavar="PATH",
    help="What the model should compute: a golden .npz, a TensorFlow model or an ONNX file. Nodes without a rule "
    "or provenance get the modes that reproduce its outputs; exit code 1 where none do.",
)
@click.option("--passes", "wanted", metavar="A,B", help="Run these passes only, in this order.")
@click.option("--skip", multiple=True, metavar="A", help="Leave a pass out; repeatable.")
@click.option("--no-check", is_flag=True, help="Do not check the result with onnx's checker and onnxruntime.")
@click.option(
    "--audit",
    is_flag=True,
    help="Compare the result with the input field by field, and refuse it if anything differs that is not listed.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Rewrite so many files at a time, each in a process of its own.",
)
@json_option
@click.version_option(package_name="rewriter", prog_name="rewrite")
def main(
    inputs: tuple[str, ...],
    output: str | None,
    output_dir: str | None,
    in_place: bool,
    dry_run: bool,
    intent: str,
    rules: tuple[str, ...],
    reference: str | None,
    wanted: str | None,
    skip: tuple[str, ...],
    no_check: bool,
    audit: bool,
    jobs: int,
    json_path: str | None,
) -> None:
    """Give every resize of an ONNX model the semantics that its author meant, and change nothing else.

    Files are replaced whole or not at all. A result that onnx's checker or onnxruntime rejects is not written.
    A directory stands for all .onnx files below it. A file that cannot be rewritten does not stop the others.
    """
    collect_rarely()
    with reporting_errors(json_path):
        if audit and dry_run:
            raise UsageError(
                "--audit compares files, and --dry-run writes none", remedy="leave one of them out"
            )
        work = plan(inputs, output, output_dir, in_place, dry_run)
        out = console(json_path)
        options = {
            "intent": intent,
            "rules": rules,
            "passes": _names([wanted]) if wanted is not None else None,
            "skip": _names(skip),
            "check": not no_check,
            "audit": audit,
            "reference": reference,
        }
        if len(work) == 1 and not any(Path(name).is_dir() for name in inputs):
            report = _run(work[0], out, options)
            emit_json(report, json_path)
            sys.exit(_exit_code([report]))
        reports = _run_all(work, out, options, jobs)
        emit_json({"models": reports}, json_path)
    failed = any("error" in report for report in reports)
    sys.exit(EXIT_USAGE if failed else _exit_code(reports))


def _run_all(work: list[Job], out: Console, options: dict[str, Any], jobs: int) -> list[dict[str, Any]]:
    """The report of each job, in the order of the jobs; one that fails has an ``error``."""
    job = partial(_attempt, options=options, table=len(work) <= _TABLES_SHOWN, width=out.width)
    done: Iterable[tuple[int, Any]] = enumerate(map(job, work))
    if jobs > 1:
        from rewriter.cli.workers import run_in_processes

        done = run_in_processes(job, work, jobs)
    reports: dict[int, dict[str, Any]] = {}
    for place, result in done:
        # What a process that was ended has left to say.
        report, text = result if isinstance(result, tuple) else (_crashed(work[place], str(result)), "")
        reports[place] = report
        if text:
            out.file.write(text)
            out.file.flush()
        if "error" in report:
            click.echo(f"error: {report.pop('sentence')}", err=True)
    ordered = [reports[place] for place in range(len(work))]
    bad = [report["input"] for report in ordered if "error" in report]
    if bad:
        names = ", ".join(bad[:_FAILURES_NAMED]) + (
            f" and {len(bad) - _FAILURES_NAMED} more" if len(bad) > _FAILURES_NAMED else ""
        )
        out.print(
            f"{len(work) - len(bad)} of {len(work)} models done, {len(bad)} failed: {names}", markup=False
        )
    return ordered


def _attempt(job: Job, *, options: dict[str, Any], table: bool, width: int) -> tuple[dict[str, Any], str]:
    """The report of a job and what there is to print; an error is a report too."""
    from rich.console import Console

    text = io.StringIO()
    out = Console(file=text, highlight=False, soft_wrap=True, width=width)
    try:
        return _run(job, out, options, table=table), text.getvalue()
    except RewriterError as error:
        failure = {"input": job.source, "output": None, "error": error.to_json(), "sentence": str(error)}
        return failure, text.getvalue()
    except MemoryError:
        return _crashed(job, "there is not enough memory for it"), text.getvalue()


def _crashed(job: Job, cause: str) -> dict[str, Any]:
    error = InputError(cause, file=job.source, remedy="nothing was written for it")
    return {"input": job.source, "output": None, "error": error.to_json(), "sentence": str(error)}


def _exit_code(reports: list[dict[str, Any]]) -> int:
    """1 where a reference is not reproduced."""
    return (
        EXIT_FAILED
        if any(not report.get("evidence", {"passed": True})["passed"] for report in reports)
        else 0
    )


def _names(texts: tuple[str, ...] | list[str]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _run(job: Job, out: Console, options: dict[str, Any], *, table: bool = True) -> dict[str, Any]:
    from rewriter.rewriting import rewrite_file

    done = rewrite_file(job.source, job.target, **options)
    if table and done.resizes:
        out.print(_table(done))
    _print(job, done, out)
    target = None if job.target is None or _is_withheld(done) else str(job.target)
    return {"input": job.source, "output": target, **done.to_json()}


def _is_withheld(done: Rewrite) -> bool:
    """Whether nothing is written, because no choice of modes reproduces the reference."""
    return done.evidence is not None and not done.evidence.reproduced


def _print(job: Job, done: Rewrite, out: Console) -> None:
    changes = len(done.changes)
    count = "nothing to change" if not changes else f"{changes} change{'s' if changes > 1 else ''}"
    where = "nothing written (dry run)" if job.target is None else f"written to {job.target}"
    where = "nothing written (no evidence)" if _is_withheld(done) else where
    out.print(f"{job.source}: {count}, {where}", markup=False)
    for sentence in [] if done.evidence is None else done.evidence.sentences():
        out.print(sentence, markup=False)
    if done.default_warning is not None:
        out.print(f"default intent: {done.default_warning}", markup=False)
    for audit in done.audits:
        total = len(audit.differences.found)
        all_listed = (
            "the files are identical" if not total else f"{total} differences, all of them listed changes"
        )
        out.print(f"audit: {all_listed}", markup=False)
    for remark in done.remarks:
        out.print(f"note: {remark}", markup=False)
    for note in done.notes[:_NOTES_SHOWN]:
        out.print(f"note: {note.node or note.graph}: {note.message}", markup=False)
    if len(done.notes) > _NOTES_SHOWN:
        out.print(
            f"note: and {len(done.notes) - _NOTES_SHOWN} more (all are in the JSON report)", markup=False
        )


def _table(done: Rewrite) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=None)
    for title in ("resize", "shape", "samples", "intent", "effect", "shift"):
        table.add_column(title, overflow="fold")
    rows: dict[tuple[str, ...], list[str]] = {}
    for entry in done.resizes:
        graph = "" if entry["graph"] == "main" else f"\n{entry['graph']}"
        rows.setdefault(_row(entry), []).append(f"{entry['node']}{graph}")
    shown = dict(list(rows.items())[:_ROWS_SHOWN])
    for row, nodes in shown.items():
        more = "" if len(nodes) == 1 else f"\nand {len(nodes) - 1} more like it"
        table.add_row(escape(f"{nodes[0]}{more}"), *map(escape, row))
    hidden = sum(map(len, rows.values())) - sum(map(len, shown.values()))
    if hidden:
        table.caption = f"and {hidden} more (all are in the JSON report)"
    return table


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    shift = entry["max_shift_px"]
    return (
        f"{_shape(entry['input_shape'])}\n→ {_shape(entry['output_shape'])}",
        _samples(entry),
        f"{entry['intent']}\nfrom {entry['intent_from']}",
        entry["effect"] or "–",
        "?" if shift is None else f"{shift:.3g} px" if shift else "–",
    )


def _samples(entry: dict[str, Any]) -> str:
    sides = []
    for side in ("before", "after"):
        words = [entry["coordinate_transformation_mode"][side], entry["nearest_mode"][side]]
        sides.append(" ".join(word for word in words if word))
    before, after = sides
    if not after:
        return f"{entry['mode']} {before}\n→ removed"
    return f"{entry['mode']} {before}" if before == after else f"{entry['mode']} {before}\n→ {after}"


def _shape(shape: list[Any] | None) -> str:
    return "?" if shape is None else "×".join(map(_length, shape))


def _length(length: int | str | None) -> str:
    # Names like unk__12 come from exporters and from shape inference, and tell nothing.
    return "?" if length is None or str(length).startswith("unk__") else str(length)


if __name__ == "__main__":
    main()

"""The scoreboard of Core ML operators as lines for a terminal and as a Markdown document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rewriter.scoreboards.coreml_ops import Outcome, Verdict
from rewriter.scoreboards.tensorflow_resizes import Record

__all__ = ["counts", "lines", "markdown", "per_operator", "resize_lines"]

_VERDICTS: tuple[Verdict, ...] = ("matched", "excepted", "unjudged", "wrong")

_INTRODUCTION = """\
# Core ML operators: the simulator against Apple's expected values

Written by `rewriter scoreboard coreml-ops -o FILE.md`; do not edit.

The coremltools wheel ships the tests of its MIL operators. Each case has a builder, inputs and expected outputs.
Here each case is built, converted to an ML program, saved, read back and evaluated by the simulator, and compared
with the expected outputs: rtol 1e-3 and atol 1e-4, or 5e-3 for both where the case declares float16 tensors.
Cases of tests that need PyTorch run only where it is installed.

matched: equal. excepted: on the list of named exceptions below. unjudged: the test expects no particular
value (random operators, for the most part). wrong: none of these.
"""


def counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many triples got each verdict, and ``"triples"``, their sum."""
    found: Counter[Verdict] = Counter(outcome.verdict for outcome in outcomes)
    return {"triples": found.total(), **{str(verdict): found[verdict] for verdict in _VERDICTS}}


def per_operator(outcomes: Iterable[Outcome]) -> dict[str, Counter[Verdict]]:
    """Verdicts by operator; a triple counts for every operator in its program but the casts around it."""
    table: dict[str, Counter[Verdict]] = {}
    for outcome in outcomes:
        named = set(outcome.operators) - {"cast", "identity"}
        for operator in sorted(named or set(outcome.operators)):
            table.setdefault(operator, Counter())[outcome.verdict] += 1
    return dict(sorted(table.items()))


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """The sum, and every triple that is wrong."""
    total = counts(outcomes)
    said = ", ".join(f"{total[verdict]} {verdict}" for verdict in _VERDICTS)
    wrong = [outcome for outcome in outcomes if outcome.verdict == "wrong"]
    return [
        f"{total['triples']} triples over {len(per_operator(outcomes))} operators: {said}",
        *(f"wrong: {outcome.test}: {outcome.reason}" for outcome in wrong),
    ]


def resize_lines(records: Sequence[Record]) -> list[str]:
    """The sum of the TensorFlow image-resizing tests, and every one that does not match."""
    matched = sum(record["status"] == "matched" for record in records)
    return [
        f"TensorFlow's image resizing: {matched} of {len(records)} comparisons match TensorFlow",
        *(
            f"{record['status']}: {record['test']}: {record['detail']}"
            for record in records
            if record["status"] != "matched"
        ),
    ]


def _resize_table(records: Sequence[Record]) -> list[str]:
    """A section of the document."""
    text = ["", "## TensorFlow's image resizing\n"]
    text.append(
        "The wheel's tests of its TensorFlow converter for image resizing and transformation, in float32 and float16:"
    )
    text.append("converted, saved, simulated, and compared with what TensorFlow computes.\n")
    text += ["| test | comparisons | match TensorFlow |", "|---|---:|---:|"]
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["test"].rpartition("::")[2].partition("[")[0], []).append(record)
    for name, group in [*sorted(groups.items()), ("together", list(records))]:
        matched = sum(record["status"] == "matched" for record in group)
        text.append(f"| `{name}` | {len(group)} | {matched} |")
    return text


def markdown(
    outcomes: Sequence[Outcome],
    version: str,
    drawn: tuple[int, int] | None,
    resizes: Sequence[Record] | None = None,
) -> str:
    """The document.

    Args:
        outcomes: what was measured.
        version: of coremltools.
        drawn: (cases per test function, seed) of a sample; None where everything was measured.
        resizes: records of TensorFlow's image-resizing tests, where they were run.
    """
    total = counts(outcomes)
    text = [_INTRODUCTION, f"coremltools {version}. {_extent(drawn)}\n", "## All triples\n"]
    text += ["| | triples |", "|---|---:|", *(f"| {verdict} | {total[verdict]} |" for verdict in _VERDICTS)]
    text += [f"| together | {total['triples']} |", "", "## Per operator\n"]
    text += ["| operator | " + " | ".join(_VERDICTS) + " |", "|---" + "|---:" * len(_VERDICTS) + "|"]
    for operator, row in per_operator(outcomes).items():
        text.append(f"| `{operator}` | " + " | ".join(str(row[verdict]) for verdict in _VERDICTS) + " |")
    if resizes is not None:
        text += _resize_table(resizes)
    text += ["", "## Exceptions and errors\n", "| verdict | test | reason |", "|---|---|---|"]
    for outcome in outcomes:
        if outcome.verdict in ("excepted", "wrong"):
            text.append(f"| {outcome.verdict} | `{_cell(outcome.test)}` | {_cell(outcome.reason)} |")
    return "\n".join(text) + "\n"


def _extent(drawn: tuple[int, int] | None) -> str:
    if drawn is None:
        return "Every test that can run without PyTorch, or with it where it is installed."
    return f"A sample: at most {drawn[0]} cases of each test function, drawn with seed {drawn[1]}."


def _cell(text: str) -> str:
    """One table cell: no line breaks, no column marks."""
    return " ".join(text.replace("|", "\\|").split())

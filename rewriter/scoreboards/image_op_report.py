"""The outcomes of the image-op matrix as text for a terminal, and as a page of documentation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rewriter.scoreboards.image_op_cases import DTYPES, LAYOUTS, SIZES, cases
from rewriter.scoreboards.image_ops import BICUBIC_TOLERANCE, TOLERANCE, Outcome

__all__ = ["counts", "lines", "markdown"]

_VERDICTS = ("right", "refused", "wrong")


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Number of cases by verdict."""
    found: Counter[str] = Counter(outcome.verdict for outcome in outcomes)
    return {verdict: found[verdict] for verdict in _VERDICTS}


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A table by op, then the reasons, then every case that is wrong."""
    rows = [("op", *_VERDICTS, "largest error"), *_rows(outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for reason, number, example in _reasons(outcomes):
        yield f"refused {number}×: {reason} (e.g. {example})"
    for outcome in outcomes:
        if outcome.verdict == "wrong":
            yield f"WRONG: {outcome.case.name}: {outcome.reason}"
    total = counts(outcomes)
    yield ", ".join(f"{total[verdict]} {verdict}" for verdict in _VERDICTS)


def markdown(outcomes: Sequence[Outcome], drawn: tuple[int, int] | None) -> str:
    """The page `docs/scoreboards/image-ops.md`.

    Args:
        outcomes: of all cases, or of a sample.
        drawn: number and seed of the sample; None for the whole matrix.
    """
    total = counts(outcomes)
    options = "" if drawn is None else f" --sample {drawn[0]} --seed {drawn[1]}"
    of = "" if drawn is None else f" drawn from {sum(1 for _ in cases())}"
    sizes = ", ".join(
        f"{size.name} ({size.image[0]}×{size.image[1]} → {size.target[0]}×{size.target[1]})" for size in SIZES
    )
    table = [("op", *_VERDICTS, "largest error"), ("---",) * 5, *_rows(outcomes)]
    text = [
        "# Scoreboard: TensorFlow's image ops",
        "",
        f"Written by `rewriter scoreboard image-ops{options} -o docs/scoreboards/image-ops.md`.",
        "",
        f"**{total['right']} right, {total['refused']} refused, {total['wrong']} wrong**, of {len(outcomes)} "
        f"cases{of}: every op with its options × {', '.join(DTYPES)} × {', '.join(LAYOUTS)} lengths × {sizes}.",
        "",
        "Each case is converted (opset 18) and runs in onnxruntime as converted, with onnxruntime's own",
        "optimisations, and after the default passes of `rewrite`. All three must agree with TensorFlow eager:",
        f"same shape, same element type, values to {TOLERANCE:g} of their range ({BICUBIC_TOLERANCE:g} for bicubic,",
        "whose TensorFlow kernel rounds its weights to a table of 1,024 entries). A float16 result may",
        "be the neighbour of the expected one: both are float32 results, rounded. The error given is the",
        "largest of all three.",
        "",
        "`static`: all lengths are known. `batch`: all but the batch. `open`: batch, height and width are not,",
        "the target is constant. `computed`: the target is computed from the input's shape as well, for ops only.",
        "",
        "TensorFlow's nearest kernels multiply by a float32 scale, and where a sample lies exactly between two",
        "pixels they take the wrong one for about 3 of 100 pairs of lengths (2 → 82, 26 → 44). The converted file",
        "copies TensorFlow's pixels all the same: by Gather where a Resize would not, or a length is not known.",
        "",
        *(f"| {' | '.join(row)} |" for row in table),
        "",
        "## Why cases are refused",
        "",
        *(f"- {number}×: {reason} (e.g. {example})" for reason, number, example in _reasons(outcomes)),
        *(["- none"] if not total["refused"] else []),
    ]
    wrong = [outcome for outcome in outcomes if outcome.verdict == "wrong"]
    if wrong:
        text += ["", "## Wrong", "", *(f"- {outcome.case.name}: {outcome.reason}" for outcome in wrong)]
    return "\n".join(text) + "\n"


def _rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[f"{outcome.case.family} {_base(outcome)}".strip()].append(outcome)
    for name, members in groups.items():
        found = counts(members)
        errors = [outcome.error for outcome in members if outcome.error is not None]
        largest = f"{max(errors):.1e}" if errors else "-"
        yield (name, *(str(found[verdict]) for verdict in _VERDICTS), largest)


def _base(outcome: Outcome) -> str:
    """The method, or the only words there are; flags are summed up."""
    case = outcome.case
    if case.family.startswith("tf.compat.v1.image.resize_"):
        return ""
    return case.options.split()[0]


def _reasons(outcomes: Sequence[Outcome]) -> list[tuple[str, int, str]]:
    """Reason without the node's name, how often, and one case; the most frequent first."""
    refused = [outcome for outcome in outcomes if outcome.verdict == "refused"]
    by_reason: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in refused:
        by_reason[_general(outcome.reason)].append(outcome)
    ordered = sorted(by_reason.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [(reason, len(members), members[0].case.name) for reason, members in ordered]


def _general(reason: str) -> str:
    head, separator, rest = reason.partition("': ")
    return rest if separator and head.startswith("node '") else reason

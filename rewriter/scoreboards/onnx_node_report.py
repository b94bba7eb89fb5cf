"""The outcomes of ONNX's own tests as text for a terminal, and as a page of documentation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rewriter.scoreboards.onnx_node_tests import Outcome

__all__ = ["counts", "lines", "markdown"]

_VERDICTS = ("right", "right, parameters constant", "refused", "wrong")
_OTHERS = (
    ("onnx2coreml 1.1.0", 465, 496, 42),
    ("onnxsim 0.8.1", 309, 688, 6),
)
"""Right, refused or failing, silently wrong, of the 1,006 single-operator tests, measured 2026-11; three and more
could not be judged. On the 40 Resize and Upsample tests: 6 and 8 right, 23 and 4 silently wrong."""


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Number of tests by verdict."""
    found: Counter[str] = Counter(outcome.verdict for outcome in outcomes)
    return {verdict: found[verdict] for verdict in _VERDICTS}


def lines(suites: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Totals by suite, then every refusal and everything that is wrong."""
    for suite, outcomes in suites.items():
        total = ", ".join(f"{number} {verdict}" for verdict, number in counts(outcomes).items())
        yield f"{suite}: {len(outcomes)} tests: {total}"
    for outcomes in suites.values():
        for outcome in outcomes:
            if outcome.verdict == "wrong":
                yield f"WRONG: {outcome.name}: {outcome.reason}"


def markdown(suites: Mapping[str, Sequence[Outcome]]) -> str:
    """The page `docs/scoreboards/onnx-node-tests.md`."""
    text = [
        "# Scoreboard: ONNX's own tests in Core ML",
        "",
        "Written by `rewriter scoreboard onnx-node-tests -o docs/scoreboards/onnx-node-tests.md`.",
        "",
        "Each test of the onnx wheel whose tensors Core ML can hold (float16, float32, int32, int64, bool; default",
        "domain) is lowered, saved, read back and **simulated**, and compared with the expected values that it",
        "brings, at its own tolerance or 1e-6 of the largest value. *Right* has every input at run time. Where Core",
        "ML wants constants, all inputs but the first are made constant, and the count stands apart. Both forms are",
        "tried: one that is wrong makes the test wrong. A refusal has a reason, and nothing is written.",
        "",
        "| suite | tests | right | right, parameters constant | refused | silently wrong | rank 0 back as (1,) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for suite, outcomes in suites.items():
        numbers = counts(outcomes)
        rank_0 = sum(outcome.rank_0_as_1 for outcome in outcomes)
        cells = [suite, str(len(outcomes)), *(str(numbers[verdict]) for verdict in _VERDICTS), str(rank_0)]
        text.append(f"| {' | '.join(cells)} |")
    text += _comparison(suites.get("node", ()))
    text += _refusals(suites.get("node", ()))
    return "\n".join(text) + "\n"


def _comparison(outcomes: Sequence[Outcome]) -> list[str]:
    if not outcomes:
        return []
    numbers = counts(outcomes)
    resizes = [outcome for outcome in outcomes if outcome.operator in ("Resize", "Upsample")]
    right = numbers["right"] + numbers["right, parameters constant"]
    rows = [("rewriter", right, numbers["refused"], numbers["wrong"]), *_OTHERS]
    return [
        "",
        f"Resize and Upsample: {sum(outcome.is_right for outcome in resizes)} of {len(resizes)} right. Two of them",
        "(`align_corners` by scales that give no whole length) have expected values that onnxruntime does not give;",
        "a model with such a node is refused unless `--reading` says who is right.",
        "",
        "Other converters on the same tests of single operators, by the same rules:",
        "",
        "| converter | right | refused or failed | silently wrong |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def _refusals(outcomes: Sequence[Outcome]) -> list[str]:
    refused: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.verdict == "refused":
            refused[outcome.operator].append(outcome)
    rows = [
        f"| {operator} | {len(found)} | {found[0].reason.replace('|', '/')} |"
        for operator, found in sorted(refused.items())
    ]
    return [
        "",
        "## What is refused",
        "",
        "| operator | tests | reason of the first |",
        "| --- | ---: | --- |",
        *rows,
    ]

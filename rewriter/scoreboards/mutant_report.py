"""The mutation score as text for a terminal, and as a page of documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rewriter.scoreboards.mutants import METRICS, Outcome

__all__ = ["is_perfect", "lines", "markdown"]

NAMED_AT_LEAST = 0.95
"""Share of the failures whose first finding has to name the node and both semantics."""


def is_perfect(outcomes: Sequence[Outcome]) -> bool:
    """Whether all that differ fail, all that are equal pass, and enough of the failures are named."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    if counts["survived"] or counts["equivalent, failed"]:
        return False
    different = [outcome for outcome in outcomes if not outcome.is_equivalent]
    return counts["named"] >= NAMED_AT_LEAST * len(different)


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The score by network, then everything that went wrong, then what other metrics let through."""
    for network in dict.fromkeys(outcome.network for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.network == network]
        yield f"{network}: {_summary(own)}"
    yield f"together: {_summary(outcomes)}"
    for outcome in outcomes:
        if outcome.verdict not in ("named", "equivalent, passed"):
            yield f"{outcome.verdict}: {outcome.network}: {outcome.mutant}"
    different = [outcome for outcome in outcomes if not outcome.is_equivalent]
    for metric in METRICS:
        through = sum(metric in outcome.let_through for outcome in different)
        yield f"{metric} lets {through} of {len(different)} wrong models through"


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.verdict for outcome in outcomes)
    different = sum(not outcome.is_equivalent for outcome in outcomes)
    equal = len(outcomes) - different
    return (
        f"{different - counts['survived']} of {different} wrong models fail, {counts['named']} with the node and "
        f"both semantics named first; {counts['equivalent, passed']} of {equal} equivalent ones pass"
    )


def markdown(outcomes: Sequence[Outcome], every: int) -> str:
    """The page `docs/scoreboards/mutants.md`."""
    step = "" if every == 1 else f" Every {every}th mutant of each network only."
    text = [
        "# Scoreboard: wrong resizes",
        "",
        "Written by `rewriter scoreboard mutants -o docs/scoreboards/mutants.md`.",
        "",
        "Each resize of each sample network is given each other mode (coordinates, rounding, kernel, cubic "
        "coefficient) in turn,",
        "its recorded origin is removed, and the model is verified against the Keras network. The algebra says which",
        f"of these mutants compute the same after all: these have to pass, all others have to fail.{step}",
        "",
        "| network | wrong models | fail | node and both semantics named first | equivalent | pass |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    networks = list(dict.fromkeys(outcome.network for outcome in outcomes))
    for network in [*networks, None]:
        own = [outcome for outcome in outcomes if network in (None, outcome.network)]
        counts = Counter(outcome.verdict for outcome in own)
        different = sum(not outcome.is_equivalent for outcome in own)
        text.append(
            f"| {network or '**together**'} | {different} | {different - counts['survived']} | {counts['named']} "
            f"| {len(own) - different} | {counts['equivalent, passed']} |"
        )
    text += [
        "",
        "## What other metrics let through",
        "",
        "The same wrong models, judged by thresholds that release pipelines use, over the same inputs:",
        "",
        "| metric | wrong models that pass |",
        "| --- | ---: |",
        "| `rewriter verify` | " + str(sum(outcome.verdict == "survived" for outcome in outcomes)) + " |",
    ]
    different_ones = [outcome for outcome in outcomes if not outcome.is_equivalent]
    for metric in METRICS:
        through = sum(metric in outcome.let_through for outcome in different_ones)
        text.append(f"| {metric} | {through} ({100 * through / max(1, len(different_ones)):.0f} %) |")
    return "\n".join(text) + "\n"

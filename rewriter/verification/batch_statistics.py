"""The finding of BatchNorm in training mode, in whatever a runner runs."""

from __future__ import annotations

from rewriter.batch_statistics import REASON
from rewriter.verification.result import Finding
from rewriter.verification.runners import Runner

__all__ = ["finding_of", "findings_of"]

REMEDY = "convert the Keras file itself (rewriter convert NETWORK.keras), or export it with training=False"


def findings_of(runner: Runner) -> list[Finding]:
    """One finding if layers of the network normalise by the statistics of their batch; none if it cannot be told."""
    look = getattr(runner, "batch_statistics", None)
    layers = [] if look is None else look()
    return [finding_of(layers, runner.name)] if layers else []


def finding_of(layers: list[str], name: str) -> Finding:
    """What is wrong, and with which layer first."""
    others = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    return Finding(
        f"layer '{layers[0]}'{others} of {name} {REASON}, so an image's result depends on the images beside it",
        node=layers[0],
        remedy=REMEDY,
        candidate=name,
    )
